"""``python -m envforge.run.watchdog SECONDS PROGRAM ...``: a program that ends with its deadline, or with who asked.

A worker of a cluster may be killed, and cannot end what it started then; this stands between, and sees it go.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress

BEAT_S = 0.2
GRACE_S = 1.0
TIMED_OUT = 124


def guard(argv: list[str], deadline_s: float) -> int:
    """Run a program in its own session; kill its group at the deadline, when the parent dies, or on a request to end.

    Give its exit code, 128 + the signal that ended it, or 124 when it was not done in time.
    """
    parent, end, asked = os.getppid(), time.monotonic() + deadline_s, []
    for sign in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(sign, lambda number, frame: asked.append(number))
    child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, start_new_session=True)
    while child.poll() is None:
        if asked or os.getppid() != parent or time.monotonic() > end:
            _end(child)
            return TIMED_OUT
        with suppress(subprocess.TimeoutExpired):
            child.wait(BEAT_S)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _end(child: subprocess.Popen[bytes]) -> None:
    """Interrupt the whole group, and kill what is left of it after a moment."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, sign)
        with suppress(subprocess.TimeoutExpired):
            child.wait(GRACE_S)


if __name__ == "__main__":
    sys.exit(guard(sys.argv[2:], float(sys.argv[1])))
