"""One rattler worker for a whole command: it imports rattler while this process does other things."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from envforge.run import Worker, in_child

_STANDING: list[Worker] = []


def warm_up() -> None:
    """Start the worker now, for a command that is going to ask, solve or install. Without it each job gets its own."""
    if not _STANDING:
        _STANDING.append(Worker(_prepare))


def _prepare() -> None:
    from envforge.engines import asking  # noqa: F401 - imported for the jobs to come
    from envforge.engines._rattler_worker import load

    load()


def begin(job: Callable[..., Any], *args: Any) -> None:
    """Have the standing worker, if there is one, do now what `do` is going to be called with."""
    if _STANDING:
        _STANDING[0].begin(job, *args)


def do(
    job: Callable[..., Any], *args: Any, deadline_s: float | None = None, emit: Callable[[Any], None] = lambda _: None
) -> Any:
    """Do one job in the standing worker, else in a child of its own; raises as `in_child` does.

    ``job`` is a module's function; its last argument sends events. A worker whose job failed stands no more.
    """
    if _STANDING and not _STANDING[0].can_do(job, *args):
        dismiss()
    if not _STANDING:
        return in_child(lambda send: job(*args, send), deadline_s=deadline_s, emit=emit)
    try:
        return _STANDING[0].do(job, *args, deadline_s=deadline_s, emit=emit)
    except BaseException:
        dismiss()
        raise


def dismiss() -> None:
    """End the standing worker, and what it still does."""
    while _STANDING:
        _STANDING.pop().end()
