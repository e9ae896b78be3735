"""Whether this is a container, whose, and what it was given."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any

from envforge.detect.host import Host

CGROUPS = {"docker": "docker", "kubepods": "kubernetes", "libpod": "podman", "lxc": "lxc", "containerd": "containerd"}
MARKERS = {
    "KUBERNETES_SERVICE_HOST": "kubernetes",
    "APPTAINER_CONTAINER": "apptainer",
    "APPTAINER_NAME": "apptainer",
    "SINGULARITY_CONTAINER": "apptainer",
    "SINGULARITY_NAME": "apptainer",
    "ENROOT_ROOTFS": "enroot",
}


def container(host: Host) -> dict[str, Any] | None:
    """Say which engine runs this container, its cgroup version, and the driver files mounted in; None outside."""
    runtime, marker = next(_evidence(host), (None, None))
    if runtime is None:
        return None
    known: dict[str, Any] = {
        "runtime": runtime,
        "evidence": marker,
        "cgroup": _cgroup(host),
        "bind_mounts": _mounted(host),
    }
    known["uid"] = os.getuid()
    known["selinux_label"] = (host.words("/proc/self/attr/current") or "").strip("\0") or None
    if marker in MARKERS:
        known["env_marker"] = marker
    return {key: item for key, item in known.items() if item is not None}


def _evidence(host: Host) -> Iterator[tuple[str, str]]:
    """Give engine and evidence, the more telling first."""
    for name, runtime in MARKERS.items():
        if name in host.environ:
            yield runtime, name
    if host.has("/run/.containerenv"):
        yield "podman", "/run/.containerenv"
    if host.has("/.dockerenv"):
        yield "docker", "/.dockerenv"
    if named := host.words("/run/systemd/container") or host.environ.get("container"):
        yield named, "container"
    text = host.words("/proc/1/cgroup") or ""
    for word, runtime in CGROUPS.items():
        if re.search(rf"\b{word}\b|/{word}", text):
            yield runtime, "/proc/1/cgroup"


def _cgroup(host: Host) -> str | None:
    if host.has("/sys/fs/cgroup/cgroup.controllers"):
        return "v2"
    return "v1" if host.has("/sys/fs/cgroup/devices") or host.has("/sys/fs/cgroup/memory") else None


def _mounted(host: Host) -> list[str] | None:
    """Give the driver's files that an engine mounted in. A line is ``30 29 0:26 /a /b rw - ext4 ...``."""
    text = host.words("/proc/self/mountinfo")
    if text is None:
        return None
    places = (row[4] for line in text.splitlines() if len(row := line.split()) > 4)
    return sorted(place for place in places if re.search(r"/(libcuda|libnvidia|nvidia)", place))


def cdi(host: Host) -> dict[str, dict[str, Any]]:
    """Read the CDI files that engines may use: their version, and whether they can be read."""
    found: dict[str, dict[str, Any]] = {}
    for folder in ("/etc/cdi", "/run/cdi", "/var/run/cdi"):
        for path in host.glob(f"{folder}/*nvidia*"):
            try:
                text = host.text(host.shown(path)) or ""
            except OSError:
                found[host.shown(path)] = {"readable": False}
                continue
            match = re.search(r"cdiVersion\W+([\d.]+)", text)
            found[host.shown(path)] = {"readable": True} | ({"cdiVersion": match[1]} if match else {})
    return found
