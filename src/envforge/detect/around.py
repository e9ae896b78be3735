"""What surrounds the driver: services, packages, SELinux, network, power, docks, firmware, Docker's configuration."""

from __future__ import annotations

import json
from typing import Any

from envforge.detect.host import Host, require

SERVICES = ("nvidia-fabricmanager", "nvidia-persistenced", "nvidia-imex", "slurmd", "slurmctld")
UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system", "/lib/systemd/system")
SLICES = ("/sys/fs/cgroup/system.slice", "/sys/fs/cgroup/systemd/system.slice")
PRIME = {"on": "nvidia", "off": "intel", "on-demand": "on-demand"}
GSP = ("gsp_tu10x.bin", "gsp_ga10x.bin")


def selinux(host: Host) -> str | None:
    """Read whether SELinux enforces; None where it is not there."""
    require(host, "/sys")
    return {"1": "Enforcing", "0": "Permissive"}.get(host.text("/sys/fs/selinux/enforce") or "")


def services(host: Host) -> dict[str, str] | None:
    """Tell which of the driver's services run, by their control groups; None where systemd does not run."""
    if not host.has("/run/systemd/system"):
        return None
    return {name: _service(host, f"{name}.service") for name in SERVICES}


def _service(host: Host, unit: str) -> str:
    if any(host.has(f"{folder}/{unit}") for folder in SLICES):
        return "active"
    return "inactive" if any(host.has(f"{folder}/{unit}") for folder in UNITS) else "not-found"


def net(host: Host) -> list[str]:
    """Read the names of the network interfaces that are not down; no addresses."""
    require(host, "/sys")
    paths = host.glob("/sys/class/net/*")
    return [path.name for path in paths if host.words(f"{host.shown(path)}/operstate") != "down"]


def thunderbolt(host: Host) -> dict[str, dict[str, str]]:
    """Read which Thunderbolt devices are authorised: a GPU in a dock that is not is invisible."""
    require(host, "/sys")
    paths = [path.parent for path in host.glob("/sys/bus/thunderbolt/devices/*/authorized")]
    return {path.name: {"authorized": host.words(f"{host.shown(path)}/authorized") or ""} for path in paths}


def power(host: Host) -> dict[str, int] | None:
    """Read how often this computer was suspended since it booted."""
    text = host.text("/sys/power/suspend_stats/success")
    return {"suspend_count": int(text)} if text and text.isdigit() else None


def prime_select(host: Host) -> str | None:
    """Read which GPU Ubuntu's prime-select chose; None where it is not used."""
    return PRIME.get((host.text("/etc/prime-discrete") or "").strip())


def firmware(host: Host) -> dict[str, str] | None:
    """Tell whether the loaded driver's GSP firmware lies where the kernel looks; None where that cannot be seen."""
    version = host.words("/sys/module/nvidia/version")
    release = host.words("/proc/sys/kernel/osrelease")
    if version is None or not host.has(f"/lib/modules/{release}"):
        return None
    folder = f"/lib/firmware/nvidia/{version}"
    return {f"{folder}/{name}": "present" if host.has(f"{folder}/{name}") else "absent" for name in GSP}


def nvswitch(host: Host) -> dict[str, int] | None:
    """Count NVSwitches by their driver's directory; None without one."""
    folder = "/proc/driver/nvidia-nvswitch/devices"
    return {"devices": len(list(host.glob(f"{folder}/*")))} if host.has(folder) else None


def docker(host: Host) -> dict[str, Any] | None:
    """Read which runtimes Docker is told of; None where it has no configuration."""
    text = host.text("/etc/docker/daemon.json")
    if text is None:
        return None
    told = json.loads(text)
    runtimes = told.get("runtimes") if isinstance(told, dict) else None
    default = told.get("default-runtime") if isinstance(told, dict) else None
    found: dict[str, Any] = {"runtimes": ["runc", *sorted(runtimes if isinstance(runtimes, dict) else ())]}
    return found | ({"default_runtime": default} if default else {})
