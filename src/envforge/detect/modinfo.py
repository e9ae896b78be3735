"""What a kernel module on disk says of itself: its version, licence and signer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from envforge.detect.host import Host
from envforge.detect.kernel import module_files
from envforge.errors import EngineFailed
from envforge.run import run

FIELD = re.compile(rb"\0(version|license|signer)=([^\0]{1,200})")
LINE = re.compile(r"^(version|license|signer):\s+(\S.*)$", re.MULTILINE)
MOST_BYTES = 256 << 20
Send = Callable[[Any], None]


def ask_modinfo(send: Send, host: Host) -> None:
    """Send what kmod's own program says of the module that modprobe would take; it reads compressed ones too.

    One that is compressed with xz takes seconds to unpack: it is left alone while a driver is loaded.
    """
    file = next(iter(module_files(host)), None)
    if file is None or (file.suffix == ".xz" and host.has("/sys/module/nvidia/version")):
        return
    send(_by_program(file, host) or read_module(file))


def _by_program(file: Path, host: Host) -> dict[str, str]:
    program = host.program("modinfo")
    if program is None:
        return {}
    try:
        done = run([program, str(file)], deadline_s=host.deadline_s * 0.8)
    except EngineFailed:
        return {}
    return dict(LINE.findall(done.stdout)) if done.ok else {}


def read_module(file: Path) -> dict[str, str]:
    """Read the fields out of a module file; nothing of one that cannot be read or unpacked here."""
    try:
        raw = _unpacked(file)
    except (OSError, EOFError):
        return {}
    return {key.decode(): text.decode("utf-8", "replace") for key, text in dict(FIELD.findall(b"\0" + raw)).items()}


def _unpacked(file: Path) -> bytes:
    if file.stat().st_size > MOST_BYTES:
        return b""
    if file.suffix == ".xz":
        return _of_xz(file)
    if file.suffix == ".gz":
        import gzip

        with gzip.open(file) as unzipped:
            return unzipped.read(MOST_BYTES)
    return file.read_bytes() if file.suffix == ".ko" else b""


def _of_xz(file: Path) -> bytes:
    import lzma

    try:
        with lzma.open(file) as packed:
            return packed.read(MOST_BYTES)
    except lzma.LZMAError as error:
        raise OSError(str(error)) from error


def join_module(found: Any, sent: tuple[Any, ...]) -> Any:
    """Put what the module says of itself into what was read of the modules."""
    there = found.get("on_disk") if isinstance(found, dict) else None
    if not sent or not isinstance(there, dict):
        return found
    return {**found, "on_disk": {**sent[0], **there}}
