"""`envforge fleet create`: look, decide, lock and pack once, then have each node install from the pack and prove it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from envforge.cli.common import (
    Channels,
    Engine,
    EngineName,
    FindLinks,
    Indexes,
    Name,
    Offline,
    SpecFile,
    Timeout,
)
from envforge.cli.fleet.asking import Fleet, open_fleet, order
from envforge.cli.fleet.building import lock_for, pack_for
from envforge.cli.fleet.gathering import gather, machines_of
from envforge.cli.fleet.joint import Group, Joint, group_shape, joint_shape
from envforge.cli.fleet.judging import Quarantine, judged
from envforge.cli.fleet.shapes import answer_of, kinds_shape
from envforge.cli.fleet.way import Way, fleet_command
from envforge.cli.job import Job, begin
from envforge.cli.talk import Answer, Talk
from envforge.errors import UsageError
from envforge.fleet import Order, Outcome

NodePrefix = Annotated[
    str | None,
    typer.Option(
        "-p",
        "--prefix",
        envvar="ENVFORGE_PREFIX",
        metavar="DIR",
        help="Where the environment goes on each node, a local disk; `{node}` is its name.",
    ),
]


@fleet_command(
    "fleet create",
    examples=(
        "envforge fleet create vision.yaml --local 2 --report ./fleet",
        "envforge fleet create vision.yaml --ssh node[01-16] --report /shared/fleet --prefix /scratch/envs/vision",
    ),
)
def fleet_create(
    talk: Talk,
    way: Way,
    spec: SpecFile,
    name: Name = None,
    prefix: NodePrefix = None,
    engine: Engine = EngineName.AUTO,
    channel: Channels = None,
    index_url: Indexes = None,
    find_links: FindLinks = None,
    offline: Offline = False,
    quarantine: Quarantine = False,
    timeout: Timeout = None,
) -> Answer:
    """Make proven environments on every node: decide for all, lock and pack once, install on each from the pack.

    `--report` is a folder that every node sees: the packs are handed out there. Each node installs on its own disk
    and checks what it made. Run again, only nodes that did not answer are asked. Exit 1 where a node failed, 3 where
    one did not answer.
    """
    report = _handing_out(way, prefix)
    sources = {"channels": channel, "indexes": index_url, "find_links": find_links}
    job = begin(talk, spec, engine, name=name, sources=sources, offline=offline, timeout_s=timeout)
    with open_fleet(talk, way) as fleet:
        looked = gather(fleet)
        joint = lock_for(job, machines_of(looked))
        packed = [(each, pack_for(job, each, report / "packs")) for each in joint.groups if each.section]
        orders = {node: each for group, pack in packed for node, each in _orders(group, pack, job, prefix)}
        made = fleet.ask("create", orders)
    outcomes = _in_order(fleet, looked, made, joint)
    parts = _parts(joint, job, packed)
    return answer_of(talk, way, "create", outcomes, spec=str(spec), **parts, **judged(talk, outcomes, quarantine))


def _handing_out(way: Way, prefix: str | None) -> Path:
    """Give the folder where packs are handed out. Raises UsageError where nodes would install into one prefix."""
    hints = ("name a folder on a disk of its own, `--prefix /scratch/envs/vision`",)
    if way.report is None:
        seen = ("name a folder that this host and every node see",)
        raise UsageError("`fleet create` needs `--report DIR`, to hand the packs out", (), seen)
    if prefix is None and way.local is None:
        raise UsageError("where the environment goes on each node is not said", (), (*hints, "a home is mostly shared"))
    if prefix and "{node}" not in prefix and Path(prefix).absolute().is_relative_to(way.report):
        raise UsageError(f"the prefix `{prefix}` lies where the nodes share files", (str(way.report),), hints)
    return way.report


def _orders(group: Group, pack: Path, job: Job, prefix: str | None) -> list[tuple[str, Order]]:
    where = ("--prefix", prefix) if prefix else ("--name", job.spec.name)
    words = ("envforge", "create", "--from", str(pack), *where, "--yes", "--no-progress", "--json")
    return [(node, order(node, *words)) for node in group.nodes]


def _in_order(fleet: Fleet, looked: tuple[Outcome, ...], made: tuple[Outcome, ...], joint: Joint) -> list[Outcome]:
    """Give one outcome for each node: of what it made, else why it was not asked to."""
    found = {each.node: each for each in (*looked, *made)}
    for node in (node for group in joint.groups if not group.section for node in group.nodes):
        found[node] = Outcome(node=node, state="failed", why="no environment serves it")
    return [found[node] for node in fleet.nodes]


def _parts(joint: Joint, job: Job, packed: list[tuple[Group, Path]]) -> dict[str, Any]:
    shape = joint_shape(joint, job.facts)
    packs = {group.nodes: str(pack) for group, pack in packed}
    groups = [{**group_shape(each), "pack": packs.get(each.nodes)} for each in joint.groups]
    return {"kinds": kinds_shape(joint.kinds), **shape, "groups": groups, "took_s": job.clock.took_s}
