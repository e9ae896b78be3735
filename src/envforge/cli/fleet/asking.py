"""Ask every node for one command, in front of people's eyes, and keep what they answer."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from envforge.cli.fleet.pools import open_pool
from envforge.cli.fleet.way import Way
from envforge.cli.talk import Talk
from envforge.fleet import Kept, NodePool, Order, Outcome, sweep
from envforge.model import value

DEADLINES_S = {"detect": 120.0, "doctor": 180.0, "verify": 900.0, "create": 1800.0}


@value
class Fleet:
    """The nodes that are expected, and the pool that reaches them."""

    talk: Talk
    way: Way
    pool: NodePool
    nodes: tuple[str, ...]

    def ask_all(self, step: str, *argv: str) -> tuple[Outcome, ...]:
        """Ask every node for the same command; ``{node}`` in a word is its name."""
        return self.ask(step, {node: order(node, *argv) for node in self.nodes})

    def ask(self, step: str, orders: Mapping[str, Order]) -> tuple[Outcome, ...]:
        """Ask nodes, each for its own command, and give an outcome of each."""
        with watching(self.talk, step, tuple(orders)) as tell:
            return sweep(
                self.pool,
                orders,
                deadline_s=self.way.deadline_s or DEADLINES_S[step],
                retries=self.way.retries,
                kept=kept_of(self.way, step),
                tell=tell,
            )


def order(node: str, *argv: str) -> Order:
    """Make the order of one node of words."""
    return Order(argv=tuple(word.replace("{node}", node) for word in argv))


def kept_of(way: Way, step: str) -> Kept | None:
    """Give the folder of a step in the report; None where there is no report."""
    return Kept(way.report / step, again=way.again) if way.report else None


@contextmanager
def open_fleet(talk: Talk, way: Way) -> Iterator[Fleet]:
    """Reach the nodes that the flags name. Raises UsageError, CouldNotTell."""
    with open_pool(way) as (pool, nodes):
        yield Fleet(talk=talk, way=way, pool=pool, nodes=nodes)


@contextmanager
def watching(talk: Talk, step: str, nodes: tuple[str, ...]) -> Iterator[Callable[[str, str, Any], None]]:
    """Give what is told of nodes to people: a live table on a terminal, else plain lines."""
    if talk.quiet or not talk.progress:
        yield lambda node, state, outcome: None
        return
    from envforge.report.fleet_live import watch_fleet

    with watch_fleet(sys.stderr, talk.color, os.environ, step, nodes) as tell:
        yield tell


def document(outcome: Outcome) -> Mapping[str, Any]:
    """Give the data of the envelope that a node's command printed; empty where it printed none."""
    found = outcome.answer.document if outcome.answer else None
    data = found.get("data") if isinstance(found, Mapping) else None
    return data if isinstance(data, Mapping) else {}


def complaint(outcome: Outcome) -> str:
    """Say in a line why a node is not ok: its command's own error, else how it ended."""
    found = outcome.answer.document if outcome.answer else None
    errors = found.get("errors") if isinstance(found, Mapping) else None
    if errors:
        return str(errors[0].get("message", ""))
    said = (outcome.answer.said if outcome.answer else "").strip().splitlines()
    return ": ".join(filter(None, (outcome.why, said[-1] if said and outcome.state != "ok" else "")))
