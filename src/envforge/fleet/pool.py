"""The seam: what the fleet asks of an engine. Three verbs, futures of the standard library, one task per named node."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Protocol


class NodeLost(Exception):
    """The node's worker died, or went away, as often as the engine was willing to try; ``tries`` where it says."""

    def __init__(self, why: str, tries: int = 0) -> None:
        super().__init__(why, tries)
        self.why, self.tries = why, tries

    def __str__(self) -> str:
        return self.why


class Asked(Future[Any]):
    """What one node was asked for. ``begun`` is how often its task was begun there, as far as the engine tells."""

    def __init__(self) -> None:
        super().__init__()
        self.begun = 0

    def begin(self) -> None:
        """Take note that the task was begun once more."""
        self.begun += 1


class NodePool(Protocol):
    """Nodes by name, each of which can be asked to run a function.

    A task runs on its own node or not at all. ``retries`` is how often one that raised, or whose worker died, is begun
    again, there. The future raises what the function raised, or NodeLost; to cancel it takes the task back.
    """

    def nodes(self) -> tuple[str, ...]:
        """Give the nodes that can be asked now, sorted."""
        ...

    def submit(self, node: str, fn: Callable[..., Any], /, *args: Any, retries: int = 0) -> Asked:
        """Ask one node; it need not be there yet."""
        ...

    def close(self) -> None:
        """Let go of the nodes, and end those that were started here."""
        ...
