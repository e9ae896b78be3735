"""`envforge fleet doctor`: what is wrong, and on which nodes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from envforge.cli.fleet.asking import document, open_fleet
from envforge.cli.fleet.shapes import answer_of
from envforge.cli.fleet.way import MaybeNodeEnvironment, Way, fleet_command
from envforge.cli.talk import Answer, Talk
from envforge.fleet import Outcome
from envforge.fleet.nodeset import fold

ORDER = ("blocker", "degraded", "advisory", "info")


@fleet_command(
    "fleet doctor",
    examples=("envforge fleet doctor --ssh node[01-16]", "envforge fleet doctor vision --report fleet/ --local 2"),
)
def fleet_doctor(talk: Talk, way: Way, environment: MaybeNodeEnvironment = None) -> Answer:
    """Ask the doctor on every node, and say each finding once, with the nodes that have it.

    Exit 1 where a node has a fault, 3 where one could not tell.
    """
    words = ("envforge", "doctor", *((environment,) if environment else ()), "--json")
    with open_fleet(talk, way) as fleet:
        outcomes = fleet.ask_all("doctor", *words)
    return answer_of(talk, way, "doctor", outcomes, findings=findings_shape(outcomes))


def findings_shape(outcomes: Iterable[Outcome]) -> list[dict[str, Any]]:
    """Give each finding with its nodes, the gravest first, then the most frequent."""
    groups: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for outcome in outcomes:
        for finding in document(outcome).get("findings", ()):
            groups.setdefault(finding["id"], []).append((outcome.node, finding))
    shapes = [_finding(members) for members in groups.values()]
    return sorted(shapes, key=lambda each: (ORDER.index(each["severity"]), -each["count"]))


def _finding(members: list[tuple[str, dict[str, Any]]]) -> dict[str, Any]:
    gravest = min((finding for _, finding in members), key=lambda each: ORDER.index(each["severity"]))
    named = {key: gravest[key] for key in ("id", "severity", "title", "says", "place")}
    return {**named, "nodes": fold(node for node, _ in members), "count": len(members)}
