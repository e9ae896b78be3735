"""Nodes of Dask distributed: a running scheduler, processes of this machine, hosts over SSH.

A node is a worker that has the resource ``node:<name>``: a worker that its nanny restarts has it again, at another
address. Workers of a cluster that others started have no such resource; there, a node is a host.
"""

from __future__ import annotations

import logging
import shlex
import sys
import uuid
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import InvalidStateError
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any

from envforge.errors import CouldNotTell, EngineFailed, UsageError
from envforge.fleet.pool import Asked, NodeLost
from envforge.run import run

RESOURCE = "node:"
TOPIC = "envforge-begun"
CONNECT_S = 10.0
STAY_S = 7 * 86400.0
SSH = ("ssh", "-o", "BatchMode=yes", "-o", f"ConnectTimeout={CONNECT_S:.0f}")
EXTRA = ("it comes with `pip install envforge[fleet]`",)


class DaskPool:
    """A `NodePool` on a Dask client; what was ``started`` for it ends with it."""

    def __init__(self, client: Any, *started: Any) -> None:
        self._client, self._started = client, started
        self._asked: dict[str, Asked] = {}
        self._known: dict[str, bool] = {}
        self._gone: dict[str, str] = {}
        self._waiting: dict[str, Callable[[], None]] = {}
        client.subscribe_topic(TOPIC, self._note)
        self.nodes()

    def nodes(self) -> tuple[str, ...]:
        """Give the nodes whose workers are registered now."""
        there = dict(_node(each) for each in self._client.scheduler_info(n_workers=-1)["workers"].values())
        self._known |= there
        for key in tuple(self._waiting):
            if _of_key(key) in there:
                self._waiting.pop(key)()
        return tuple(sorted(there))

    def submit(self, node: str, fn: Callable[..., Any], /, *args: Any, retries: int = 0) -> Asked:
        """Ask one node; the task waits for its worker while that is not there."""
        key, asked = f"{node}-{uuid.uuid4().hex}", Asked()
        self._asked[key] = asked
        if node in self._gone:
            asked.set_exception(NodeLost(self._gone[node]))
        elif self._started or node in self._known:
            self._send(key, fn, *args, retries=retries)
        else:
            self._waiting[key] = partial(self._send, key, fn, *args, retries=retries)
        return asked

    def _send(self, key: str, fn: Callable[..., Any], *args: Any, retries: int) -> None:
        """Give a task to the scheduler, pinned to its node by a resource, or by the host of a worker that has none."""
        node, asked = _of_key(key), self._asked[key]
        if asked.done():
            return
        place = {"resources": _resource(node)} if self._known.get(node, True) else {"workers": [node]}
        future = self._client.submit(_begin, key, fn, *args, key=key, retries=retries, pure=False, **place)
        future.add_done_callback(partial(_settle, asked))
        asked.add_done_callback(lambda each: future.cancel() if each.cancelled() else None)

    @property
    def address(self) -> str:
        """Where workers find the scheduler."""
        return str(self._client.scheduler.address)

    def give_up(self, node: str, why: str) -> None:
        """Take note that no worker of a node will come, or come back."""
        self._gone[node] = why
        for key, asked in tuple(self._asked.items()):
            if _of_key(key) == node:
                _fail(asked, NodeLost(why, asked.begun))

    def close(self) -> None:
        """Leave the scheduler, and end what was started here."""
        for each in (self._client, *self._started):
            with suppress(TimeoutError, OSError):
                each.close()

    def _note(self, event: tuple[float, Any]) -> None:
        if asked := self._asked.get(str(event[1])):
            asked.begin()


def _of_key(key: str) -> str:
    return key.rpartition("-")[0]


def _node(worker: Mapping[str, Any]) -> tuple[str, bool]:
    """Give a worker's node, and whether it is pinned by a resource of that name."""
    pinned = (name.removeprefix(RESOURCE) for name in worker["resources"] if name.startswith(RESOURCE))
    name = next(pinned, None)
    return (worker["host"], False) if name is None else (name, True)


def _begin(key: str, fn: Callable[..., Any], *args: Any) -> Any:
    """Be the task on the node: say that it begins, and do it."""
    from distributed import get_worker

    get_worker().log_event(TOPIC, key)
    return fn(*args)


def _settle(asked: Asked, future: Any) -> None:
    """Hand on what came of a task of Dask's."""
    from distributed import KilledWorker

    if future.status == "finished":
        with suppress(InvalidStateError):
            asked.set_result(future.result())
        return
    error = future.exception() if future.status == "error" else None
    if isinstance(error, KilledWorker):
        tries = error.allowed_failures + 1
        error = NodeLost(f"its worker died {tries} times" if tries > 1 else "its worker died", tries)
    _fail(asked, error or NodeLost("the scheduler gave the task up"))


def _fail(asked: Asked, error: BaseException) -> None:
    with suppress(InvalidStateError):
        asked.set_exception(error)


def connect(address: str) -> DaskPool:
    """Use a scheduler that runs. Raises UsageError without Dask, CouldNotTell when it does not answer."""
    distributed = _distributed()
    try:
        client = distributed.Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        hints = ("look whether the scheduler runs, and whether this host may reach it",)
        raise CouldNotTell(f"the scheduler `{address}` does not answer", (address,), hints) from error
    return DaskPool(client)


def local(
    names: Sequence[str], *, retries: int = 1, environs: Mapping[str, Mapping[str, str]] | None = None
) -> DaskPool:
    """Start a worker process for each name on this machine; one that dies is started again. Raises CouldNotTell."""
    distributed = _distributed()
    workers = {name: _local_worker(distributed, name, dict((environs or {}).get(name, {}))) for name in names}
    return _start(distributed, workers, retries)


def _local_worker(distributed: Any, name: str, environ: dict[str, str]) -> dict[str, Any]:
    options = {
        "host": "127.0.0.1",
        "nthreads": 1,
        "name": name,
        "resources": _resource(name),
        "memory_limit": 0,
        "env": environ,
        "silence_logs": logging.CRITICAL,
        "preload": "envforge.fleet.calm",
    }
    return {"cls": distributed.Nanny, "options": options}


def over_ssh(hosts: Sequence[str], *, retries: int = 1) -> DaskPool:
    """Start a worker on each host by `ssh`, with the Python of this one's path; they connect to a scheduler here.

    A host that cannot be logged in to is lost, and says why; the others work. Raises UsageError without Dask.
    """
    pool = _start(_distributed(), {}, retries, host=None)
    for host in hosts:
        Thread(target=_log_in, args=(pool, host), name=f"ssh {host}", daemon=True).start()
    return pool


def _log_in(pool: DaskPool, host: str) -> None:
    """Be the worker's stay on a host: it ends with the scheduler."""
    worker = (sys.executable, "-m", "distributed.cli.dask_worker", pool.address, "--name", host)
    settings = ("--resources", f"{RESOURCE}{host}=1", "--nthreads", "1", "--memory-limit", "0", "--no-dashboard")
    words = (*worker, *settings, "--death-timeout", f"{CONNECT_S:.0f}")
    try:
        done = run((*SSH, host, shlex.join(words)), deadline_s=STAY_S)
        why = (done.stderr.strip().splitlines() or ["ssh ended"])[-1]
    except EngineFailed as error:
        why = error.message
    pool.give_up(host, why)


def _resource(node: str) -> dict[str, int]:
    return {RESOURCE + node: 1}


def _start(distributed: Any, workers: Mapping[str, Any], retries: int, host: str | None = "127.0.0.1") -> DaskPool:
    options = {
        "host": host,
        "port": 0,
        "dashboard": False,
        "dashboard_address": "127.0.0.1:0",
        "allowed_failures": retries,
    }
    cluster = distributed.SpecCluster(
        workers=workers,
        scheduler={"cls": distributed.Scheduler, "options": options},
        silence_logs=logging.CRITICAL,
    )
    client = distributed.Client(cluster, timeout=CONNECT_S, set_as_default=False)
    return DaskPool(client, cluster)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError as error:
        raise UsageError("a fleet needs Dask, which is not installed", (), EXTRA) from error
    return distributed
