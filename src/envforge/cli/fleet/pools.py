"""From flags to nodes: the one engine that was asked for, and the nodes that are expected of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envforge.cli.dirs import find_dirs
from envforge.cli.fleet.way import QueueName, Way
from envforge.errors import CouldNotTell, UsageError
from envforge.fleet import NodePool
from envforge.fleet.nodeset import unfold

LIMIT_S = 3600.0
HINTS = (
    "`--scheduler ADDR` takes the workers of a Dask scheduler, `--ssh HOSTS` starts them",
    "`--queue slurm` submits a job for each node",
    "`--local 4` tries it on this machine",
)


@contextmanager
def open_pool(way: Way) -> Iterator[tuple[NodePool, tuple[str, ...]]]:
    """Give the pool and the nodes that are expected in it; it is closed at the end. Raises UsageError, CouldNotTell."""
    if len(way.engines) != 1:
        told = " and ".join(f"`--{name}`" for name in way.engines)
        raise UsageError(f"{told} exclude each other" if way.engines else "which nodes to ask is not said", (), HINTS)
    names = (unfold(way.expect) if way.expect else ()) or _names(way)
    pool = _make(way, names)
    try:
        yield pool, names or _there(pool)
    finally:
        pool.close()


def _there(pool: NodePool) -> tuple[str, ...]:
    if found := pool.nodes():
        return found
    raise CouldNotTell("no node is there", (), ("`--expect NODES` waits for those that are to come",))


def _names(way: Way) -> tuple[str, ...]:
    """Give the nodes that the flags themselves name; what a worker of Dask is to be started on must be known before."""
    if way.queue is QueueName.DASK_SLURM:
        from envforge.fleet.submitit_pool import slurm_nodes

        return slurm_nodes(way.directives)
    if way.local:
        return tuple(f"local-{at}" for at in range(1, way.local + 1))
    return unfold(way.ssh) if way.ssh else ()


def _make(way: Way, names: tuple[str, ...]) -> NodePool:
    from envforge.fleet.dask_pool import connect, local, over_ssh

    if way.queue:
        return _queue(way, way.queue, names)
    if way.scheduler:
        return connect(way.scheduler)
    if way.ssh:
        return over_ssh(_names(way), retries=way.retries)
    return local(_names(way), retries=way.retries, environs={name: _own_places(way, name) for name in _names(way)})


def _queue(way: Way, queue: QueueName, names: tuple[str, ...]) -> NodePool:
    """Make jobs of a queue; their logs and results go into the report."""
    from envforge.fleet.jobqueue_pool import jobqueue
    from envforge.fleet.submitit_pool import SlurmPool

    if way.report is None:
        hints = ("name a folder that this host and every node see",)
        raise UsageError("`--queue` needs `--report DIR`, where jobs leave what they found", (), hints)
    jobs = way.report / "jobs"
    if queue is QueueName.SLURM:
        return SlurmPool(jobs, way.directives, limit_s=way.deadline_s or LIMIT_S)
    if not names:
        raise UsageError(f"`--queue {queue.value}` needs `--expect NODES`", (), ("name them: `--expect node[01-16]`",))
    kind = queue.value.removeprefix("dask-")
    return jobqueue(kind, names, jobs, way.directives, interface=way.interface, retries=way.retries)


def _own_places(way: Way, name: str) -> dict[str, str]:
    """Give a node that is played here places of its own, as a machine has them."""
    top: Path = (way.report or find_dirs().cache / "fleet") / "nodes" / name
    return {"ENVFORGE_ENVS_DIR": str(top / "envs"), "XDG_STATE_HOME": str(top / "state")}
