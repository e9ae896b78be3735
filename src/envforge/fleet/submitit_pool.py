"""Nodes of Slurm, by submitit: one job pinned to each node, results in a folder that the nodes share.

Neither this host nor the scheduler holds a connection to a node, so that a thousand of them cost no more than their
jobs. Slurm's word that a job ended is not taken for an answer (`srun` was seen to return 0 though a node had died): a
result file is.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from threading import Event, RLock, Thread
from typing import Any
from uuid import uuid4

from envforge.errors import CouldNotTell, EngineFailed, UsageError
from envforge.fleet.pool import Asked, NodeLost
from envforge.run import run

EXTRA = ("it comes with `pip install envforge[fleet]`",)
LOOK_S = 1.0
SETTLE_S = 10.0  # how long a result may take to be seen here after its job is gone: attribute caches of NFS
ASK_S = 30.0
USABLE = frozenset({"idle", "mix", "mixed", "alloc", "allocated", "comp", "completing", "resv", "reserved", "plnd"})


class SlurmPool:
    """A `NodePool` on Slurm. ``folder`` lies where all nodes see it; ``directives`` are `sbatch`'s long options.

    A job has its node to itself, so that it sees every GPU. Slurm itself never puts it back in the queue: a retry is
    counted here. Raises UsageError without submitit or Slurm, and for what is no directive.
    """

    def __init__(self, folder: Path, directives: Sequence[str] = (), *, limit_s: float = 3600.0) -> None:
        submitit = _submitit()
        self._folder, self._options = folder, _options(directives)
        try:
            self._executor = submitit.SlurmExecutor(folder)
        except RuntimeError as error:
            raise UsageError("this host has no `srun`: it submits no jobs to Slurm", ()) from error
        self._given = {"exclusive": True, "mem": "0", "no-requeue": True, **self._options}
        self._minutes = max(1, round(limit_s / 60 + 0.5))
        self._open: dict[str, _Job] = {}
        self._closed, self._sending = Event(), RLock()
        self._watcher = Thread(target=self._watch, name="slurm", daemon=True)

    def nodes(self) -> tuple[str, ...]:
        """Give the nodes that Slurm calls usable and that respond; busy ones count. Raises CouldNotTell."""
        return _nodes(self._options)

    def submit(self, node: str, fn: Callable[..., Any], /, *args: Any, retries: int = 0) -> Asked:
        """Ask one node; the job waits while the node is busy or away."""
        job = _Job(node, fn, args, retries)
        job.asked.add_done_callback(lambda each: self._take_back(job) if each.cancelled() else None)
        self._send(job)
        if not self._watcher.is_alive():
            self._watcher.start()
        return job.asked

    def close(self) -> None:
        """Cancel the jobs that are still there."""
        self._closed.set()
        if self._watcher.is_alive():
            self._watcher.join()
        if self._open:
            run(("scancel", *self._open), deadline_s=ASK_S)
        self._open.clear()

    def _send(self, job: _Job) -> None:
        """Submit a job; one that Slurm refuses has that for its answer."""
        with self._sending:
            self._submit(job)

    def _submit(self, job: _Job) -> None:
        given = {"job-name": f"envforge-{job.node}", **self._given, "nodelist": job.node}
        self._executor.update_parameters(time=self._minutes, stderr_to_stdout=True, additional_parameters=given)
        mark = self._folder / f"begun-{uuid4().hex}"
        try:
            job.submitted(self._executor.submit(_begin, mark, job.fn, *job.args), mark)
            self._open[job.number] = job
        except Exception as error:  # submitit raises what `sbatch` said in a class of its own
            job.asked.set_exception(EngineFailed(f"Slurm refused the job: {_last_line(error)}", (job.node,)))

    def _take_back(self, job: _Job) -> None:
        if self._open.pop(job.number, None):
            run(("scancel", job.number), deadline_s=ASK_S)

    def _watch(self) -> None:
        """Look after the jobs until they are done, or this pool is closed."""
        while not self._closed.wait(LOOK_S):
            queued = self._queued()
            for number, job in tuple(self._open.items()):
                job.note_begun()
                if job.is_answered():
                    self._open.pop(number, None)
                    self._answered(job)
                elif queued is not None and job.is_gone(number in queued):
                    self._open.pop(number, None)
                    self._again(job, NodeLost("its job ended without a result", job.sent))

    def _queued(self) -> frozenset[str] | None:
        """Give the jobs that Slurm still has; None when it does not say."""
        try:
            return frozenset(_ask("squeue", "-h", "--me", "-o", "%i")) if self._open else frozenset()
        except CouldNotTell:
            return None

    def _answered(self, job: _Job) -> None:
        outcome = job.read()
        if isinstance(outcome, _Raised):
            self._again(job, outcome.error)
        elif not job.asked.done():
            job.asked.set_result(outcome)

    def _again(self, job: _Job, error: BaseException) -> None:
        """Ask the same node once more where there is a retry left."""
        if job.asked.done():
            return
        if job.sent <= job.retries:
            self._send(job)
        else:
            job.asked.set_exception(error)


def slurm_nodes(directives: Sequence[str] = ()) -> tuple[str, ...]:
    """Give the nodes that Slurm calls usable in the partition of these directives. Raises CouldNotTell, UsageError."""
    return _nodes(_options(directives))


def _nodes(options: Mapping[str, str | bool]) -> tuple[str, ...]:
    partition = options.get("partition")
    lines = _ask("sinfo", "-h", "-N", "-o", "%N %t", *(("-p", str(partition)) if partition else ()))
    states = (line.split() for line in lines)
    return tuple(sorted({name for name, state in states if state in USABLE}))


def _options(directives: Sequence[str]) -> dict[str, str | bool]:
    """Read ``--exclusive``, ``--partition=gpu`` and ``--partition gpu`` as submitit takes them."""
    found: dict[str, str | bool] = {}
    for each in directives:
        shape = re.fullmatch(r"--([a-z][a-z-]*)(?:[= ]\s*(\S.*))?", each.strip())
        if shape is None:
            raise UsageError(
                f"`{each}` is not a long option of `sbatch`", (), ("write it as in a script: `--partition=gpu`",)
            )
        found[shape[1]] = shape[2] or True
    return found


class _Raised:
    """What a task raised, brought home as a value."""

    def __init__(self, error: BaseException) -> None:
        self.error = error


class _Job:
    """One order to one node, sent as often as it may be."""

    def __init__(self, node: str, fn: Callable[..., Any], args: Sequence[Any], retries: int) -> None:
        self.node, self.fn, self.args, self.retries = node, fn, tuple(args), retries
        self.asked, self.sent, self.number = Asked(), 0, ""
        self._job: Any = None
        self._mark: Path | None = None
        self._gone_at: float | None = None

    def submitted(self, job: Any, mark: Path) -> None:
        """Take note of what was submitted."""
        self._job, self._mark, self.number = job, mark, str(job.job_id)
        self.sent, self._gone_at = self.sent + 1, None

    def note_begun(self) -> None:
        """Count a task that has begun on its node."""
        if self._mark and self._mark.exists():
            self._mark = None
            self.asked.begin()

    def is_answered(self) -> bool:
        """True when the result lies here."""
        return bool(self._job.paths.result_pickle.exists())

    def is_gone(self, queued: bool) -> bool:
        """True when Slurm has had no such job for long enough that its result would have been seen."""
        if queued:
            self._gone_at = None
            return False
        now = time.monotonic()
        self._gone_at = now if self._gone_at is None else self._gone_at
        return now - self._gone_at > SETTLE_S

    def read(self) -> Any:
        """Give what the task gave; what submitit itself failed at is raised there, and brought home."""
        try:
            return self._job.result()
        except Exception as error:
            return _Raised(EngineFailed(f"the task could not be run: {_last_line(error)}", (self.node,)))


def _begin(mark: Path, fn: Callable[..., Any], *args: Any) -> Any:
    """Be the task on the node: say that it begins, and do it."""
    mark.touch()
    try:
        return fn(*args)
    except Exception as error:
        return _Raised(error)


def _ask(*argv: str) -> list[str]:
    done = run(argv, deadline_s=ASK_S)
    if not done.ok:
        said = done.stderr.strip().splitlines()[-1:] or [f"exit {done.returncode}"]
        raise CouldNotTell(f"`{argv[0]}` does not answer: {said[0]}")
    return done.stdout.splitlines()


def _last_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[-1] if lines else type(error).__name__


def _submitit() -> Any:
    try:
        import submitit
    except ImportError as error:
        raise UsageError("jobs on Slurm need submitit, which is not installed", (), EXTRA) from error
    return submitit
