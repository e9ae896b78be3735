"""A child that stays: it prepares once, then does one job after another."""

from __future__ import annotations

import os
import pickle
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from typing import IO, Any

from envforge.run.child import Child, bare

Send = Callable[[Any], None]
Work = tuple[Callable[..., Any], tuple[Any, ...]]


class Worker:
    """A forked child that runs ``prepare()`` at once, beside this process, and then the jobs it is given.

    A job is a function of a module and its arguments; it gets, as its last argument, what sends an event. The
    worker dies with this process, and is killed by the first job that fails: nothing of it goes on.
    """

    def __init__(self, prepare: Callable[[], object]) -> None:
        jobs_fd, self._jobs_fd = os.pipe()
        ours = self._jobs_fd
        self._child = Child(lambda send: _serve(prepare, jobs_fd, ours, send))
        self._begun: Work | None = None
        os.close(jobs_fd)

    def begin(self, job: Callable[..., Any], *args: Any) -> None:
        """Have a job done now whose answer `do`, called with the same, is going to want; one at a time."""
        if self._begun is None:
            self._begun = (job, args)
            self._give(self._begun)

    def can_do(self, job: Callable[..., Any], *args: Any) -> bool:
        """Say whether nothing else was begun: the answer to that would come first."""
        return self._begun in (None, (job, args))

    def do(
        self, job: Callable[..., Any], *args: Any, deadline_s: float | None = None, emit: Send = lambda event: None
    ) -> Any:
        """Do one job; raises as `in_child` does, and ends the worker then."""
        end = None if deadline_s is None else time.monotonic() + deadline_s
        begun, self._begun = self._begun, None
        try:
            if not begun:
                self._give((job, args))
            return self._answer(end, emit)
        except BaseException:
            self.end()
            raise

    def _give(self, work: Work) -> None:
        blob = pickle.dumps(work)
        with suppress(BrokenPipeError):
            left = memoryview(struct.pack("<Q", len(blob)) + blob)
            while left:
                left = left[os.write(self._jobs_fd, left) :]

    def _answer(self, end: float | None, emit: Send) -> Any:
        while True:
            kind, payload = self._child.hear(end)
            if kind == "event" and payload[0] == "event":
                emit(payload[1])
            elif kind == "event" and payload[0] == "result":
                return payload[1]
            else:
                raise payload if kind == "error" else payload[1]

    def end(self) -> None:
        """Kill the worker; a second call does nothing."""
        if self._jobs_fd >= 0:
            os.close(self._jobs_fd)
            self._jobs_fd = -1
            self._child.end()


def _serve(prepare: Callable[[], object], jobs_fd: int, parents_fd: int, send: Send) -> None:
    """Be the worker until there are no more jobs."""
    os.close(parents_fd)
    prepare()
    with os.fdopen(jobs_fd, "rb") as jobs:
        while job := _next(jobs):
            work, args = job
            try:
                send(("result", work(*args, lambda event: send(("event", event)))))
            except BaseException as error:
                send(("error", bare(error)))


def _next(jobs: IO[bytes]) -> Work | None:
    head = jobs.read(8)
    if len(head) < 8:
        return None
    work: Work = pickle.loads(jobs.read(struct.unpack("<Q", head)[0]))  # noqa: S301 - from our own parent
    return work
