"""How a worker ended, in words and codes. A crash is a result, and an honest one: killed from outside is no verdict."""

from __future__ import annotations

import signal
from contextlib import suppress
from pathlib import Path

from envforge.model import Outcome, value
from envforge.verify.registry import codes


@value
class Ending:
    """Code, outcome and one sentence."""

    code: str
    outcome: Outcome
    text: str


FROM_OUTSIDE = {"SIGKILL", "SIGTERM", "SIGINT", "SIGHUP", "SIGXCPU"}


def decode(returncode: int | None, oom_kills: int = 0) -> Ending:
    """Say what a return code means; ``oom_kills`` is how many the kernel counted meanwhile. Takes 128+n too."""
    if returncode is None:
        return Ending(code="E_UNKILLABLE", outcome="fail", text="the worker survives SIGKILL")
    number = -returncode if returncode < 0 else returncode - 128 if 128 < returncode < 160 else 0
    if not number:
        return Ending(code="E_EXIT", outcome="fail", text=f"the worker left with exit code {returncode}")
    try:
        name = signal.Signals(number).name
    except ValueError:
        name = f"signal {number}"
    if name == "SIGKILL" and oom_kills:
        return Ending(code="E_OOM_KILLED", outcome="inconclusive", text="SIGKILL: the kernel's memory ran out")
    code = f"E_{name}" if f"E_{name}" in codes() else "E_SIGNAL"
    outcome: Outcome = "inconclusive" if name in FROM_OUTSIDE else "fail"
    return Ending(code=code, outcome=outcome, text=f"{name}: {codes()[code].says}")


def oom_kills() -> int:
    """Count what the kernel has killed for want of memory since it started; 0 where it does not say."""
    with suppress(OSError, ValueError):
        for line in Path("/proc/vmstat").read_text().splitlines():
            # oom_kill 3
            if line.startswith("oom_kill "):
                return int(line.split()[1])
    return 0


def state_of(pid: int) -> str:
    """Give the state letter of a process (``D``: in the kernel, cannot be killed), ``?`` when it is gone."""
    with suppress(OSError, IndexError):
        # 4242 (python3) D 1 4242 ...
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    return "?"


def in_line_s(pid: int) -> float:
    """Give the seconds in which a process could have run and had no processor; 0 where the kernel does not count."""
    with suppress(OSError, ValueError, IndexError):
        # 406227636 2586158505 2907: nanoseconds on a processor, nanoseconds in line for one, turns
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    return 0.0
