#!/bin/bash
# A job for Slurm. On the login node, which has no GPU, once:
#   envforge create cluster.yaml --target a100 --prefix "$HOME/environments/a100" --locked --no-verify
# then `sbatch slurm.sh`: the node proves the environment on its own GPU before the work starts, and fails otherwise.
#SBATCH --job-name=envforge-example
#SBATCH --gres=gpu:1
#SBATCH --time=01:00:00
#SBATCH --output=%x-%j.log
set -euo pipefail

ENVIRONMENT=${ENVIRONMENT:-$HOME/environments/a100}

envforge verify "$ENVIRONMENT" --require gpu,target --junit "verify-${SLURM_JOB_ID:-here}.xml"
exec envforge run --prefix "$ENVIRONMENT" python train.py
