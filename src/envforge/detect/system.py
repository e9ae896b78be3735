"""The system: platform, distribution, libc, processor, limits, mounts, WSL, Jetson, programs at hand."""

from __future__ import annotations

import os
import re
import resource
import shutil
import sys
from typing import Any

from envforge.detect.container import container
from envforge.detect.host import Host, require

FLAGS = {"sse", "sse2", "ssse3", "sse4_1", "sse4_2", "avx", "avx2", "fma", "f16c", "bmi2", "avx512f", "asimd", "sve"}
WSL1 = re.compile(r"^4\.4\.0-\d+-Microsoft")
VIRTUAL = re.compile(
    r"QEMU|KVM|VMware|VirtualBox|Xen|Bochs|Virtual Machine|HVM domU|Parallels|Firecracker", re.IGNORECASE
)
CHASSIS = {"8": "laptop", "9": "laptop", "10": "laptop", "14": "laptop", "31": "laptop", "32": "laptop"}
LIMITS = {
    "address_space": resource.RLIMIT_AS,
    "locked_memory": resource.RLIMIT_MEMLOCK,
    "open_files": resource.RLIMIT_NOFILE,
    "processes": resource.RLIMIT_NPROC,
    "stack": resource.RLIMIT_STACK,
}
WATCHED = ("/dev/shm", "/tmp")  # noqa: S108 - looked at, never written
PROGRAMS = (
    *("nvidia-smi", "nvidia-container-runtime", "nvidia-ctk", "docker", "podman", "enroot", "apptainer", "singularity"),
    *("sbatch", "srun", "squeue", "sinfo", "qsub", "bsub", "condor_submit", "flux"),
    *("nvcc", "gcc", "g++", "clang", "cmake", "ninja", "git", "conda", "mamba", "micromamba", "pixi", "uv"),
)


def platform(host: Host) -> dict[str, Any]:
    """Say what kind of computer this is, its architecture, and its libc. What cannot be told is left out."""
    release = host.words("/proc/sys/kernel/osrelease") or ""
    known = {
        "kind": _kind(host, release),
        "arch": os.uname().machine,
        "system": os.uname().sysname,
        "glibc": glibc(),
        "virt": host.words("/run/systemd/container") or _hypervisor(host),
        "chassis": CHASSIS.get(host.words("/sys/class/dmi/id/chassis_type") or ""),
    }
    return {key: item for key, item in known.items() if item is not None} | ({"glibc": None} if _is_musl(host) else {})


def glibc() -> str | None:
    """Ask the C library of this process for its version."""
    try:
        name, _, version = (os.confstr("CS_GNU_LIBC_VERSION") or "").partition(" ")
    except (ValueError, OSError):
        return None
    return version if name == "glibc" else None


def _is_musl(host: Host) -> bool:
    return glibc() is None and next(host.glob("/lib/ld-musl-*"), None) is not None


def _kind(host: Host, release: str) -> str | None:
    if WSL1.match(release):
        return "wsl1"
    if "microsoft" in release.lower():
        return "wsl2"
    if container(host):
        return "container"
    if not release:
        return None
    return "vm" if _hypervisor(host) else "bare-metal"


def _hypervisor(host: Host) -> str | None:
    flags = re.search(r"^flags\s*:.*\bhypervisor\b", host.words("/proc/cpuinfo") or "", re.MULTILINE)
    names = " ".join(host.words(f"/sys/class/dmi/id/{name}") or "" for name in ("sys_vendor", "product_name"))
    match = VIRTUAL.search(names)
    return match[0].lower() if match else "hypervisor" if flags else None


def os_release(host: Host) -> dict[str, str] | None:
    """Read which distribution this is; on macOS its name and version."""
    if sys.platform == "darwin":
        import platform as names

        return {"ID": "macos", "VERSION_ID": names.mac_ver()[0]}
    text = host.text("/etc/os-release") or host.text("/usr/lib/os-release")
    if text is None:
        return None
    rows = (line.partition("=") for line in text.splitlines() if "=" in line)
    wanted = ("ID", "VERSION_ID", "ID_LIKE", "VARIANT_ID", "BUILD_ID", "PRETTY_NAME")
    return {key: item.strip("\"' ") for key, _, item in rows if key in wanted}


def cpu(host: Host) -> dict[str, Any]:
    """Read the processor's name, how many, and the instructions that wheels may take for granted."""
    require(host, "/proc")
    text = host.text("/proc/cpuinfo", 1 << 14) or ""
    model = re.search(r"^(?:model name|Model|cpu model)\s*:\s*(.+)$", text, re.MULTILINE)
    flags = re.search(r"^(?:flags|Features)\s*:\s*(.+)$", text, re.MULTILINE)
    found = {
        "model": model and model[1].strip(),
        "flags": flags and sorted(FLAGS & set(flags[1].split())),
        "count": os.cpu_count(),
    }
    return {key: item for key, item in found.items() if item is not None}


def limits(host: Host) -> dict[str, Any]:
    """Read this process's limits; ``unlimited`` or a number."""
    found = {name: resource.getrlimit(number)[0] for name, number in LIMITS.items()}
    return {name: "unlimited" if item == resource.RLIM_INFINITY else item for name, item in found.items()}


def mounts(host: Host) -> dict[str, dict[str, Any]]:
    """Read size, free space and options of the mounts that training and compiling depend on."""
    text = host.text("/proc/self/mounts", 1 << 18)
    if text is None:
        raise OSError("`/proc/self/mounts` is not there: `/proc` is masked")
    rows = {row[1]: row[3] for line in text.splitlines() if len(row := line.split()) > 3}
    found: dict[str, dict[str, Any]] = {}
    for path in WATCHED:
        if path in rows or host.has(path):
            found[path] = _space(host, path) | ({"options": rows[path]} if path in rows else {})
    return found


def _space(host: Host, path: str) -> dict[str, int]:
    try:
        status = os.statvfs(host.path(path))
    except OSError:
        return {}
    return {
        "size_mib": status.f_blocks * status.f_frsize >> 20,
        "free_mib": status.f_bavail * status.f_frsize >> 20,
    }


def wsl(host: Host) -> dict[str, Any] | None:
    """Read what is particular to WSL; None elsewhere."""
    release = host.text("/proc/sys/kernel/osrelease") or ""
    if "microsoft" not in release.lower():
        return None
    packages = {
        path.name.partition(".")[0].partition(":")[0] for path in host.glob("/var/lib/dpkg/info/*nvidia-*.list")
    }
    drivers = sorted(name for name in packages if re.match(r"(libnvidia-compute|nvidia-driver|nvidia-dkms)-\d", name))
    return {"version": 1 if WSL1.match(release) else 2, "dxg": host.has("/dev/dxg"), "linux_driver_packages": drivers}


def tegra(host: Host) -> dict[str, Any] | None:
    """Read what is particular to a Jetson; None elsewhere. ``# R35 (release), REVISION: 4.1, GCID: ...``"""
    release = host.text("/etc/nv_tegra_release")
    model = host.words("/proc/device-tree/model") or ""
    if release is None and not re.search(r"Jetson|Tegra", model):
        return None
    match = re.match(r"#?\s*(R\d+ \(release\), REVISION: [\d.]+)", release or "")
    found = {"nv_tegra_release": match[1] if match else release, "model": model or None}
    return {key: item for key, item in found.items() if item is not None}


def which(host: Host) -> dict[str, str | None]:
    """Say where programs that matter stand on PATH; null where they are not."""
    path = host.environ.get("PATH", "")
    return {name: shutil.which(name, path=path) if path else None for name in PROGRAMS}
