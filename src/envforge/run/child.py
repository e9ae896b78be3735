"""Forked children: for libraries that must not live in this process."""

from __future__ import annotations

import ctypes
import faulthandler
import os
import pickle
import select
import signal
import struct
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any, TypeVar

from envforge.errors import EngineFailed
from envforge.model import value
from envforge.run.pulse import Pulse, feel

_T = TypeVar("_T")
GRACE_S = 2.0
STEP_S = 0.25
SHORT_S, LONG_S = 0.0005, 0.01
PR_SET_PDEATHSIG = 1


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
    """What a child said before it ended: what it sent, its result, why there is none, and its last pulse then."""

    sent: tuple[Any, ...]
    result: Any
    error: BaseException | None
    took_s: float
    pulse: Pulse | None = None


class Child:
    """A forked child at work on ``work(send)``. Start several, then ask each: they run side by side."""

    def __init__(self, work: Callable[[Callable[[Any], None]], Any]) -> None:
        self._began = time.monotonic()
        read_fd, write_fd = os.pipe()
        parent = os.getpid()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(read_fd)
            _serve(work, write_fd, parent)
        os.close(write_fd)
        self._pipe = os.fdopen(read_fd, "rb", buffering=0)

    def result(self, deadline_s: float | None, emit: Callable[[Any], None], *, grace_s: float = GRACE_S) -> Any:
        """Wait for the result until ``deadline_s`` after the start; raises as `in_child` does. Ends the child."""
        end = None if deadline_s is None else self._began + deadline_s
        try:
            while True:
                kind, payload = self.hear(end)
                if kind == "result":
                    return payload
                if kind != "event":
                    raise payload
                emit(payload)
        finally:
            self.end(grace_s)

    def hear(self, end: float | None) -> tuple[str, Any]:
        """Give the next thing that the child says, until ``end`` (monotonic): event, result or error, and what.

        Raises EngineFailed when it died or the time is over; the child is not ended then.
        """
        if self._pipe.closed:
            raise EngineFailed("the worker was ended")
        try:
            return _receive(self._pipe, end)
        except EOFError:
            raise EngineFailed(f"the worker died ({_how_it_ended(self._pid)})") from None

    def told(self, deadline_s: float, *, patience_s: float = 0.0, grace_s: float = 0.2) -> Told:
        """Wait likewise, and give all that was said; a hang or a death is an answer, not an exception.

        A child that still gets somewhere at its deadline is slow, not hung: it has until ``patience_s`` after its
        start, as long as it moves.
        """
        sent: list[Any] = []
        result, failed, pulse = None, None, None
        end, last = self._began + deadline_s, self._began + max(deadline_s, patience_s)
        try:
            while True:
                if not self._speaks(end):
                    pulse = feel(self._pid, pulse)
                    if patience_s <= deadline_s or pulse.moves is False or (pulse.moves and end >= last):
                        raise EngineFailed("the worker passed its deadline") from TimeoutError()
                    end = time.monotonic() + STEP_S
                    continue
                kind, payload = self.hear(last)
                if kind == "result":
                    result, pulse = payload, None
                    break
                if kind != "event":
                    raise payload
                sent.append(payload)
        except Exception as error:
            failed = error
        finally:
            self.end(grace_s)
        took_s = time.monotonic() - self._began
        return Told(sent=tuple(sent), result=result, error=failed, took_s=took_s, pulse=pulse)

    def _speaks(self, end: float) -> bool:
        """Wait for a word until ``end`` (monotonic); the pipe's end counts as one."""
        return self._pipe.closed or bool(select.select([self._pipe], [], [], max(0.0, end - time.monotonic()))[0])

    def end(self, grace_s: float = 0.2) -> None:
        """Kill the child, if it is still there."""
        self._pipe.close()
        _reap(self._pid, grace_s)


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
                _send(pipe, "error", bare(error))
    finally:
        os._exit(0)


def _die_with(parent: int) -> None:
    """Have the kernel kill this child when its parent is killed: an orphan would go on writing and holding locks."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(0)


def bare(error: BaseException) -> BaseException:
    """Take off what an error came from: pickle leaves that here, but not once tblib, which Dask brings, is loaded."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


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
    end, pause_s = time.monotonic() + grace_s, SHORT_S
    with suppress(ChildProcessError):
        while not os.waitpid(pid, os.WNOHANG)[0] and time.monotonic() < end:
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONG_S)
