"""`envforge fleet detect`: what every node is."""

from __future__ import annotations

from envforge.cli.fleet.asking import open_fleet
from envforge.cli.fleet.gathering import gather, machines_of
from envforge.cli.fleet.shapes import answer_of, kinds_shape
from envforge.cli.fleet.way import Way, fleet_command
from envforge.cli.talk import Answer, Talk
from envforge.fleet.kinds import kinds_of


@fleet_command(
    "fleet detect",
    examples=(
        "envforge fleet detect --scheduler tcp://head:8786 --report fleet/",
        "envforge fleet detect --ssh node[01-16] --json",
    ),
)
def fleet_detect(talk: Talk, way: Way) -> Answer:
    """Have every node say what it is: driver, GPUs, system; and say which nodes are alike.

    A node that does not answer within the deadline is named. Exit 0 when every node answered, 1 when a command failed,
    3 when a node is lost or late.
    """
    with open_fleet(talk, way) as fleet:
        outcomes = gather(fleet)
    return answer_of(talk, way, "detect", outcomes, kinds=kinds_shape(kinds_of(machines_of(outcomes))))
