"""Programs: argv in, `Completed` out, a deadline always."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from envforge.errors import EngineFailed
from envforge.model import value

GRACE_S = 2.0


@value
class Completed:
    """How a program ended. ``returncode`` is negative for a signal, None when it had to be left behind."""

    argv: tuple[str, ...]
    returncode: int | None
    stdout: str
    stderr: str
    took_s: float
    timed_out: bool = False

    @property
    def ok(self) -> bool:
        return self.returncode == 0 and not self.timed_out


def run(
    argv: Sequence[str],
    *,
    deadline_s: float,
    env: Mapping[str, str] | None = None,
    cwd: str | None = None,
    stdin: str = "",
    tell: Callable[[str], None] | None = None,
) -> Completed:
    """Run a program in its own session until it ends or the deadline passes; then kill its whole group.

    ``tell`` gets each line of its stderr as it comes, from a thread. Never raises for a failing program; raises
    EngineFailed when it cannot be started.
    """
    began = time.monotonic()
    try:
        child = subprocess.Popen(
            [str(part) for part in argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            env=None if env is None else dict(env),
            cwd=cwd,
            start_new_session=True,
        )
    except OSError as error:
        raise EngineFailed(f"`{argv[0]}` cannot be started: {error.strerror}", (str(argv[0]),)) from error
    timed_out = False
    listener = _Listener(child, tell) if tell else None
    try:
        out, err = child.communicate(stdin, timeout=deadline_s)
    except subprocess.TimeoutExpired:
        timed_out = True
        out, err = _end(child)
    except BaseException:
        _end(child)
        raise
    return Completed(
        argv=tuple(str(part) for part in argv),
        returncode=child.returncode,
        stdout=out,
        stderr=listener.heard() if listener else err,
        took_s=time.monotonic() - began,
        timed_out=timed_out,
    )


class _Listener:
    """Reads a child's stderr line by line, in place of ``communicate``."""

    def __init__(self, child: subprocess.Popen[str], tell: Callable[[str], None]) -> None:
        self._stream, child.stderr = child.stderr, None
        self._lines: list[str] = []
        self._tell = tell
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        with suppress(ValueError):
            for line in self._stream or ():
                self._lines.append(line)
                self._tell(line.rstrip("\n"))

    def heard(self) -> str:
        """Give all that was heard once the child has ended; a grandchild that holds the pipe is not waited for."""
        self._thread.join(GRACE_S)
        if self._stream and not self._thread.is_alive():
            self._stream.close()
        return "".join(self._lines)


def _end(child: subprocess.Popen[str]) -> tuple[str, str]:
    """Interrupt the child's group, then kill it; give what it had printed."""
    for sign in (signal.SIGINT, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, sign)
        try:
            return child.communicate(timeout=GRACE_S)
        except subprocess.TimeoutExpired:
            continue
    return "", ""
