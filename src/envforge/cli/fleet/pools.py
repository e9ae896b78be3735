"""From flags to nodes: the one engine that was asked for, and the nodes that are expected of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from envforge.cli.dirs import find_dirs
from envforge.cli.fleet.way import Way
from envforge.errors import UsageError
from envforge.fleet import NodePool
from envforge.fleet.nodeset import unfold

HINTS = (
    "`--scheduler ADDR` takes the workers of a Dask scheduler, `--ssh HOSTS` starts them",
    "`--local 4` tries it on this machine",
)


@contextmanager
def open_pool(way: Way) -> Iterator[tuple[NodePool, tuple[str, ...]]]:
    """Give the pool and the nodes that are expected in it; it is closed at the end. Raises UsageError, CouldNotTell."""
    given = [name for name in ("scheduler", "local", "ssh") if getattr(way, name)]
    if len(given) != 1:
        told = " and ".join(f"`--{name}`" for name in given)
        raise UsageError(f"{told} exclude each other" if given else "which nodes to ask is not said", (), HINTS)
    expected = unfold(way.expect) if way.expect else ()
    pool = _make(way)
    try:
        yield pool, expected or _names(way) or pool.nodes()
    finally:
        pool.close()


def _names(way: Way) -> tuple[str, ...]:
    """Give the nodes that the flags themselves name."""
    if way.local:
        return tuple(f"local-{at}" for at in range(1, way.local + 1))
    return unfold(way.ssh) if way.ssh else ()


def _make(way: Way) -> NodePool:
    from envforge.fleet.dask_pool import connect, local, over_ssh

    if way.scheduler:
        return connect(way.scheduler)
    if way.ssh:
        return over_ssh(_names(way), retries=way.retries)
    return local(_names(way), retries=way.retries, environs={name: _own_places(way, name) for name in _names(way)})


def _own_places(way: Way, name: str) -> dict[str, str]:
    """Give a node that is played here places of its own, as a machine has them."""
    top: Path = (way.report or find_dirs().cache / "fleet") / "nodes" / name
    return {"ENVFORGE_ENVS_DIR": str(top / "envs"), "XDG_STATE_HOME": str(top / "state")}
