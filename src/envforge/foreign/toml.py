"""TOML with places: what `tomllib` reads, and the line on which a key or a text stands."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from envforge.errors import SpecError

Dependency = Mapping[str, str]
_HEADER = re.compile(r"\s*\[\[?\s*([^\]]+?)\s*\]\]?\s*(#.*)?$")
_KEY = re.compile(r"\s*((?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[A-Za-z0-9_-]+|\"[^\"]*\"|'[^']*'))*)\s*=")
_PART = re.compile(r"\"([^\"]*)\"|'([^']*)'|([A-Za-z0-9_-]+)")


class Toml:
    """One TOML document. ``plain`` is what it says; `where` gives places of the form ``path:line``."""

    def __init__(self, text: str, origin: str) -> None:
        self.origin = origin
        try:
            self.plain: Mapping[str, Any] = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise _syntax_error(error, text, origin) from error
        self._lines = text.splitlines()
        self._places = dict(reversed(list(_keys(self._lines))))

    def table(self, *path: str) -> Mapping[str, Any]:
        """Give the table at a path, empty when there is none. Raises SpecError when something else stands there."""
        here: Any = self.plain
        for depth, key in enumerate(path):
            here = here.get(key, {})
            if not isinstance(here, Mapping):
                raise SpecError(f"`{'.'.join(path[: depth + 1])}` is not a table", (self.where(*path[: depth + 1]),))
        return here  # type: ignore[no-any-return]

    def text(self, *path: str) -> str | None:
        """Give a text, a number as it is written, or None when there is nothing. Raises SpecError."""
        found = self.table(*path[:-1]).get(path[-1])
        if found is None or isinstance(found, str):
            return found
        if isinstance(found, list | Mapping):
            raise SpecError(f"`{'.'.join(path)}` is not a text", (self.where(*path),))
        return str(found)

    def texts(self, *path: str) -> tuple[str, ...]:
        """Give a list of texts, empty when there is none. Raises SpecError."""
        return tuple(str(each) for each in self._list(path, (str,), "texts"))

    def tables(self, *path: str) -> tuple[Dependency, ...]:
        """Give a list of tables with plain entries, empty when there is none. Raises SpecError."""
        return tuple(dependency(each, self.where(*path)) for each in self._list(path, (Mapping,), "tables"))

    def mixed(self, *path: str) -> tuple[str | Mapping[str, Any], ...]:
        """Give a list of texts and tables, empty when there is none. Raises SpecError."""
        return self._list(path, (str, Mapping), "texts or tables")

    def _list(self, path: tuple[str, ...], kinds: tuple[type, ...], what: str) -> tuple[Any, ...]:
        found = self.table(*path[:-1]).get(path[-1], [])
        if not isinstance(found, list) or not all(isinstance(each, kinds) for each in found):
            raise SpecError(f"`{'.'.join(path)}` is not a list of {what}", (self.where(*path),))
        return tuple(found)

    def where(self, *path: str, literal: str = "") -> str:
        """Say where a key stands, or the first line from there on that has this text; else the nearest key above."""
        for size in range(len(path), 0, -1):
            if line := self._places.get(path[:size]):
                found = self._first_line(line, literal) if literal else line
                return f"{self.origin}:{found}"
        return f"{self.origin}:{self._first_line(1, literal)}" if literal else self.origin

    def _first_line(self, start: int, literal: str) -> int:
        found = (number for number in range(start, len(self._lines) + 1) if literal in self._lines[number - 1])
        return next(found, start)


def dependency(found: Any, where: str, key: str = "version") -> Dependency:
    """Read a table of plain entries, or one text in its place, as texts: lists joined by commas, ``false`` as empty.

    Tables inside are left out. Raises SpecError for anything else.
    """
    if isinstance(found, str):
        return {key: found}
    if not isinstance(found, Mapping):
        raise SpecError(f"`{found}` is neither a text nor a table", (where,))
    return {name: _text(each) for name, each in found.items() if not isinstance(each, Mapping)}


def _text(found: Any) -> str:
    if isinstance(found, list):
        return ",".join(str(each) for each in found)
    return "" if found is False else str(found)


def _keys(lines: list[str]) -> Iterator[tuple[tuple[str, ...], int]]:
    """Give the path of every key that begins a line, and its line; texts over several lines may add harmless ones."""
    table: tuple[str, ...] = ()
    for number, line in enumerate(lines, start=1):
        if header := _HEADER.match(line):
            table = _parts(header[1])
            yield table, number
        elif key := _KEY.match(line):
            yield (*table, *_parts(key[1])), number


def _parts(text: str) -> tuple[str, ...]:
    return tuple(next(filter(None, each.groups()), "") for each in _PART.finditer(text))


def _syntax_error(error: tomllib.TOMLDecodeError, text: str, origin: str) -> SpecError:
    message = str(error)
    found = re.search(r" \(at line (\d+), column (\d+)\)", message)
    at_end = "(at end of document)" in message
    place = f":{found[1]}:{found[2]}" if found else f":{text.count(chr(10)) + 1}:1" if at_end else ""
    said = re.sub(r" \(at [^)]*\)$", "", message)
    return SpecError(f"not TOML: {said[:1].lower()}{said[1:].rstrip('.')}", (origin + place,))
