"""The kernel's side: release, Secure Boot, modules and their parameters, the driver's own files."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

from envforge.detect.host import Host, require

MOK_LIST = "MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23"
COMMON_NAME = re.compile(rb"\x06\x03\x55\x04\x03[\x0c\x13](.)([ -~]{1,80})", re.DOTALL)  # OID 2.5.4.3 in DER
EFI_GLOBAL = "8be4df61-93ca-11d2-aa0d-00e098032b8c"
OURS = re.compile(r"^(nvidia\w*|nouveau|nova_core|vfio_pci|gdrdrv|ib_core)$")
CHARACTER_NAMES = re.compile(r"nvidia|drm")
FOLDERS = ("updates/dkms", "updates", "extra", "extra/nvidia", "kernel/drivers/video", "kernel/nvidia", "video")


def kernel(host: Host) -> dict[str, Any]:
    """Read ``uname -r``, Secure Boot, lockdown and the command line; a key is missing where it cannot be read."""
    require(host, "/proc")
    found = {
        "release": host.words("/proc/sys/kernel/osrelease"),
        "boot_id": host.words("/proc/sys/kernel/random/boot_id"),
        "cmdline": host.words("/proc/cmdline"),
        "lockdown": _chosen(host.words("/sys/kernel/security/lockdown")),
        "secure_boot": secure_boot(host),
    }
    return {key: item for key, item in found.items() if item is not None}


def _chosen(text: str | None) -> str | None:
    """Give the word in brackets: ``none [integrity] confidentiality``."""
    match = re.search(r"\[(\w+)\]", text or "")
    return match[1] if match else None


def secure_boot(host: Host) -> bool | None:
    """Read the EFI variable: four bytes of attributes, then 1 or 0. Without EFI there is none: False."""
    path = host.path(f"/sys/firmware/efi/efivars/SecureBoot-{EFI_GLOBAL}")
    try:
        return path.read_bytes()[4:5] == b"\x01"
    except FileNotFoundError:
        has_sys = host.has("/sys/firmware") and os.access(host.path("/sys/firmware"), os.R_OK)
        return None if host.has("/sys/firmware/efi") or not has_sys else False
    except OSError:
        return None


def modules(host: Host) -> dict[str, Any]:
    """Read which of NVIDIA's modules (and those that compete for the card) are loaded, and what is on disk.

    A kernel without ``/proc/modules`` was built without modules.

    ``on_disk`` is null when the running kernel's module tree has no nvidia module, missing when there is no tree.
    """
    require(host, "/proc")
    text = host.text("/proc/modules", 1 << 20)
    if text is None and not host.has("/proc/sys/kernel/osrelease"):
        raise OSError("`/proc/modules` is not there: `/proc` is masked")
    text = text or ""
    names = [line.split(" ", 1)[0] for line in text.splitlines()]
    found: dict[str, Any] = {"loaded": [name for name in names if OURS.match(name)]}
    if version := host.words("/sys/module/nvidia/version"):
        found["version"] = version
    return found | _on_disk(host) | _dkms(host) | _enrolled(host)


def _dkms(host: Host) -> dict[str, Any]:
    """Read DKMS's own tree as ``dkms status`` does: ``nvidia/550.90.07, 6.8.0-60-generic, x86_64: installed``."""
    if not host.has("/var/lib/dkms"):
        return {}
    rows = []
    for version in host.glob("/var/lib/dkms/nvidia*/[0-9]*"):
        name = f"{version.parent.name}/{version.name}"
        built = sorted(path.parent for path in version.glob("*/*/module"))
        rows += [f"{name}, {path.parent.name}, {path.name}: installed" for path in built] or [f"{name}: added"]
    logs = [
        text for path in host.glob("/var/lib/dkms/nvidia*/*/build/make.log") if (text := host.words(host.shown(path)))
    ]
    return {"dkms_status": rows} | ({"dkms_log_tail": logs[-1][-600:]} if logs else {})


def _enrolled(host: Host) -> dict[str, list[str]]:
    """Read the names on the certificates that Secure Boot's own list of keys holds; it needs no rights."""
    try:
        raw = host.path(f"/sys/firmware/efi/efivars/{MOK_LIST}").read_bytes()
    except OSError:
        return {}
    names = [text[: length[0]].decode("ascii") for length, text in COMMON_NAME.findall(raw)]
    return {"mok_enrolled": list(dict.fromkeys(names))}


def _on_disk(host: Host) -> dict[str, Any]:
    trees = module_trees(host)
    holding = sorted(tree.name for tree in trees if _module_file(tree))
    return {"on_disk": {"for_kernels": holding} if holding else None} if trees else {}


def module_trees(host: Host) -> list[Path]:
    """Give the directories of modules, one per kernel that is installed."""
    paths = host.glob("/lib/modules/*")
    return [path for path in paths if (path / "modules.dep").exists() or (path / "kernel").exists()]


def module_files(host: Host) -> list[Path]:
    """Give the files of the nvidia module, the running kernel's first."""
    release = host.words("/proc/sys/kernel/osrelease")
    trees = sorted(module_trees(host), key=lambda tree: (tree.name != release, tree.name))
    return [file for tree in trees if (file := _module_file(tree))]


def _module_file(tree: Path) -> Path | None:
    for folder in FOLDERS:
        for name in ("nvidia.ko", "nvidia.ko.zst", "nvidia.ko.xz", "nvidia.ko.gz"):
            if (file := tree / folder / name).exists():
                return file
    return next(tree.glob("kernel/nvidia*/**/nvidia.ko*"), None)


def module_params(host: Host) -> dict[str, str] | None:
    """Read the parameters of NVIDIA's modules, ``nvidia.DynamicPowerManagement``; None when none is loaded."""
    require(host, "/sys")
    found: dict[str, str] = {}
    for path in host.glob("/sys/module/nvidia*/parameters/*"):
        if text := host.words(host.shown(path)):
            found[f"{path.parent.parent.name}.{path.name}"] = text
    for line in (host.words("/proc/driver/nvidia/params") or "").splitlines():
        name, _, text = line.partition(":")
        found.setdefault(f"nvidia.{name.strip()}", text.strip())
    return found or None


def proc_driver_nvidia(host: Host) -> dict[str, Any] | None:
    """Read the loaded driver's own words; None when it is not loaded."""
    require(host, "/proc")
    version = host.text("/proc/driver/nvidia/version")
    return None if version is None else {"version": version}


def proc_devices(host: Host) -> list[str]:
    """Read the character devices that the kernel knows of NVIDIA's drivers, with their major numbers."""
    text = host.text("/proc/devices")
    if text is None:
        raise OSError("`/proc/devices` is not there: `/proc` is masked")
    return [line.strip() for line in text.splitlines() if CHARACTER_NAMES.search(line)]


def modprobe_d(host: Host) -> dict[str, list[str]]:
    """Read the lines of modprobe's files that tell what becomes of NVIDIA's modules and nouveau."""
    found: dict[str, list[str]] = {}
    for folder in ("/etc/modprobe.d", "/usr/lib/modprobe.d", "/run/modprobe.d"):
        for path in host.glob(f"{folder}/*.conf"):
            lines = [line.strip() for line in (host.words(host.shown(path)) or "").splitlines()]
            telling = [
                line for line in lines if re.match(r"(blacklist|alias|options|install)\s+(nvidia|nouveau)", line)
            ]
            if telling:
                found.setdefault(path.name, telling)
    return found
