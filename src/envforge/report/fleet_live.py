"""A sweep as it goes: a live table on a terminal, else a line for each node that is not ok, and one every 30 s."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Literal, Protocol

from envforge.report.live import HEARTBEAT_S, beating, can_live, write_line
from envforge.report.text import console

REFRESHES_PER_S = 4
MOST_ROWS = 12
STYLES = {"ok": "green", "running": "cyan", "waiting": "dim", "lost": "yellow", "late": "yellow"}


class Told(Protocol):
    """What is shown of a node's outcome."""

    @property
    def why(self) -> str: ...
    @property
    def attempts(self) -> int: ...


Tell = Callable[[str, str, Told | None], None]


@contextmanager
def watch_fleet(
    stream: IO[str],
    when: Literal["auto", "always", "never"],
    environ: Mapping[str, str],
    step: str,
    nodes: tuple[str, ...],
    *,
    beat_s: float = HEARTBEAT_S,
) -> Iterator[Tell]:
    """Show what is told of these nodes; a live table is cleared at the end."""
    board = Board(step, nodes)
    if not can_live(stream, environ):
        with _plain(stream, board, beat_s) as tell:
            yield tell
        return
    from rich.live import Live

    with Live(
        get_renderable=board.table,
        console=console(stream, when, environ),
        transient=True,
        refresh_per_second=REFRESHES_PER_S,
    ):
        yield board.tell


@contextmanager
def _plain(stream: IO[str], board: Board, beat_s: float) -> Iterator[Tell]:
    def tell(node: str, state: str, outcome: Told | None) -> None:
        board.tell(node, state, outcome)
        if outcome and state != "ok":
            write_line(stream, f"{node}: {state}" + (f", {outcome.why}" if outcome.why else ""))

    write_line(stream, board.line())
    with beating(lambda: write_line(stream, board.line()), beat_s):
        yield tell


class Board:
    """Where each node is."""

    def __init__(self, step: str, nodes: tuple[str, ...]) -> None:
        self.step, self.began_s = step, time.monotonic()
        self.states = dict.fromkeys(nodes, "waiting")
        self.outcomes: dict[str, Told] = {}

    def tell(self, node: str, state: str, outcome: Told | None) -> None:
        """Take what is told of a node."""
        self.states[node] = state
        if outcome:
            self.outcomes[node] = outcome

    def line(self) -> str:
        """Say it in a line: ``verify: 14 of 16 nodes, 1 lost, 12 s so far``."""
        counts = Counter(self.states.values())
        done = len(self.outcomes)
        rest = [f"{counts[state]} {state}" for state in ("failed", "raised", "lost", "late") if counts[state]]
        took_s = time.monotonic() - self.began_s
        spent = [f"{took_s:.0f} s so far"] if took_s >= 1 else []
        return ", ".join([f"{self.step}: {done} of {len(self.states)} nodes", *rest, *spent])

    def table(self) -> Any:
        """Draw it: a bar, and the nodes that are not ok, those that went wrong first."""
        from rich.console import Group
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        rows = Table.grid(padding=(0, 2))
        open_ = sorted((each for each in self.states.items() if each[1] != "ok"), key=self._order)
        for node, state in open_[:MOST_ROWS]:
            outcome = self.outcomes.get(node)
            rows.add_row(Text(node), Text(state, STYLES.get(state, "red")), Text(outcome.why if outcome else "", "dim"))
        if len(open_) > MOST_ROWS:
            rows.add_row(Text(f"and {len(open_) - MOST_ROWS} more", "dim"), Text(""), Text(""))
        bar = Table.grid()
        bar.add_row(ProgressBar(total=max(1, len(self.states)), completed=len(self.outcomes), width=40))
        return Group(Text(self.line()), bar, rows)

    def _order(self, entry: tuple[str, str]) -> tuple[bool, bool, str]:
        return entry[0] not in self.outcomes, entry[1] != "running", entry[0]
