"""`envforge fleet verify`: every GPU of every node, and how each stands beside its siblings."""

from __future__ import annotations

from envforge.cli.fleet.asking import open_fleet
from envforge.cli.fleet.judging import Quarantine, judged
from envforge.cli.fleet.shapes import answer_of
from envforge.cli.fleet.way import NodeEnvironment, Way, fleet_command
from envforge.cli.talk import Answer, Talk
from envforge.cli.verify import Checks


@fleet_command(
    "fleet verify",
    examples=(
        "envforge fleet verify vision --scheduler tcp://head:8786 --checks standard --report fleet/",
        "envforge fleet verify vision --ssh node[01-16] --checks deep --quarantine",
    ),
)
def fleet_verify(
    talk: Talk, way: Way, environment: NodeEnvironment, checks: Checks = None, quarantine: Quarantine = False
) -> Answer:
    """Run the checks on every GPU of every node, and hold each against the fleet's own medians.

    What a node does wrong stands apart from what the environment does. Nodes that are ill are named with the command
    that drains them. Exit 1 where a check failed, 3 where a node could not tell.
    """
    words = ("envforge", "verify", environment, *(("--checks", checks) if checks else ()), "--no-progress", "--json")
    with open_fleet(talk, way) as fleet:
        outcomes = fleet.ask_all("verify", *words)
    return answer_of(talk, way, "verify", outcomes, environment=environment, **judged(talk, outcomes, quarantine))
