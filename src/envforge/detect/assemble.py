"""Readings -> Machine; pure. What no reading tells stays None, what was looked for and is not there is ABSENT or ()."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from envforge.detect.gpus import gpus_of
from envforge.detect.raw import Raw, dotted
from envforge.model import ABSENT, Absent, Dotted, Driver, Machine, Reading

ARCHES = {"x86_64": "64", "amd64": "64", "aarch64": "aarch64", "arm64": "aarch64", "ppc64le": "ppc64le"}
NVRM = re.compile(r"Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+)+)")
LIBRARY_NOT_FOUND = 12


def assemble(readings: Iterable[Reading], name: str) -> Machine:
    """Put a machine together from what was read, live or from a recording.

    ``CONDA_OVERRIDE_CUDA``, ``_CUDA_ARCH`` and ``_GLIBC`` stand in for what was found, as conda honours them; an
    empty one says that there is none. Any set of readings gives a machine; the empty set one that knows nothing.
    """
    kept = tuple(readings)
    raw = Raw(kept)
    driver = _driver(raw)
    return Machine(
        name=name,
        subdir=_subdir(raw),
        driver=driver,
        cuda_version=_spoken(driver, raw),
        gpus=gpus_of(raw, driver),
        glibc=_glibc(raw),
        os=_os(raw),
        platform=raw.text("platform", "kind"),
        container=raw.text("container", "runtime"),
        tegra=_tegra(raw),
        cpu=raw.text("cpu", "model"),
        memory_bytes=_memory(raw),
        readings=kept,
    )


def _memory(raw: Raw) -> int | None:
    """Give what programs may use: the container's limit, else all there is."""
    bytes_ = (raw.get("memory", key) for key in ("limit_bytes", "total_bytes"))
    return next((each for each in bytes_ if isinstance(each, int)), None)


def _subdir(raw: Raw) -> str | None:
    """Give conda's name of system and architecture. A recording without a system's name is of Windows or Linux."""
    arch = ARCHES.get((raw.text("platform", "arch") or "").lower())
    distribution = (raw.text("os_release", "ID") or "").lower()
    system = (raw.text("platform", "system") or distribution).lower()
    if arch is None or not system:
        return None
    if system in {"darwin", "macos"}:
        return "osx-64" if arch == "64" else "osx-arm64"
    if system == "windows":
        return "win-64" if arch == "64" else "win-arm64"
    return f"linux-{arch}"


def _driver(raw: Raw) -> Driver | Absent | None:
    override = raw.override("CONDA_OVERRIDE_CUDA")
    if override is ABSENT:
        return ABSENT
    version = _version(raw)
    if version is not None:
        cuda = override or dotted(raw.text("cuda", "driver_cuda")) or dotted(raw.text("nvml", "cuda_version"))
        return Driver(version=version, cuda_version=cuda, module=_module(raw))
    return ABSENT if override is None and _no_driver(raw) else None


def _spoken(driver: Driver | Absent | None, raw: Raw) -> Dotted | Absent | None:
    """Give the newest CUDA that the driver speaks; it may be known where the driver's own version is not."""
    if driver is ABSENT:
        return ABSENT
    if isinstance(driver, Driver):
        return driver.cuda_version
    return raw.override("CONDA_OVERRIDE_CUDA") or dotted(raw.text("cuda", "driver_cuda"))


def _version(raw: Raw) -> Dotted | None:
    """Ask NVML, then the loaded module's own file, then sysfs: the module stays when its library is gone."""
    nvrm = NVRM.search(raw.text("proc_driver_nvidia", "version") or "")
    return (
        dotted(raw.text("nvml", "driver_version"))
        or dotted(nvrm and nvrm[1])
        or dotted(raw.text("modules", "version"))
        or dotted(raw.text("nvidia_smi", "driver_version"))
    )


def _module(raw: Raw) -> Literal["open", "proprietary"] | None:
    """Tell the flavour by the driver's banner, else by the licence of the module on disk."""
    banner = raw.text("proc_driver_nvidia", "version")
    if banner:
        return "open" if "Open Kernel Module" in banner else "proprietary"
    licence = raw.text("modules", "on_disk", "license")
    return None if licence is None else "proprietary" if licence == "NVIDIA" else "open"


def _no_driver(raw: Raw) -> bool:
    """Tell whether everybody who could know a driver was asked, and knows none."""
    system = (raw.text("platform", "system") or "").lower()
    if system in {"darwin", "macos"} or (raw.text("os_release", "ID") or "").lower() == "macos":
        return True
    if _tegra(raw) or not (raw.absent("proc_driver_nvidia") or raw.get("modules", "loaded") is not None):
        return False
    if raw.get("nvml", "init", "code") != LIBRARY_NOT_FOUND:
        return False
    if raw.has("cuda", "cuInit", "code"):
        return raw.get("cuda", "cuInit", "code") is None
    return "nvidia" not in (raw.get("modules", "loaded") or ("nvidia",))


def _glibc(raw: Raw) -> Dotted | Absent | None:
    override = raw.override("CONDA_OVERRIDE_GLIBC")
    if override is not None:
        return override
    if raw.has("platform", "glibc"):
        return dotted(raw.text("platform", "glibc")) or ABSENT
    subdir = _subdir(raw)
    return ABSENT if subdir and not subdir.startswith("linux-") else None


def _os(raw: Raw) -> str | None:
    words = (raw.text("os_release", key) for key in ("ID", "VERSION_ID"))
    return " ".join(word for word in words if word) or None


def _tegra(raw: Raw) -> bool | None:
    """Tell a Jetson by its own files; a kernel's release that is known and not Tegra's rules it out."""
    if raw.get("tegra"):
        return True
    release = raw.text("kernel", "release")
    elsewhere = (_subdir(raw) or "linux-").partition("-")[0] != "linux"
    if elsewhere or raw.absent("tegra") or raw.get("tegra") == {}:
        return False
    return None if release is None else "tegra" in release
