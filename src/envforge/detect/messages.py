"""The kernel's log, where an unprivileged process may read it: only what concerns GPUs, one record a line."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from typing import Any

from envforge.detect.host import Host
from envforge.errors import EngineFailed
from envforge.run import run

TELLING = re.compile(
    r"NVRM|nvidia|nouveau|\bXid\b|SXid|vfio-pci|BAR \d|PM: suspend (?:entry|exit)|avc:\s+denied|x86/split lock|iommu",
    re.IGNORECASE,
)
RECORD = re.compile(r"^\d+,\d+,\d+,[^;]*;(.*)$")
ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
MOST_RECORDS = 20_000
KEPT = 200
RECORD_BYTES = 8192
JOURNALS = ("/run/log/journal", "/var/log/journal")
Send = Callable[[Any], None]


def dmesg(host: Host) -> list[str] | None:
    """Read the last records that concern GPUs from ``/dev/kmsg``; None where there is no log.

    A record is ``6,1234,5678901,-;NVRM: ...`` with line breaks escaped, so that NVIDIA's long sentences stay whole.
    Raises OSError where the log is not for everybody (``dmesg_restrict``).
    """
    if not host.has("/dev/kmsg"):
        return None
    number = os.open(host.path("/dev/kmsg"), os.O_RDONLY | os.O_NONBLOCK)
    try:
        return [text for text in _records(number) if TELLING.search(text)][-KEPT:]
    finally:
        os.close(number)


def ask_journal(send: Send, host: Host) -> None:
    """Send the same of systemd's journal, where the log itself is closed and the journal may be read."""
    folder, program = next((each for each in JOURNALS if host.has(each)), None), host.program("journalctl")
    if folder is None or program is None or _open(host):
        return
    choice = ("--directory", str(host.path(folder)), "--boot", "--dmesg", "--lines", str(MOST_RECORDS))
    try:
        done = run(
            [program, "--quiet", "--no-pager", "--output", "json", "--output-fields", "MESSAGE", *choice],
            deadline_s=host.deadline_s * 0.8,
        )
    except EngineFailed:
        return
    told = [text for line in done.stdout.splitlines() if (text := _message(line)) and TELLING.search(text)]
    if done.ok and done.stdout:
        send(told[-KEPT:])


def _message(line: str) -> str | None:
    """Give the text of ``{"MESSAGE": "NVRM: ..."}``; what is no text was no message for people."""
    try:
        found = json.loads(line).get("MESSAGE")
    except ValueError:
        return None
    return found if isinstance(found, str) else None


def _open(host: Host) -> bool:
    try:
        return dmesg(host) is not None
    except OSError:
        return False


def _records(number: int) -> list[str]:
    found: list[str] = []
    for _ in range(MOST_RECORDS):
        try:
            raw = os.read(number, RECORD_BYTES)
        except BrokenPipeError:
            continue
        except BlockingIOError:
            break
        if not raw:
            break
        found += [match[1] for line in raw.decode("utf-8", "replace").split("\n") if (match := RECORD.match(line))]
    return [ESCAPED.sub(lambda match: chr(int(match[1], 16)), text) for text in found]
