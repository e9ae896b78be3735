"""What nodes answered, one JSON file each: a sweep that is run again asks only those that have not answered."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote

from envforge.errors import DiskFailed
from envforge.fleet.task import Answer, Order
from envforge.model import value
from envforge.wire import digest, from_plain, to_json

State = Literal["ok", "failed", "raised", "lost", "late"]
SCHEMA = "envforge.fleet.node/1"
FAULTS = (ValueError, TypeError, KeyError, AttributeError)


@value
class Outcome:
    """What came of one node.

    ``ok`` the command ended with 0; ``failed`` it ended otherwise, and may have said why in its document; ``raised``
    it could not be run; ``lost`` the node, or its worker, is gone or never came; ``late`` it was not done in time.
    """

    node: str
    state: State
    attempts: int = 0
    took_s: float = 0.0
    answer: Answer | None = None
    why: str = ""

    @property
    def answered(self) -> bool:
        """True when the command itself gave an answer, so that there is no need to ask again."""
        return self.state in ("ok", "failed")


@value
class _Entry:
    schema: str
    asked: str
    outcome: Outcome


class Kept:
    """The folder of one sweep. An answer counts only for the very order that it was given to; ``again``, none does."""

    def __init__(self, folder: Path, *, again: bool = False) -> None:
        self.folder, self.again = folder, again

    def read(self, orders: Mapping[str, Order]) -> dict[str, Outcome]:
        """Give the outcomes that are kept for these orders, whatever they were; a file that cannot be read is none."""
        found = {} if self.again else {node: self._entry(node) for node in orders}
        return {node: entry.outcome for node, entry in found.items() if entry and entry.asked == digest(orders[node])}

    def all(self) -> tuple[Outcome, ...]:
        """Give every outcome that is kept, whatever was asked, by node."""
        names = sorted(unquote(path.stem) for path in self.folder.glob("*.json"))
        return tuple(entry.outcome for name in names if (entry := self._entry(name)))

    def write(self, outcome: Outcome, order: Order) -> None:
        """Write one outcome, whole. Raises DiskFailed."""
        path = self._path(outcome.node)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            fresh = path.with_suffix(f".{os.getpid()}")
            fresh.write_text(to_json(_Entry(schema=SCHEMA, asked=digest(order), outcome=outcome)), encoding="utf-8")
            fresh.replace(path)
        except OSError as error:
            raise DiskFailed(f"the report cannot be written: {error.strerror}", (str(path),)) from error

    def _path(self, node: str) -> Path:
        return self.folder / f"{quote(node, safe='')}.json"

    def _entry(self, node: str) -> _Entry | None:
        with suppress(OSError, *FAULTS):
            entry = from_plain(_Entry, json.loads(self._path(node).read_text(encoding="utf-8")))
            return entry if entry.schema == SCHEMA else None
        return None
