"""What hangs on the PCI bus, and what opening the device nodes says."""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from envforge.detect.host import Host, require

NVIDIA = "0x10de"
KINDS = ("0x03", "0x068")  # displays, and bridges such as NVSwitch
NODES = ("nvidia*", "nvidia-caps/*", "dxg", "nvhost-*gpu", "nvmap", "kfd")
WAKES = re.compile(r"/dev/nvidia\d+$")
BAR1 = 1


def pci(host: Host) -> list[dict[str, Any]]:
    """Read NVIDIA's functions on the PCI bus with the kernel driver that has each; audio and USB are left out."""
    require(host, "/sys")
    return [row for path in host.glob("/sys/bus/pci/devices/*") if (row := _function(host, path))]


def _function(host: Host, path: Path) -> dict[str, Any] | None:
    here = host.shown(path)
    vendor, kind = host.words(f"{here}/vendor"), host.words(f"{here}/class") or ""
    if vendor != NVIDIA or not kind.startswith(KINDS):
        return None
    device = (host.words(f"{here}/device") or "0x")[2:]
    subsystem = "".join((host.words(f"{here}/subsystem_{part}") or "0x")[2:] + ":" for part in ("vendor", "device"))
    row = {
        "bdf": path.name,
        "id": f"10de:{device}",
        "class": kind,
        "subsystem": subsystem.strip(":") or None,
        "power_state": host.words(f"{here}/power_state"),
        "runtime_status": host.words(f"{here}/power/runtime_status"),
        "bar1": _bar(host.words(f"{here}/resource")),
        "link": _link(host, here),
    }
    known = {key: item for key, item in row.items() if item is not None}
    return known | {"driver": host.link(f"{here}/driver")}


def _link(host: Host, here: str) -> dict[str, str] | None:
    """Read speed and width of the link; an idle one is slow to save power."""
    names = ("current_link_speed", "current_link_width", "max_link_speed", "max_link_width")
    found = {name.replace("_link", ""): text for name in names if (text := host.words(f"{here}/{name}"))}
    return found or None


def _bar(resource: str | None) -> int | None:
    """Give the size of BAR1 in bytes. A line is ``0x0000004000000000 0x00000047ffffffff 0x000000000014220c``."""
    lines = (resource or "").splitlines()
    if len(lines) <= BAR1 or len(lines[BAR1].split()) < 2:
        return None
    first, last = (int(word, 16) for word in lines[BAR1].split()[:2])
    return last - first + 1 if last else 0


def dev_nodes(host: Host) -> list[dict[str, Any]]:
    """Stat and open every node of NVIDIA's drivers, as programs do; ``open`` is ``ok`` or the errno's name."""
    require(host, "/dev")
    asleep = _asleep(host)
    return [_node(host, path, asleep) for path in _nodes(host)]


def _nodes(host: Host) -> Iterator[Path]:
    for pattern in NODES:
        yield from (path for path in host.glob(f"/dev/{pattern}") if not path.is_dir())


def _asleep(host: Host) -> bool:
    """Tell whether a card sleeps: opening its node would wake it."""
    states = [host.words(host.shown(path)) for path in host.glob("/sys/bus/pci/drivers/nvidia/*/power/runtime_status")]
    return "suspended" in states


def _node(host: Host, path: Path, asleep: bool) -> dict[str, Any]:
    row: dict[str, Any] = {"path": host.shown(path)}
    try:
        status = path.stat()
        row |= {"mode": f"{stat.S_IMODE(status.st_mode):04o}", "owner": _owner(host, status.st_uid, status.st_gid)}
    except OSError as error:
        return row | {"open": _errno(error)}
    return row | ({"asleep": True} if asleep and WAKES.search(str(path)) else {"open": _open(path)})


def _open(path: Path) -> str:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC))
    except OSError as error:
        return _errno(error)
    return "ok"


def _errno(error: OSError) -> str:
    return errno.errorcode.get(error.errno or 0, str(error.errno))


def _owner(host: Host, uid: int, gid: int) -> str:
    return f"{_name(host, '/etc/passwd', uid)}:{_name(host, '/etc/group', gid)}"


def _name(host: Host, path: str, number: int) -> str:
    rows = (line.split(":") for line in (host.words(path) or "").splitlines())
    return next((row[0] for row in rows if len(row) > 2 and row[2] == str(number)), str(number))


def user(host: Host) -> dict[str, Any]:
    """Say as whom this process looks: its uid and the names of its groups."""
    groups = sorted({_name(host, "/etc/group", gid) for gid in os.getgroups()})
    return {"uid": os.getuid(), "groups": groups}
