"""Dask's workers as jobs of a queue (Slurm, PBS, LSF), by dask-jobqueue: one job pinned to each node.

The scheduler is this process: every worker holds a connection to it, and ends by itself when that is gone. Seen on a
real Slurm; of PBS and LSF only the job scripts were seen.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from envforge.errors import UsageError
from envforge.fleet.dask_pool import CONNECT_S, EXTRA, RESOURCE, DaskPool

QUEUES = ("slurm", "pbs", "lsf")
_CLASSES = {"slurm": "SLURMJob", "pbs": "PBSJob", "lsf": "LSFJob"}
_PINS: Mapping[str, Sequence[str]] = {
    "slurm": ("--nodelist={node}", "--exclusive", "--mem=0", "--no-requeue"),
    "pbs": ("-l place=excl",),
    "lsf": ("-m {node}", "-x"),
}
_INSTEAD = {"slurm": ("--mem=",), "pbs": (), "lsf": ("-M ",)}


def jobqueue(
    queue: str,
    names: Sequence[str],
    folder: Path,
    options: Sequence[str] = (),
    *,
    interface: str | None = None,
    arrival_s: float = 60.0,
    retries: int = 1,
) -> DaskPool:
    """Submit a job for each node; its worker comes when the queue lets it, and one that dies is submitted again.

    ``options`` are further directives of the queue's, as written in a job script; logs go to ``folder``, which nodes
    share with this host, whose network ``interface`` they can reach. A worker that does not find this process within
    ``arrival_s`` ends. Raises UsageError.
    """
    if queue not in QUEUES:
        raise UsageError(f"`{queue}` is not one of {', '.join(QUEUES)}")
    distributed, jobs = _engines()
    job = getattr(getattr(jobs, queue), _CLASSES[queue])
    workers = {
        name: {"cls": job, "options": _options(queue, name, folder, options, interface, arrival_s)} for name in names
    }
    listens = {
        "port": 0,
        "dashboard": False,
        "dashboard_address": "127.0.0.1:0",
        "allowed_failures": retries,
        "interface": interface,
    }
    cluster = distributed.SpecCluster(
        workers=workers,
        scheduler={"cls": distributed.Scheduler, "options": listens},
        silence_logs=logging.CRITICAL,
    )
    return QueuePool(distributed.Client(cluster, timeout=CONNECT_S, set_as_default=False), cluster)


class QueuePool(DaskPool):
    """A `DaskPool` whose workers are jobs of a queue."""

    def __init__(self, client: Any, cluster: Any) -> None:
        super().__init__(client, cluster)
        self._cluster = cluster

    def nodes(self) -> tuple[str, ...]:
        """Give the nodes whose workers are registered now, and have lost jobs submitted again."""
        if cluster := getattr(self, "_cluster", None):
            cluster.scale(len(cluster.worker_spec))  # as many as before: it makes up for those that are gone
        return super().nodes()


def job_script(queue: str, name: str, folder: Path, options: Sequence[str] = ()) -> str:
    """Give the script that would be submitted for a node, to be looked at."""
    _, jobs = _engines()
    job = getattr(getattr(jobs, queue), _CLASSES[queue])
    written: str = job(
        "tcp://scheduler:0", name=name, **_options(queue, name, folder, options, None, 60.0)
    ).job_script()
    return written


def _options(
    queue: str, node: str, folder: Path, options: Sequence[str], interface: str | None, arrival_s: float
) -> dict[str, Any]:
    given: dict[str, Any] = {
        "cores": 1,
        "processes": 1,
        "memory": "1GB",
        "job_name": f"envforge-{node}",
        "job_extra_directives": [each.format(node=node) for each in _PINS[queue]] + list(options),
        "job_directives_skip": list(_INSTEAD[queue]),
        "worker_extra_args": ["--resources", f"{RESOURCE}{node}=1", "--memory-limit", "0", "--no-dashboard"],
        "death_timeout": arrival_s,
        "log_directory": str(folder),
        "interface": interface,
    }
    if queue == "pbs":
        given["resource_spec"] = f"select=1:ncpus=1:host={node}"
    return given


def _engines() -> tuple[Any, Any]:
    try:
        import dask_jobqueue
        import dask_jobqueue.lsf
        import dask_jobqueue.pbs
        import dask_jobqueue.slurm
        import distributed
    except ImportError as error:
        raise UsageError("a queue's jobs need dask-jobqueue, which is not installed", (), EXTRA) from error
    return distributed, dask_jobqueue
