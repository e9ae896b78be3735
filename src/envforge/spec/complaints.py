"""How a reader of specs complains: every error of one file at once, each with its place and what would help."""

from __future__ import annotations

from difflib import get_close_matches

from envforge.errors import SpecError
from envforge.wire import Node

LONGEST_GUESS = 60


class Mistake(ValueError):
    """A text that says something wrong; ``hints`` are ways to say it right."""

    def __init__(self, message: str, *hints: str) -> None:
        super().__init__(message)
        self.message, self.hints = message, hints


class Report:
    """Every error found in one pass, each with its place."""

    def __init__(self) -> None:
        self.errors: list[SpecError] = []

    def add(self, where: str, message: str, *hints: str) -> None:
        self.errors.append(SpecError(message, (where,), hints))

    def close(self) -> None:
        """Raise the first error with the others behind it, in the order of the file; do nothing when there is none."""
        if self.errors:
            first, *others = self.errors
            raise SpecError(first.message, first.where, first.hints, tuple(others))


def kind(node: Node) -> str:
    """Say in plain words what YAML made of a node."""
    if node.entries is not None or node.items is not None:
        return "a mapping" if node.items is None else "a list"
    names = {bool: "true or false", int: "a number", float: "a number", str: "text", type(None): "empty"}
    return names.get(type(node.plain), "a date")


def did_you_mean(word: str, words: tuple[str, ...]) -> tuple[str, ...]:
    """Give at most one hint; none when nothing is near."""
    near = get_close_matches(word.lower()[:LONGEST_GUESS], words, n=1, cutoff=0.6)
    return (f"did you mean `{near[0]}`?",) if near else ()


def key_place(node: Node, key: str) -> str:
    """Say where a key of a mapping stands."""
    line, column = (node.key_places or {}).get(key, (node.line, node.column))
    return f"{node.origin}:{line}:{column}"
