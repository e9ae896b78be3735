"""The one way to start a program or a child: argv in, `Completed` out, a deadline always.

A child that hangs in the kernel (state D) is left behind, never waited for without end.
"""

from __future__ import annotations

import ctypes
import faulthandler
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import IO, Any, TypeVar

from envforge.errors import EngineFailed
from envforge.model import value

_T = TypeVar("_T")
GRACE_S = 2.0
PR_SET_PDEATHSIG = 1


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


def in_child(
    work: Callable[[Callable[[Any], None]], _T],
    *,
    deadline_s: float | None = None,
    emit: Callable[[Any], None] = lambda event: None,
) -> _T:
    """Run ``work(send)`` in a forked child and give its result; what it sends arrives at ``emit``.

    For libraries that must not live in this process: py-rattler (its threads crash an interpreter's exit, and
    its work goes on after a cancel), NVML and libcuda (they hang, abort, and poison later forks). The child is
    killed when this returns or raises. Raises what ``work`` raised, and EngineFailed when the child died or
    passed the deadline (``TimeoutError`` is its cause then).
    """
    return Child(work).result(deadline_s, emit)  # type: ignore[no-any-return]


@value
class Told:
    """What a child said before it ended: what it sent, its result, and why there is none."""

    sent: tuple[Any, ...]
    result: Any
    error: BaseException | None
    took_s: float


class Child:
    """A forked child at work on ``work(send)``. Start several, then ask each: they run side by side."""

    def __init__(self, work: Callable[[Callable[[Any], None]], Any]) -> None:
        self._began = time.monotonic()
        self._read_fd, write_fd = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._read_fd)
            _serve(work, write_fd, parent)
        os.close(write_fd)

    def result(self, deadline_s: float | None, emit: Callable[[Any], None], *, grace_s: float = GRACE_S) -> Any:
        """Wait for the result until ``deadline_s`` after the start; raises as `in_child` does. Ends the child."""
        end = None if deadline_s is None else self._began + deadline_s
        try:
            with os.fdopen(self._read_fd, "rb", buffering=0) as pipe:
                return _listen(pipe, end, emit)
        except EOFError:
            raise EngineFailed(f"the worker died ({_how_it_ended(self._pid)})") from None
        finally:
            _reap(self._pid, grace_s)

    def told(self, deadline_s: float, *, grace_s: float = 0.2) -> Told:
        """Wait likewise, and give all that was said; a hang or a death is an answer, not an exception."""
        sent: list[Any] = []
        result, failed = None, None
        try:
            result = self.result(deadline_s, sent.append, grace_s=grace_s)
        except Exception as error:
            failed = error
        return Told(sent=tuple(sent), result=result, error=failed, took_s=time.monotonic() - self._began)

    def end(self) -> None:
        """Kill the child, if nobody has asked it yet and nobody will."""
        _reap(self._pid, grace_s=0.2)


def _listen(pipe: Any, end: float | None, emit: Callable[[Any], None]) -> Any:
    while True:
        kind, payload = _receive(pipe, end)
        if kind == "result":
            return payload
        if kind != "event":
            raise payload
        emit(payload)


def _serve(work: Callable[[Callable[[Any], None]], Any], write_fd: int, parent: int) -> None:
    """Be the child: run, send the answer, leave without the interpreter's exit."""
    try:
        os.setsid()
        _die_with(parent)
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        faulthandler.disable()
        with os.fdopen(write_fd, "wb") as pipe:
            try:
                _send(pipe, "result", work(lambda event: _send(pipe, "event", event)))
            except BaseException as error:
                _send(pipe, "error", error)
    finally:
        os._exit(0)


def _die_with(parent: int) -> None:
    """Have the kernel kill this child when its parent is killed: an orphan would go on writing and holding locks."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def _send(pipe: IO[bytes], kind: str, payload: Any) -> None:
    try:
        blob = pickle.dumps((kind, payload))
    except Exception:
        blob = pickle.dumps(("error", EngineFailed(f"{type(payload).__name__}: {payload}")))
    pipe.write(struct.pack("<Q", len(blob)) + blob)
    pipe.flush()


def _receive(pipe: Any, end: float | None) -> tuple[str, Any]:
    (size,) = struct.unpack("<Q", _exactly(pipe, 8, end))
    kind, payload = pickle.loads(_exactly(pipe, size, end))  # noqa: S301 - from our own child
    return kind, payload


def _exactly(pipe: Any, size: int, end: float | None) -> bytes:
    got = bytearray()
    while len(got) < size:
        left = None if end is None else max(0.0, end - time.monotonic())
        if not select.select([pipe], [], [], left)[0]:
            raise EngineFailed("the worker passed its deadline") from TimeoutError()
        chunk = pipe.read(min(size - len(got), 1 << 20))
        if not chunk:
            raise EOFError
        got += chunk
    return bytes(got)


def _how_it_ended(pid: int) -> str:
    with suppress(ChildProcessError):
        for _ in range(50):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                code = os.waitstatus_to_exitcode(status)
                return signal.Signals(-code).name if code < 0 else f"exit {code}"
            time.sleep(0.01)
    return "still there"


def _reap(pid: int, grace_s: float) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with suppress(ChildProcessError):
        for _ in range(int(grace_s / 0.01)):
            if os.waitpid(pid, os.WNOHANG)[0]:
                return
            time.sleep(0.01)
