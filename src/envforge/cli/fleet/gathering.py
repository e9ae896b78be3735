"""Every node as a machine: recordings that nodes took of themselves, from them or from a report."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from envforge.cli.asking import identified
from envforge.cli.fleet.asking import Fleet, document
from envforge.fleet import Outcome
from envforge.model import Interpreter, Machine
from envforge.wire import from_plain

STEP = "detect"
ORDER = ("envforge", "detect", "--record", "-", "--json")


def gather(fleet: Fleet) -> tuple[Outcome, ...]:
    """Have each node look at itself."""
    return fleet.ask_all(STEP, *ORDER)


def machines_of(outcomes: Iterable[Outcome]) -> tuple[Machine, ...]:
    """Give the machines of those nodes that could tell, called by their names."""
    return tuple(machine_of(each.node, data) for each in outcomes if (data := document(each)).get("recording"))


def machine_of(node: str, data: Any) -> Machine:
    """Read one node's answer to `detect --record - --json`."""
    from envforge.detect import read_recorded

    found = data.get("machine", {}).get("interpreters")
    interpreters = None if found is None else from_plain(tuple[Interpreter, ...], found)
    return identified(replace(read_recorded(data["recording"], node), interpreters=interpreters))
