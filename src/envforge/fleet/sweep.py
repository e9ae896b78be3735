"""One question to every node, answered within a deadline: what does not answer is named, never left out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue

from envforge.fleet.kept import Kept, Outcome, State
from envforge.fleet.pool import Asked, NodeLost, NodePool
from envforge.fleet.task import Answer, Order, run_command

Tell = Callable[[str, str, Outcome | None], None]
"""Told as it happens: the node, `running` or its state, and its outcome once there is one."""

BEAT_S = 0.5
LOOK_S = 2.0
ARRIVAL_S = 60.0
MARGIN = 0.9  # of the deadline is the node's own, so that its watchdog speaks before the sweep ends


def sweep(
    pool: NodePool,
    orders: Mapping[str, Order],
    *,
    deadline_s: float,
    retries: int = 1,
    arrival_s: float = ARRIVAL_S,
    kept: Kept | None = None,
    tell: Tell = lambda node, state, outcome: None,
    fn: Callable[..., Answer] = run_command,
) -> tuple[Outcome, ...]:
    """Ask each node for its order, and give one outcome for each, in the order of ``orders``.

    The nodes of ``orders`` are the expected ones: one that the pool does not have for ``arrival_s``, or that has not
    answered at the deadline, is lost or late. With ``kept``, only nodes without an answer there are asked.
    """
    outcomes = {node: each for node, each in (kept.read(orders) if kept else {}).items() if each.answered}
    for node, each in outcomes.items():
        tell(node, each.state, each)
    missing = {node: order for node, order in orders.items() if node not in outcomes}
    for each in _Sweep(pool, missing, deadline_s, retries, arrival_s, fn).outcomes(tell):
        outcomes[each.node] = each
        if kept:
            kept.write(each, orders[each.node])
        tell(each.node, each.state, each)
    return tuple(outcomes[node] for node in orders)


class _Sweep:
    """The nodes that are still to answer."""

    def __init__(
        self,
        pool: NodePool,
        orders: Mapping[str, Order],
        deadline_s: float,
        retries: int,
        arrival_s: float,
        fn: Callable[..., Answer],
    ) -> None:
        self.pool, self.arrival_s = pool, arrival_s
        self.began = time.monotonic()
        self.looked = self.began
        self.end = self.began + deadline_s
        self.done: SimpleQueue[str] = SimpleQueue()
        self.seen = dict.fromkeys(orders, self.began)
        self.begun: dict[str, int] = {}
        self.left: dict[str, Asked] = {}
        for node, order in orders.items():
            asked = pool.submit(node, fn, order.argv, deadline_s * MARGIN, order.environ, retries=retries)
            self.left[node] = asked
            asked.add_done_callback(partial(self._note, node))

    def outcomes(self, tell: Tell) -> Iterator[Outcome]:
        """Give outcomes as they come, until every node has one."""
        try:
            while self.left:
                yield from self._answered()
                if time.monotonic() >= self.end:
                    yield from self._overdue()
                    return
                yield from self._gone()
                self._tell_begun(tell)
        finally:
            for asked in self.left.values():
                asked.cancel()

    def _note(self, node: str, asked: object) -> None:
        self.done.put(node)

    def _answered(self) -> Iterator[Outcome]:
        """Wait for a beat, or until the deadline, and give what has come."""
        with suppress(Empty):
            wait_s = max(0.0, min(BEAT_S, self.end - time.monotonic()))
            node = self.done.get(timeout=wait_s)
            while True:
                if asked := self.left.pop(node, None):
                    yield self._outcome(node, asked)
                node = self.done.get_nowait()

    def _outcome(self, node: str, asked: Asked) -> Outcome:
        took_s = time.monotonic() - self.began
        try:
            answer: Answer = asked.result()
        except (NodeLost, CancelledError) as error:
            tries = max(asked.begun, getattr(error, "tries", 0))
            why = str(error) or "the engine gave the task up"
            return Outcome(node=node, state="lost", attempts=tries, took_s=took_s, why=why)
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            return Outcome(node=node, state="raised", attempts=max(1, asked.begun), took_s=took_s, why=why)
        return judged(node, answer, max(1, asked.begun))

    def _overdue(self) -> Iterator[Outcome]:
        """Give those that are still to answer at the deadline: late where they are, lost where they are not."""
        there = set(self.pool.nodes())
        for node, asked in tuple(self.left.items()):
            took_s = time.monotonic() - self.began
            if node in there and asked.begun:
                yield Outcome(
                    node=node, state="late", attempts=asked.begun, took_s=took_s, why="no answer at the deadline"
                )
            else:
                yield self._absent(node, asked)

    def _gone(self) -> Iterator[Outcome]:
        """Give those that the pool has not had for too long."""
        now = time.monotonic()
        if now - self.looked < LOOK_S:
            return
        self.looked = now
        self.seen |= dict.fromkeys(self.pool.nodes(), now)
        for node in [each for each in self.left if now - self.seen[each] >= self.arrival_s]:
            yield self._absent(node, self.left.pop(node))

    def _absent(self, node: str, asked: Asked) -> Outcome:
        asked.cancel()
        why = "its worker went away and did not come back" if asked.begun else "no worker came for it"
        took_s = time.monotonic() - self.began
        return Outcome(node=node, state="lost", attempts=asked.begun, took_s=took_s, why=why)

    def _tell_begun(self, tell: Tell) -> None:
        for node, asked in self.left.items():
            if asked.begun > self.begun.get(node, 0):
                self.begun[node] = asked.begun
                tell(node, "running", None)


def judged(node: str, answer: Answer, attempts: int = 1) -> Outcome:
    """Say what an answer is: ok, failed, or late where the watchdog ended the command."""
    if answer.timed_out:
        why = f"still at work after {answer.took_s:.0f} s"
        return Outcome(node=node, state="late", attempts=attempts, took_s=answer.took_s, answer=answer, why=why)
    state: State = "ok" if answer.rc == 0 else "failed"
    why = "" if answer.rc == 0 else f"exit {answer.rc}" if answer.rc is not None else "it could not be ended"
    return Outcome(node=node, state=state, attempts=attempts, took_s=answer.took_s, answer=answer, why=why)
