"""A thousand nodes that are workers of Dask in one process: plan them, and sweep them with nothing to do.

``python tests/bench/fleet.py [NODES]`` with ``tests`` on PYTHONPATH. Prints; asserts nothing.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import dask
import distributed

from cli.fleet.recorded import keep_detected, twelve_kinds
from envforge.cli.fleet.gathering import machines_of
from envforge.cli.fleet.joint import decide_jointly, joint_shape
from envforge.cli.talk import Talk
from envforge.facts import load_facts
from envforge.fleet import Answer, Kept, Order, sweep
from envforge.fleet.dask_pool import RESOURCE, DaskPool
from envforge.spec import parse_spec

QUIET = {  # what every worker does of itself many times a second: a thousand of them in one process do nothing else
    "distributed.admin.tick.interval": "1h",
    "distributed.admin.system-monitor.interval": "1h",
    "distributed.worker.profile.enabled": False,
}


def nothing(argv, deadline_s, environ) -> Answer:
    """Answer at once."""
    return Answer(host="here", rc=0, took_s=0.0, document={})


def timed(name: str, began: float) -> None:
    print(f"{name:<44} {time.perf_counter() - began:8.2f} s")


def plan(count: int, top: Path) -> None:
    """Plan nodes of twelve kinds from a report."""
    keep_detected(top, twelve_kinds(count))
    facts, spec = load_facts(), parse_spec("name: v\ntorch: '>=2.12'\n", "v.yaml")
    began = time.perf_counter()
    machines = machines_of(Kept(top / "detect").all())
    timed(f"read {count} recordings", began)
    began = time.perf_counter()
    joint = decide_jointly(Talk(command="plan"), spec, machines, facts, ask_all=False, offline=True)
    joint_shape(joint, facts)
    timed(f"plan {count} nodes of {len(joint.kinds)} kinds", began)


def ask(count: int, top: Path) -> None:
    """Ask all nodes for nothing, once and again from the report."""
    names = [f"node{at:04}" for at in range(count)]
    own = {"nthreads": 1, "memory_limit": 0, "heartbeat_interval": "60s", "dashboard": False}
    workers = {
        name: {"cls": distributed.Worker, "options": {**own, "name": name, "resources": {RESOURCE + name: 1}}}
        for name in names
    }
    scheduler = {"cls": distributed.Scheduler, "options": {"protocol": "inproc", "dashboard": False}}
    began = time.perf_counter()
    cluster = distributed.SpecCluster(workers=workers, scheduler=scheduler, silence_logs=logging.CRITICAL)
    pool = DaskPool(distributed.Client(cluster, set_as_default=False), cluster)
    timed(f"start {len(pool.nodes())} workers in one process", began)
    orders = {name: Order(argv=("nothing",)) for name in names}
    for told in ("sweep", "sweep again, from the report"):
        began = time.perf_counter()
        found = sweep(pool, orders, deadline_s=120, kept=Kept(top / "nothing"), fn=nothing)
        timed(f"{told}: {dict(Counter(each.state for each in found))}", began)
    pool.close()


def main() -> None:
    """Measure both."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as top, dask.config.set(QUIET):
        plan(count, Path(top))
        ask(count, Path(top))


if __name__ == "__main__":
    main()
