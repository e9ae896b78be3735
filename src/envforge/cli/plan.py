"""`envforge plan`: the decision, and nothing installed."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Annotated, Any

import typer
from packaging.specifiers import SpecifierSet

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
from envforge.errors import UsageError
from envforge.facts import load_facts
from envforge.report.page import Page, join
from envforge.report.plan import plan_page
from envforge.report.shapes import plan_shape

Refresh = Annotated[
    bool, typer.Option("--refresh", envvar="ENVFORGE_REFRESH", help="Ask the public sources too, not only facts.")
]
WhyNot = Annotated[
    str | None,
    typer.Option(
        "--why-not",
        envvar="ENVFORGE_WHY_NOT",
        metavar="torch=VERSION",
        help="Decide as if this torch were asked for, to see what stands against it.",
    ),
]


@command(
    examples=(
        "envforge plan vision.yaml",
        "envforge plan envspecs/*.yaml --machine cluster.yaml",
        'envforge plan vision.yaml --machine \'{driver: "550", gpus: ["NVIDIA H100 80GB HBM3"]}\' -v',
        "envforge plan vision.yaml --why-not torch=2.15",
        "envforge plan vision.yaml --json | jq .data.choice",
    )
)
def plan(
    talk: Talk,
    specs: SpecFiles,
    machine: Machines = None,
    target: Target = None,
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
    facts = load_facts()
    decisions = []
    for path in specs:
        spec = read_spec(path, channels=channel, indexes=index_url, find_links=find_links)
        spec = replace(spec, torch=_other_torch(why_not)) if why_not else spec
        machines = read_machines(machine, spec, target, facts)
        ask_all = refresh and not offline
        decisions.append(decide(talk, spec, machines, facts, ask_all=ask_all, offline=offline, timeout_s=timeout))
    return Answer(
        data=_data(decisions),
        page=lambda: join(*(_page(each, why_not, verbose=talk.verbose > 0) for each in decisions)),
        exit=0 if all(each.serves_all for each in decisions) else 1,
    )


def _other_torch(asked: str) -> SpecifierSet:
    """Read ``torch=2.15``, ``torch==2.15.0`` or ``2.15``. Raises UsageError."""
    found = re.fullmatch(r"(?:torch\s*=?=\s*)?(\d+(?:\.\d+)*)", asked.strip())
    if not found:
        raise UsageError(f"`--why-not {asked}` names no torch", (), ("write it as `--why-not torch=2.15`",))
    return SpecifierSet(f"=={found[1]}.*")


def _data(decisions: list[Decision]) -> dict[str, Any]:
    shapes = [
        plan_shape(each.spec.origin, [one.name for one in each.machines], each.outcome, covers=each.covers)
        for each in decisions
    ]
    return shapes[0] if len(shapes) == 1 else {"plans": shapes}


def _page(decision: Decision, why_not: str | None, *, verbose: bool) -> Page:
    named = f"{decision.spec.name}, were it torch {decision.spec.torch}" if why_not else decision.spec.name
    return plan_page(named, decision.machines, decision.outcome, covers=decision.covers, verbose=verbose)
