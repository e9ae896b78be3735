"""From what every node reported to what is to be done: faults by their side, slow devices, nodes to drain."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer

from envforge.cli.fleet.shapes import report_of
from envforge.cli.talk import Talk
from envforge.errors import EngineFailed
from envforge.fleet import Outcome
from envforge.fleet.compare import Median, Slow, compare
from envforge.fleet.faults import Drain, Fault, Meaning, drains, faults_of
from envforge.fleet.nodeset import fold
from envforge.run import run
from envforge.wire import to_plain

DRAIN_S = 30.0

Quarantine = Annotated[
    bool,
    typer.Option(
        "--quarantine",
        envvar="ENVFORGE_QUARANTINE",
        help="Drain the nodes that are ill, by Slurm's `scontrol`; without it the commands are only printed.",
    ),
]


def judged(talk: Talk, outcomes: Iterable[Outcome], quarantine: bool) -> dict[str, Any]:
    """Give faults, medians, slow devices and the nodes to drain; with ``quarantine`` they are drained."""
    reports = {each.node: report for each in outcomes if (report := report_of(each)).get("results")}
    faults = [fault for node, report in reports.items() for fault in faults_of(node, report, _meaning)]
    medians, slow = compare(reports)
    ill = drains(faults, slow)
    done = {each.node: _drain(talk, each) for each in ill} if quarantine else {}
    return {
        "faults": faults_shape(faults),
        "medians": [_median_shape(each) for each in medians],
        "slow": [_slow_shape(each) for each in slow],
        "drains": [
            {"node": each.node, "reason": each.reason, "run": str(each), "done": done.get(each.node)} for each in ill
        ],
    }


def _meaning(code: str | None) -> Meaning | None:
    from envforge.verify import explain

    found = explain(code)
    return Meaning(name=found.name, layer=found.layer) if found else None


def _drain(talk: Talk, drain: Drain) -> str:
    """Drain a node; give the empty text, or why that failed."""
    try:
        done = run(drain.run, deadline_s=DRAIN_S)
    except EngineFailed as error:
        return error.message
    if not done.ok:
        return (done.stderr.strip().splitlines() or [f"exit {done.returncode}"])[-1]
    talk.say(f"drained `{drain.node}`: {drain.reason}")
    return ""


def faults_shape(faults: Sequence[Fault]) -> list[dict[str, Any]]:
    """Give each fault with all the nodes that have it; the most frequent first."""
    groups: dict[tuple[Any, ...], list[Fault]] = {}
    for each in faults:
        groups.setdefault((each.check, each.code, each.side, each.device), []).append(each)
    found = sorted(groups.values(), key=len, reverse=True)
    return [
        {**to_plain(each[0]), "nodes": fold(one.node for one in each), "count": len(each), "detail": each[0].detail}
        for each in found
    ]


def _median_shape(each: Median) -> dict[str, Any]:
    return dict(to_plain(each))


def _slow_shape(each: Slow) -> dict[str, Any]:
    return {**to_plain(each.rate), "median": each.median.amount, "share": round(each.share, 4), "level": each.level}
