"""What came of a step on all nodes, as one shape: for `--json`, for the report's files, and for pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from envforge.cli.fleet.asking import complaint, document
from envforge.cli.fleet.kept_report import keep
from envforge.cli.fleet.way import Way
from envforge.cli.talk import Answer, Talk
from envforge.fleet import Outcome
from envforge.fleet.kinds import Kind
from envforge.fleet.nodeset import fold
from envforge.report.fleet import fleet_page
from envforge.report.machine import driver_text, gpus_text

STATES = ("ok", "failed", "raised", "lost", "late")
WORST = ("fail", "inconclusive", "skip", "pass")


def answer_of(talk: Talk, way: Way, step: str, outcomes: Sequence[Outcome], **parts: Any) -> Answer:
    """Make the answer of a fleet's command, and keep it in the report; ``parts`` are what this step adds."""
    data = {**fleet_shape(step, outcomes), **parts}
    if way.report:
        keep(way.report, data)
    return Answer(data=data, page=lambda: fleet_page(data, verbose=talk.verbose > 0), exit=exit_of(outcomes))


def exit_of(outcomes: Iterable[Outcome]) -> int:
    """Give 1 when a node's command failed, else 3 when a node could not tell, else 0."""
    states = {each.state for each in outcomes}
    return 1 if "failed" in states else 3 if states - {"ok"} else 0


def fleet_shape(step: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Give each node, how many came to what, and those that are alike in what went wrong."""
    rows = [node_shape(each) for each in outcomes]
    counts = {state: sum(row["state"] == state for row in rows) for state in STATES}
    when = datetime.now(UTC).isoformat(timespec="seconds")
    return {"step": step, "when": when, "counts": counts, "told": told_shape(rows), "nodes": rows}


def node_shape(outcome: Outcome) -> dict[str, Any]:
    """Give one node: how its command ended, and what that said in short."""
    answer, report = outcome.answer, report_of(outcome)
    results = report.get("results", ())
    return {
        "node": outcome.node,
        "state": outcome.state,
        "attempts": outcome.attempts,
        "took_s": round(outcome.took_s, 3),
        "host": answer and answer.host,
        "rc": answer and answer.rc,
        "verdict": report.get("verdict"),
        "says": complaint(outcome),
        "devices": list(report.get("devices", ())),
        "checks": _checks(results),
        "codes": sorted({each["code"] for each in results if each["outcome"] == "fail" and each["code"]}),
    }


def report_of(outcome: Outcome) -> Mapping[str, Any]:
    """Give the report of checks, or of the doctor, in what a node answered; empty where there is none."""
    data = document(outcome)
    found = data.get("verify", data)
    return found if isinstance(found, Mapping) else {}


def _checks(results: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Give each check with the worst that it came to on any device."""
    found: dict[str, str] = {}
    for each in results:
        before = found.get(each["check"], "pass")
        found[each["check"]] = min(before, each["outcome"], key=WORST.index)
    return found


def told_shape(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put nodes that are not ok together, where they say the same."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        if row["state"] != "ok":
            groups.setdefault((row["state"], row["says"]), []).append(row["node"])
    found = sorted(groups.items(), key=lambda pair: (STATES.index(pair[0][0]), -len(pair[1])))
    return [{"state": state, "says": says, "nodes": fold(nodes), "count": len(nodes)} for (state, says), nodes in found]


def kinds_shape(kinds: Iterable[Kind]) -> list[dict[str, Any]]:
    """Give each kind of node in words."""
    return [
        {
            "nodes": fold(each.names),
            "count": len(each.names),
            "driver": driver_text(each.machine),
            "gpus": gpus_text(each.machine),
            "system": each.machine.os,
            "subdir": each.machine.subdir,
        }
        for each in kinds
    ]
