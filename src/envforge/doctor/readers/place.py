"""Where am I: container, WSL, Tegra, virtual machine, a scheduler's job."""

from __future__ import annotations

import re
from collections.abc import Mapping

from envforge.doctor.chart import Chart
from envforge.model import Dotted

GPU_LISTS = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "GPU_DEVICE_ORDINAL", "_CONDOR_AssignedGPUs", "SGE_HGR_gpu")
GPU_COUNTS = ("SLURM_GPUS_ON_NODE", "SLURM_GPUS", "SLURM_GPUS_PER_NODE", "SLURM_GPUS_PER_TASK", "PBS_NGPUS")
JOBS = {"SLURM_JOB_ID": "Slurm", "PBS_JOBID": "PBS", "LSB_JOBID": "LSF", "_CONDOR_JOB_AD": "HTCondor", "JOB_ID": "SGE"}
LAPTOPS = {"laptop", "notebook", "convertible", "portable", "8", "9", "10", "14", "31", "32"}
CLIENTS = r"\b(sbatch|srun|squeue|sinfo|qsub|bsub|condor_submit|flux)\b"


def _kind(p: Chart) -> str:
    """Give the kind of place; raises Missing when nothing tells where this is."""
    if any(p.maybe(source) for source in ("wsl", "tegra", "container")):
        return str(p.maybe("platform", "kind") or "")
    return str(p.need("platform", "kind") or "")


def is_wsl(p: Chart) -> bool:
    return _kind(p).startswith("wsl") or bool(p.maybe("wsl"))


def is_windows(p: Chart) -> bool:
    return str(p.maybe("os_release", "ID") or "").lower() == "windows"


def is_tegra(p: Chart) -> bool:
    return _kind(p) == "tegra" or bool(p.maybe("tegra")) or "tegra" in str(p.maybe("kernel", "release") or "")


def is_vm(p: Chart) -> bool:
    return _kind(p) == "vm"


def is_laptop(p: Chart) -> bool:
    return str(p.maybe("platform", "chassis")) in LAPTOPS


def in_container(p: Chart) -> bool:
    if _kind(p):
        return _kind(p) == "container"
    return bool(p.maybe("container", "runtime"))


def bare_linux(p: Chart) -> bool:
    """Tell whether the kernel side is to be looked at here: no WSL, no Windows, no Tegra, no container."""
    return not (is_wsl(p) or is_windows(p) or is_tegra(p) or in_container(p))


def env(p: Chart, name: str) -> str | None:
    """Give a variable; None when it is not set. Raises Missing when no variables were read."""
    p.reading("env")
    return variables(p).get(name)


def variables(p: Chart) -> dict[str, str]:
    """Give the variables that are set; none when they were not read."""
    found = p.maybe("env")
    rows = found.items() if isinstance(found, Mapping) else ()
    return {str(name): str(item) for name, item in rows if item is not None}


def in_job(p: Chart) -> str | None:
    """Give the scheduler whose job this is."""
    return next((scheduler for name, scheduler in JOBS.items() if env(p, name)), None)


def given_gpus(p: Chart) -> bool:
    """Tell whether the scheduler's variables name a GPU for this job."""
    if any(env(p, name) for name in GPU_LISTS) or any(env(p, name) not in (None, "", "0") for name in GPU_COUNTS):
        return True
    return bool(re.match(r"\d|GPU-|MIG-", env(p, "CUDA_VISIBLE_DEVICES") or ""))


def scheduler(p: Chart) -> str | None:
    """Give the evidence of a scheduler's client on this machine."""
    for source in ("which", "scheduler", "services", "slurm"):
        found = p.maybe(source)
        rows = found.items() if isinstance(found, Mapping) else [(source, found)]
        for name, item in rows:
            if item and (match := re.search(CLIENTS, f"{name} {item}", re.IGNORECASE)):
                return f"{source}: {match[0]}"
    return None


def libc(p: Chart) -> Dotted | None:
    """Give glibc's version; None when it is not known."""
    for path in (("glibc",), ("libc", "version"), ("libc",), ("os_release", "glibc"), ("platform", "glibc")):
        found = p.maybe(*path)
        if match := re.search(r"\d+\.\d+", str(found or "")):
            return Dotted(match[0])
    return None
