"""Programs that are asked in children with a deadline: nvidia-smi, ldconfig, compilers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from envforge.detect.host import Host
from envforge.detect.system import which
from envforge.errors import EngineFailed
from envforge.run import Completed, run

CUDA_LIBRARIES = re.compile(r"^\s*(lib(?:cuda|nvidia|cudnn|cublas|nccl|nvJitLink|nvrtc|cupti)\S*) .*=> (\S+)$")
LDCONFIG = ("/sbin/ldconfig", "/usr/sbin/ldconfig")
NVCC_RELEASE = re.compile(r"release [\d.]+, V([\d.]+)")
Send = Callable[[Any], None]


def ask_smi(send: Send, host: Host) -> None:
    """Send how nvidia-smi ends, and what it says when that is not well; nothing where there is none."""
    program = which(host).get("nvidia-smi")
    done = _run([program, "-L"], host) if program else None
    if done is None:
        return
    if done.timed_out:
        send({"exit": None, "timed_out": True})
        return
    text = f"{done.stdout}{done.stderr}".strip()
    send({"exit": done.returncode} | ({} if done.ok else {"text": text[:2000]}))


def ask_ldconfig(send: Send, host: Host) -> None:
    """Send what the loader's cache knows of CUDA's libraries, as ``soname => path``."""
    program = next((path for path in LDCONFIG if host.has(path)), None)
    done = _run([program, "-p"], host) if program else None
    if done is not None and done.ok:
        rows = (CUDA_LIBRARIES.match(line) for line in done.stdout.splitlines())
        send([f"{row[1]} => {row[2]}" for row in rows if row])


def ask_toolchain(send: Send, host: Host) -> None:
    """Send which compilers are at hand: nvcc with path and version, gcc, clang, CUDA_HOME."""
    send(dict(_toolchain(host)))


def _toolchain(host: Host) -> Iterator[tuple[str, Any]]:
    there = which(host)
    home = host.environ.get("CUDA_HOME") or host.environ.get("CUDA_PATH")
    places = (there.get("nvcc"), home and f"{home}/bin/nvcc", "/usr/local/cuda/bin/nvcc")
    nvcc = next((path for path in places if path and host.has(path)), None)
    told = _run([nvcc, "--version"], host) if nvcc else None
    version = NVCC_RELEASE.search(told.stdout) if told else None
    yield "nvcc", {"path": nvcc, "version": version and version[1]} if nvcc else None
    gcc = _run([there["gcc"], "-dumpfullversion", "-dumpversion"], host) if there.get("gcc") else None
    yield "gcc", gcc.stdout.strip() if gcc and gcc.ok else None
    yield "clang", there.get("clang")
    yield "CUDA_HOME", home or None


def _run(command: list[Any], host: Host) -> Completed | None:
    try:
        return run(command, deadline_s=host.deadline_s * 0.8)
    except EngineFailed:
        return None
