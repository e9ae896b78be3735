"""What a value of a spec may look like. Each shape reads a node and describes itself as JSON Schema: one truth.

A shape that meets something else reports it and gives None; reading goes on, so that one pass finds every error.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from typing import Any, Protocol

from envforge.model import value
from envforge.spec.complaints import Mistake, Report, did_you_mean, key_place, kind
from envforge.wire import Node

LONGEST_TEXT = 4096
YES_NO = {"true": "true", "yes": "true", "on": "true", "false": "false", "no": "false", "off": "false"}


class Shape(Protocol):
    """One kind of value; ``path`` is the key as people say it, ``needs.memory``."""

    def read(self, node: Node, path: str, report: Report, /) -> Any: ...
    def schema(self) -> dict[str, Any]: ...


def _wrong_kind(node: Node, path: str, wanted: str, report: Report) -> None:
    report.add(node.where, f"{f'`{path}`' if path else 'a spec'} must be {wanted}, not {kind(node)}")


@value
class Text:
    """A text, read by ``parse`` (raises Mistake).

    A number or a date in its place gets the hint to write ``quoted``; what the pattern refuses, the ``nearest`` text.
    """

    what: str
    parse: Callable[[str], Any] = str
    examples: tuple[str, ...] = ()
    pattern: str | None = None
    dates: bool = False
    quoted: str = '"{}"'
    nearest: Callable[[str], str] | None = None

    def read(self, node: Node, path: str, report: Report, /) -> Any:
        if not self._is_text(node):
            return self._not_text(node, path, report)
        if not node.text.strip() or len(node.text) > LONGEST_TEXT or "\0" in node.text:
            return report.add(node.where, f"`{path}` must be {self.what}, in one to {LONGEST_TEXT} characters")
        try:
            return self._matched(node.text.strip())
        except Mistake as mistake:
            return report.add(node.where, f"`{path}`: {mistake.message}", *mistake.hints)

    def _is_text(self, node: Node) -> bool:
        return kind(node) == "text" or (self.dates and kind(node) == "a date")

    def _matched(self, text: str) -> Any:
        if self.pattern and not re.search(self.pattern, text):
            near = self.nearest(text) if self.nearest else ""
            examples = tuple(f"for example `{each}`" for each in self.examples[:1])
            raise Mistake(f"`{text}` is not {self.what}", *((f"write `{near}`",) if near else examples))
        return self.parse(text)

    def _not_text(self, node: Node, path: str, report: Report) -> None:
        if kind(node) in {"a number", "a date", "true or false"}:
            fix = f"write `{path.rpartition('.')[2]}: {self.quoted.format(node.text)}`"
            report.add(node.where, f"`{path}` must be text, but YAML reads `{node.text}` as {kind(node)}", fix)
        else:
            _wrong_kind(node, path, self.what, report)

    def schema(self) -> dict[str, Any]:
        described: dict[str, Any] = {"type": "string", "minLength": 1, "description": self.what}
        if self.examples:
            described["examples"] = list(self.examples)
        return described | ({"pattern": self.pattern} if self.pattern else {})


@value
class Word:
    """One of a few words."""

    words: tuple[str, ...]

    def read(self, node: Node, path: str, report: Report, /) -> Any:
        if kind(node) == "text" and node.text in self.words:
            return node.text
        wanted = ", ".join(f"`{word}`" for word in self.words)
        hints = did_you_mean(node.text, self.words) if node.text else ()
        if kind(node) == "true or false":
            hints = (f'YAML reads `{node.text}` as true or false; quote a word, as in "{self.words[-1]}"',)
        shown = f"`{node.text}`" if node.text else kind(node)
        return report.add(node.where, f"`{path}` must be one of {wanted}, not {shown}", *hints)

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.words)}


@value
class Flag:
    """true or false."""

    def read(self, node: Node, path: str, report: Report, /) -> Any:
        if isinstance(node.plain, bool):
            return node.plain
        meant = YES_NO.get(node.text.lower())
        hints = (f"write `{path.rpartition('.')[2]}: {meant}`",) if meant else ()
        return report.add(node.where, f"`{path}` must be `true` or `false`, not {kind(node)}", *hints)

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


@value
class Count:
    """A whole number that is not negative."""

    most: int = 1_000_000

    def read(self, node: Node, path: str, report: Report, /) -> Any:
        if isinstance(node.plain, int) and not isinstance(node.plain, bool) and 0 <= node.plain <= self.most:
            return node.plain
        shown = f"`{node.text[:40]}`" if node.text else kind(node)
        return report.add(node.where, f"`{path}` must be a whole number from 0 to {self.most}, not {shown}")

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": 0, "maximum": self.most}


@value
class Null:
    """An empty value, where it has a meaning (a machine that has no driver)."""

    def read(self, node: Node, path: str, report: Report, /) -> Any:
        return None

    def schema(self) -> dict[str, Any]:
        return {"type": "null"}


@value
class Many:
    """A list of one shape; ``unique`` ones may stand once only."""

    item: Shape
    what: str
    least: int = 0
    unique: bool = False

    def read(self, node: Node, path: str, report: Report, /) -> Any:
        if node.items is None:
            hints = (f"write `{path}: [{node.text}]`",) if kind(node) == "text" and node.text else ()
            return report.add(node.where, f"`{path}` must be a list of {self.what}, not {kind(node)}", *hints)
        if len(node.items) < self.least:
            return report.add(node.where, f"`{path}` must not be empty")
        self._refuse_twins(node.items, path, report)
        return tuple(self.item.read(each, path, report) for each in node.items)

    def _refuse_twins(self, items: tuple[Node, ...], path: str, report: Report) -> None:
        seen: set[str] = set()
        for item in items if self.unique else ():
            if item.text in seen:
                report.add(item.where, f"`{item.text}` stands twice under `{path}`")
            seen.add(item.text)

    def schema(self) -> dict[str, Any]:
        limits = {"minItems": self.least} if self.least else {}
        return {"type": "array", "items": self.item.schema(), **limits} | ({"uniqueItems": True} if self.unique else {})


@value
class Either:
    """One shape for each kind of value that may stand here."""

    options: tuple[tuple[str, Shape], ...]

    def read(self, node: Node, path: str, report: Report, /) -> Any:
        shape = dict(self.options).get(kind(node)) or self.options[0][1]
        return shape.read(node, path, report)

    def schema(self) -> dict[str, Any]:
        return {"anyOf": [shape.schema() for _, shape in self.options]}


@value
class Pairs:
    """A mapping whose keys the user chooses, given as pairs in the order written."""

    name: Text
    item: Shape
    what: str

    def read(self, node: Node, path: str, report: Report, /) -> Any:
        if node.entries is None:
            return _wrong_kind(node, path, f"a mapping of {self.what}", report)
        return tuple(self._read(node, path, report))

    def _read(self, node: Node, path: str, report: Report) -> Iterator[tuple[str, Any]]:
        for key, item in (node.entries or {}).items():
            if self.name.pattern and not re.search(self.name.pattern, key):
                report.add(key_place(node, key), f"`{key}` under `{path}` is not {self.name.what}")
            yield key, self.item.read(item, f"{path}.{key}", report)

    def schema(self) -> dict[str, Any]:
        names = {"pattern": self.name.pattern} if self.name.pattern else {}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.item.schema()}


@value
class Key:
    """A key, its shape, what it is for, its default as people read it, and words that people use for it elsewhere."""

    name: str
    shape: Shape
    says: str
    default: Any = None
    elsewhere: tuple[str, ...] = ()


@value
class Table:
    """A mapping with known keys only; gives those that are written."""

    keys: tuple[Key, ...]
    what: str
    also: Mapping[str, Any] = field(default_factory=dict)

    def read(self, node: Node, path: str, report: Report, /) -> dict[str, Any]:
        if node.entries is None:
            _wrong_kind(node, path, "a mapping of keys", report)
            return {}
        return dict(self._read(node, path, report))

    def _read(self, node: Node, path: str, report: Report) -> Iterator[tuple[str, Any]]:
        shapes = {key.name: key.shape for key in self.keys}
        for name, item in (node.entries or {}).items():
            full = f"{path}.{name}" if path else name
            if name not in shapes:
                report.add(key_place(node, name), f"unknown key `{full}`", *self._meant(name))
            elif kind(item) == "empty" and not _takes_null(shapes[name]):
                report.add(item.where, f"`{full}` has no value", "give it one, or leave the key out")
            else:
                yield name, shapes[name].read(item, full, report)

    def _meant(self, name: str) -> tuple[str, ...]:
        for key in self.keys:
            if name.lower() in key.elsewhere:
                return (f"did you mean `{key.name}`?",)
        names = tuple(key.name for key in self.keys)
        return did_you_mean(name, names) or (f"the keys are {', '.join(names)}",)

    def schema(self) -> dict[str, Any]:
        properties = {key.name: _described(key) for key in self.keys}
        return {"type": "object", "additionalProperties": False, "properties": properties, **self.also}


def _takes_null(shape: Shape) -> bool:
    return isinstance(shape, Either) and any(isinstance(each, Null) for _, each in shape.options)


def _described(key: Key) -> dict[str, Any]:
    default = {} if key.default is None else {"default": key.default}
    return key.shape.schema() | {"description": key.says} | default
