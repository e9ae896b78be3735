"""The kernel's log, where an unprivileged process may read it: only what concerns GPUs, one record a line."""

from __future__ import annotations

import os
import re

from envforge.detect.host import Host

TELLING = re.compile(
    r"NVRM|nvidia|nouveau|\bXid\b|SXid|vfio-pci|BAR \d|PM: suspend (?:entry|exit)|avc:\s+denied|x86/split lock|iommu",
    re.IGNORECASE,
)
RECORD = re.compile(r"^\d+,\d+,\d+,[^;]*;(.*)$")
ESCAPED = re.compile(r"\\x([0-9a-f]{2})")
MOST_RECORDS = 50_000
KEPT = 200
RECORD_BYTES = 8192


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
