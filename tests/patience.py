"""Time in tests: what must come is waited for, and a machine that is slow or busy now is given its due."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

STARTS = 20  # what a busy machine adds to a budget, in starts of a bare Python: it slows both


def bare_start_s() -> float:
    """Give the seconds that a bare Python takes now to start and end."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.monotonic() - began


def within(seconds: float) -> float:
    """Give the seconds that something may take on this machine, as busy as it is now."""
    return seconds + STARTS * max(bare_start_s() for _ in range(4))


def fits(took_s: float, seconds: float) -> bool:
    """Say whether something took no longer than this, or than a busy machine's due."""
    return took_s < seconds or took_s < within(seconds)


@contextmanager
def in_time(seconds: float) -> Iterator[None]:
    """Hold that what stands inside takes no longer than this, or than a busy machine's due."""
    began = time.monotonic()
    yield
    assert fits(time.monotonic() - began, seconds)


def comes(claim: Callable[[], object], within_s: float = 60.0) -> bool:
    """Wait until a claim holds; False when it does not in this time, which is long enough for any machine."""
    until = time.monotonic() + within_s
    while not claim():
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def works(pid: int) -> bool:
    """Say whether a process still works; one that nobody has reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def written(path: Path) -> bool:
    """Say whether a file is there with something in it."""
    return path.exists() and path.stat().st_size > 0
