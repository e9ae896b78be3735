"""What the dynamic loader takes, asked in a child: dlopen, then ``/proc/self/maps``."""

from __future__ import annotations

import ctypes
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from envforge.detect.host import Host

SONAMES = ("libcuda.so.1", "libnvidia-ml.so.1", "libnvidia-ptxjitcompiler.so.1", "libcuda.so")
FOLDERS = (
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu/tegra",
    "/usr/lib/aarch64-linux-gnu/nvidia",
    "/usr/lib64",
    "/usr/lib64/nvidia",
    "/usr/lib",
    "/usr/lib/wsl/lib",
    "/usr/local/nvidia/lib64",
    "/usr/local/cuda/compat",
    "/run/opengl-driver/lib",
    "/.singularity.d/libs",
)
Send = Callable[[Any], None]


def ask_loader(send: Send) -> None:
    """Send for each soname whether it loads, and from which file."""
    for soname in SONAMES:
        send({"loading": soname})
        try:
            ctypes.CDLL(soname)
        except OSError as error:
            send({"soname": soname, "answer": f"OSError: {error}"})
        else:
            send({"soname": soname, "answer": "ok", "path": _mapped(soname)})


def _mapped(soname: str) -> str | None:
    """Give the file behind a loaded library. A line is ``7f.. r-xp 0000 08:01 12345  /usr/lib/libcuda.so.550``."""
    stem = re.escape(soname.partition(".so")[0])
    try:
        maps = Path("/proc/self/maps").read_text(errors="replace")
    except OSError:
        return None
    match = re.search(rf"\s(/\S*/{stem}\.so\S*)$", maps, re.MULTILINE)
    return match[1] if match else None


def join_libraries(pieces: tuple[Any, ...], host: Host) -> dict[str, Any]:
    """Say which file the loader took for each soname; null where none, with ``_file_present`` when one lies around."""
    taken = {piece["soname"]: piece for piece in pieces if "soname" in piece}
    found: dict[str, Any] = {name: piece.get("path") for name, piece in taken.items() if name.endswith(".so.1")}
    missing = [name for name, path in found.items() if path is None and taken[name]["answer"] != "ok"]
    lying = {name: path for name in missing if (path := _lying_around(name, host))}
    return found | ({"_file_present": lying} if lying else {})


def join_dlopen(pieces: tuple[Any, ...]) -> dict[str, str]:
    """Say what dlopen answered for each soname."""
    return {piece["soname"]: piece["answer"] for piece in pieces if "soname" in piece}


def _lying_around(soname: str, host: Host) -> str | None:
    return next((f"{folder}/{soname}" for folder in FOLDERS if host.has(f"{folder}/{soname}")), None)


def ld_so_conf_d(host: Host) -> dict[str, str]:
    """Read the loader's extra directories that concern CUDA or NVIDIA."""
    found: dict[str, str] = {}
    for path in host.glob("/etc/ld.so.conf.d/*.conf"):
        text = host.words(host.shown(path)) or ""
        if re.search(r"cuda|nvidia|wsl", f"{path.name} {text}"):
            found[path.name] = "; ".join(line for line in text.splitlines() if line and not line.startswith("#"))
    return found
