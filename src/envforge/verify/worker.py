"""One worker: the environment's own Python running checks, in a session of its own, on a private pipe.

It stands beside `envforge.run` because its talk is followed while it runs, each check under its own limit.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

from envforge.verify.ending import in_line_s, oom_kills, state_of

STACK_S = 0.3
KILL_S = 5.0


class Worker:
    """Starts on construction; raises OSError when the interpreter cannot be started at all."""

    def __init__(self, python: Path, order: Mapping[str, Any], env: Mapping[str, str]) -> None:
        self.oom_before = oom_kills()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed by `close`
        scripts = str(resources.files("envforge.verify").joinpath("checks"))
        self.pipe, write_fd = os.pipe()
        self.buffer, self.left_behind = b"", False
        try:
            self.child = subprocess.Popen(
                [str(python), "-I", scripts, str(write_fd)],
                stdin=subprocess.PIPE,
                stdout=self.log,
                stderr=self.log,
                env=dict(env),
                cwd=tempfile.gettempdir(),
                pass_fds=(write_fd,),
                start_new_session=True,
            )
        except BaseException:
            os.close(self.pipe)
            self.log.close()
            raise
        finally:
            os.close(write_fd)
        self._hand_over(order)

    def _hand_over(self, order: Mapping[str, Any]) -> None:
        assert self.child.stdin is not None  # noqa: S101 - for the type checker
        with suppress(BrokenPipeError), self.child.stdin as stdin:
            stdin.write(json.dumps(order).encode())

    def next_event(self, until: float) -> dict[str, Any] | None:
        """Give the next event, None when the worker has closed its pipe; raise TimeoutError at ``until``."""
        while True:
            line, found, rest = self.buffer.partition(b"\n")
            if found:
                self.buffer = rest
                if (event := _event(line)) is not None:
                    return event
                continue
            if not select.select([self.pipe], [], [], max(0.0, until - time.monotonic()))[0]:
                raise TimeoutError
            chunk = os.read(self.pipe, 1 << 16)
            if not chunk:
                return None
            self.buffer += chunk

    def wait(self, seconds: float) -> int | None:
        """Give the return code; None when it does not end."""
        with suppress(subprocess.TimeoutExpired):
            return self.child.wait(timeout=seconds)
        return None

    def stop(self) -> str | None:
        """Ask for a Python stack, kill the whole group; give the state letter of a worker that survives that."""
        if self.child.poll() is None:
            with suppress(OSError):
                self.child.send_signal(signal.SIGUSR1)
                time.sleep(STACK_S)
        self.kill()
        if self.wait(KILL_S) is not None:
            return None
        self._leave_behind()
        return state_of(self.child.pid)

    def _leave_behind(self) -> None:
        """Let a thread wait for what the kernel holds, so that it is reaped when it goes, and nobody is held up."""
        self.left_behind = True
        threading.Thread(target=self.child.wait, daemon=True).start()

    def kill(self) -> None:
        """Kill the worker with everything that it has started."""
        with suppress(OSError):
            os.killpg(self.child.pid, signal.SIGKILL)

    def oom_kills(self) -> int:
        """Count the kernel's out-of-memory kills since this worker started."""
        return max(0, oom_kills() - self.oom_before)

    def in_line_s(self) -> float:
        """Give the seconds that the worker's main thread has stood in line for a processor."""
        return in_line_s(self.child.pid)

    def said(self, most: int = 2000) -> str:
        """Give the end of what the worker and its libraries printed."""
        with suppress(OSError, ValueError):
            size = self.log.seek(0, os.SEEK_END)
            self.log.seek(max(0, size - most))
            return self.log.read().decode("utf-8", "replace").strip()
        return ""

    def close(self) -> None:
        """End what still runs and let go of the pipe and the log; never waits long."""
        self.kill()
        if not self.left_behind and self.wait(KILL_S) is None:
            self._leave_behind()
        os.close(self.pipe)
        self.log.close()


def _event(line: bytes) -> dict[str, Any] | None:
    """Read one line; None for what is not an event of ours."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "event" in event else None
