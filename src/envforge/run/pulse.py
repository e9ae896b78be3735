"""Whether a process still gets anywhere, by what the kernel counts of it."""

from __future__ import annotations

import re
from pathlib import Path

from envforge.model import value

SWITCHES = re.compile(r"ctxt_switches:\s+(\d+)")
USER_TIME = 11  # counted from the state, in /proc/PID/stat: the state is field 3, user and system time are 14 and 15


@value
class Pulse:
    """What a process does: its state's letter (S, D, R), None where nobody tells, and whether it moves.

    ``moves`` is None where it was felt only once.
    """

    state: str | None = None
    counts: tuple[int, ...] = ()
    moves: bool | None = False


def feel(pid: int, before: Pulse | None = None) -> Pulse:
    """Feel a process's pulse: it moves when it used the processor, or was switched to, since ``before``.

    Where there is no ``/proc`` nothing moves.
    """
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
        switches = SWITCHES.findall(Path(f"/proc/{pid}/status").read_text())
    except OSError:
        return Pulse()
    counts = tuple(int(number) for number in (*fields[USER_TIME : USER_TIME + 2], *switches))
    return Pulse(state=fields[0], counts=counts, moves=None if before is None else counts != before.counts)
