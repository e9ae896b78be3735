"""The environment variables that steer CUDA, torch, loaders and schedulers: an allow-list, without secrets."""

from __future__ import annotations

import re

from envforge.detect.host import Host

STEERING = re.compile(
    r"^(CUDA|NVIDIA|NCCL|TORCH|PYTORCH|TORCHINDUCTOR|TRITON|SLURM|PBS|LSB|OMPI_COMM_WORLD|KMP|MKL|OMP|HSA|ROCR|HIP|MPS"
    r"|APPTAINER|SINGULARITY|ENROOT|CONDA_OVERRIDE)_\w+$"
    r"|^(LD_LIBRARY_PATH|LD_PRELOAD|LD_AUDIT|PATH|PYTHONPATH|PYTHONHOME|PYTHONNOUSERSITE|PYTHONSAFEPATH|VIRTUAL_ENV"
    r"|CONDA_PREFIX|CONDA_DEFAULT_ENV|CONDA_PKGS_DIRS|CONDA_SUBDIR|CUDAHOSTCXX|CC|CXX|TMPDIR|XDG_CACHE_HOME|LANG|container"
    r"|_CONDOR_JOB_AD|_CONDOR_AssignedGPUs|JOB_ID|GPU_DEVICE_ORDINAL|KUBERNETES_SERVICE_HOST|WORLD_SIZE"
    r"|LOCAL_WORLD_SIZE|RANK|LOCAL_RANK|MASTER_ADDR|MASTER_PORT|NV_CUDA_COMPAT_PACKAGE|MODULEPATH|LOADEDMODULES"
    r"|WSL_DISTRO_NAME|WSLENV|HTTPS?_PROXY|https?_proxy|NO_PROXY|no_proxy|SSL_CERT_FILE|REQUESTS_CA_BUNDLE"
    r"|PIP_INDEX_URL|PIP_EXTRA_INDEX_URL|PIP_FIND_LINKS|UV_INDEX_URL|UV_DEFAULT_INDEX|UV_INDEX|UV_TORCH_BACKEND)$"
)
SECRET = re.compile(r"TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|_AUTH", re.IGNORECASE)
USERINFO = re.compile(r"(\w+://)[^/@\s]*@")
OVERRIDES = ("CONDA_OVERRIDE_CUDA", "CONDA_OVERRIDE_CUDA_ARCH", "CONDA_OVERRIDE_GLIBC")
LONGEST = 2000


def env(host: Host) -> dict[str, str]:
    """Give the variables that steer something; a URL's user and password and anything named a secret are left out."""
    return {
        name: USERINFO.sub(r"\1", text)[:LONGEST]
        for name, text in sorted(host.environ.items())
        if STEERING.match(name) and not SECRET.search(name)
    }


def overrides(host: Host) -> dict[str, str]:
    """Give what the user states in the place of detection; an empty text states that there is none.

    Raises ValueError for one that is not a version.
    """
    found = {name: host.environ[name].strip() for name in OVERRIDES if name in host.environ}
    for name, text in found.items():
        if text and not re.fullmatch(r"\d+(\.\d+)*|sm_\d+", text):
            raise ValueError(f"`{name}={text}` is not a version")
    return found
