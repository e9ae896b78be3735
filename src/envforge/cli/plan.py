"""`envforge plan`: the decision, and nothing installed."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

import typer

from envforge.cli.asking import read_machines, read_spec
from envforge.cli.common import (
    Answer,
    Channels,
    FindLinks,
    Indexes,
    Machines,
    Offline,
    SpecFiles,
    Talk,
    Target,
    Timeout,
    command,
)
from envforge.cli.deciding import Decision, decide
from envforge.cli.overlays import facts_here
from envforge.errors import UsageError
from envforge.facts import Facts
from envforge.model import Rejected
from envforge.report.page import Page, join
from envforge.report.plan import plan_page, why_not_page
from envforge.report.shapes import missed_shape, plan_shape

Refresh = Annotated[
    bool, typer.Option("--refresh", envvar="ENVFORGE_REFRESH", help="Ask the public sources too, not only facts.")
]
Targets = Annotated[
    bool, typer.Option("--targets", envvar="ENVFORGE_TARGETS", help="Decide for all targets of the spec together.")
]
WhyNot = Annotated[
    str | None,
    typer.Option(
        "--why-not",
        envvar="ENVFORGE_WHY_NOT",
        metavar="torch=VERSION",
        help="Say of each build of this torch what stands against it.",
    ),
]


@command(
    examples=(
        "envforge plan vision.yaml",
        "envforge plan envspecs/*.yaml --machine cluster.yaml",
        'envforge plan vision.yaml --machine \'{driver: "550", gpus: ["NVIDIA H100 80GB HBM3"]}\' -v',
        "envforge plan cluster.yaml --targets",
        "envforge plan vision.yaml --why-not torch=2.15",
        "envforge plan vision.yaml --json | jq .data.choice",
    )
)
def plan(
    talk: Talk,
    specs: SpecFiles,
    machine: Machines = None,
    target: Target = None,
    targets: Targets = False,
    why_not: WhyNot = None,
    refresh: Refresh = False,
    offline: Offline = False,
    channel: Channels = None,
    index_url: Indexes = None,
    find_links: FindLinks = None,
    timeout: Timeout = None,
) -> Answer:
    """Say what `create` would choose and why, what it rejected, and what would unlock more; install nothing.

    Without `--machine` or `--target` it decides for this machine. Several machines get one environment if one
    serves them all. Exit 1 where nothing serves.
    """
    facts, answered = facts_here(), []
    for path in _without_locks(talk, specs):
        spec = read_spec(path, channels=channel, indexes=index_url, find_links=find_links)
        machines = read_machines(machine, spec, target, facts, targets=targets)
        ask_all = refresh and not offline
        decided = decide(talk, spec, machines, facts, ask_all=ask_all, offline=offline, timeout_s=timeout)
        answered.append((decided, _asked_after(decided, facts, why_not) if why_not else None))
    shapes = [_shape(decided, missed) for decided, missed in answered]
    return Answer(
        data=shapes[0] if len(shapes) == 1 else {"plans": shapes},
        page=lambda: join(*(_page(*each, verbose=talk.verbose > 0) for each in answered)),
        exit=0 if all(decided.serves_all for decided, _ in answered) else 1,
    )


def _without_locks(talk: Talk, paths: list[Path]) -> list[Path]:
    """Leave out the locks that stand beside specs, where a shell's ``*.yaml`` has named several files."""
    locks = [path for path in paths if path.name.endswith(".lock.yaml")] if len(paths) > 1 else []
    for path in locks:
        talk.say(f"`{path}` is a lock, not a spec: left out")
    return [path for path in paths if path not in locks]


def _asked_after(decided: Decision, facts: Facts, asked: str) -> tuple[Rejected, ...]:
    """Say of each build of a torch (``torch=2.15``, ``2.15.0``) what stands against it. Raises UsageError."""
    found = re.fullmatch(r"(?:torch\s*=?=\s*)?(\d+(?:\.\d+)*)", asked.strip())
    if not found:
        raise UsageError(f"`--why-not {asked}` names no torch", (), ("write it as `--why-not torch=2.15`",))
    from envforge.resolve import why_not

    missed = why_not(decided.spec, decided.machines, facts, decided.offers, torch=found[1])
    if not missed:
        raise UsageError(f"no source has torch {found[1]}", (), ("`envforge facts --all` lists what there is",))
    return missed


def _shape(decided: Decision, missed: tuple[Rejected, ...] | None) -> dict[str, Any]:
    names = [each.name for each in decided.machines]
    shape = plan_shape(decided.spec.origin, names, decided.outcome, covers=decided.covers)
    return shape if missed is None else {**shape, "why_not": [missed_shape(each) for each in missed]}


def _page(decided: Decision, missed: tuple[Rejected, ...] | None, *, verbose: bool) -> Page:
    if missed is not None:
        return why_not_page(decided.spec.name, decided.machines, missed, verbose=verbose)
    return plan_page(decided.spec.name, decided.machines, decided.outcome, covers=decided.covers, verbose=verbose)
