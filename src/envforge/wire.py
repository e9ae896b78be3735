"""Values <-> YAML and JSON. Every value read knows its place, so that every complaint can name ``path:line:column``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from envforge.errors import SpecError
from envforge.model import ComputeCapability, value

_T = TypeVar("_T")
SPEC_BYTES = 1 << 20
SPEC_NODES = 20_000
DEPTH = 60
CONTAINER_TAGS = ("tag:yaml.org,2002:map", "tag:yaml.org,2002:seq")


@value
class Node:
    """One YAML value with its place. ``plain`` is the Python value; ``text`` the scalar as it was written."""

    origin: str
    line: int
    column: int
    plain: Any
    text: str = ""
    entries: Mapping[str, Node] | None = None
    items: tuple[Node, ...] | None = None
    key_places: Mapping[str, tuple[int, int]] | None = None

    @property
    def where(self) -> str:
        return f"{self.origin}:{self.line}:{self.column}"


def read_yaml(text: str, origin: str, *, most_bytes: int = SPEC_BYTES, most_nodes: int = SPEC_NODES) -> Node:
    """Read one YAML document strictly: no duplicate keys, no tags of code, no alias bombs, no empty document.

    Raises SpecError with ``origin:line:column``.
    """
    import yaml

    if len(text) > most_bytes:
        raise SpecError(f"the file is larger than {most_bytes >> 20} MiB", (origin,))
    kind = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        _measure(yaml.parse(text, Loader=kind), origin, most_nodes)
        return _compose(kind(text), origin, most_nodes)
    except yaml.MarkedYAMLError as error:
        raise _syntax_error(error, text, origin) from error
    except yaml.reader.ReaderError as error:
        raise _unprintable(text, origin) from error
    except yaml.YAMLError as error:
        raise SpecError(f"not YAML: {str(error).splitlines()[0]}", (origin,)) from error
    except UnicodeEncodeError as error:
        raise SpecError("the file is not Unicode text", (origin,)) from error


def _measure(events: Iterator[Any], origin: str, most_nodes: int) -> None:
    """Refuse nesting and length before composing: PyYAML composes by recursion in C, and dies of a deep document."""
    depth = 0
    for count, event in enumerate(events):
        name = type(event).__name__
        depth += name.endswith("StartEvent") - name.endswith("EndEvent")
        if depth > DEPTH or count > 3 * most_nodes:
            place = event.start_mark
            where = f"{origin}:{place.line + 1}:{place.column + 1}"
            raise SpecError("nesting or length makes the document too large", (where,))


def _compose(loader: Any, origin: str, most_nodes: int) -> Node:
    try:
        root = loader.get_single_node()
        if root is None:
            raise SpecError("the file is empty", (f"{origin}:1:1",))
        return _Reader(loader, origin, most_nodes).node(root, 0)
    finally:
        loader.dispose()


def _unprintable(text: str, origin: str) -> SpecError:
    """Find the character that YAML forbids: the C reader counts bytes, and tells no line."""
    import yaml

    found = yaml.reader.Reader.NON_PRINTABLE.search(text)
    at = found.start() if found else 0
    line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
    said = f"not YAML: the character U+{ord(text[at]):04X} cannot stand in a file"
    return SpecError(said, (f"{origin}:{line}:{column}",))


def _syntax_error(error: Any, text: str, origin: str) -> SpecError:
    mark = error.problem_mark or error.context_mark
    where = f"{origin}:{mark.line + 1}:{mark.column + 1}" if mark else origin
    if mark and text[mark.index : mark.index + 1] == "\t":
        return SpecError("not YAML: a tab indents this line", (where,), ("YAML indents with blanks, never with tabs",))
    if mark and error.context_mark and "unexpected end of stream" in str(error.problem):
        begun = error.context_mark
        where = f"{origin}:{begun.line + 1}:{begun.column + 1}"
        return SpecError("not YAML: a quote that is opened here is never closed", (where,))
    return SpecError(f"not YAML: {error.problem or error.context}", (where,))


class _Reader:
    """Turns composed YAML nodes into `Node`, counting them, so that aliases cannot explode."""

    def __init__(self, loader: Any, origin: str, most_nodes: int) -> None:
        self.loader, self.origin, self.left = loader, origin, most_nodes

    def node(self, raw: Any, depth: int) -> Node:
        self.left -= 1
        line, column = raw.start_mark.line + 1, raw.start_mark.column + 1
        if self.left < 0 or depth > DEPTH:
            raise SpecError("aliases or nesting make the document too large", (f"{self.origin}:{line}:{column}",))
        if raw.id != "scalar" and raw.tag not in CONTAINER_TAGS:
            raise SpecError(f"tag `{raw.tag}` is not allowed", (f"{self.origin}:{line}:{column}",))
        if raw.id == "mapping":
            return self._mapping(raw, line, column, depth)
        if raw.id == "sequence":
            items = tuple(self.node(item, depth + 1) for item in raw.value)
            plain = [item.plain for item in items]
            return Node(origin=self.origin, line=line, column=column, plain=plain, items=items)
        return Node(origin=self.origin, line=line, column=column, plain=self._scalar(raw), text=raw.value)

    def _mapping(self, raw: Any, line: int, column: int, depth: int) -> Node:
        entries: dict[str, Node] = {}
        places: dict[str, tuple[int, int]] = {}
        for key, item in raw.value:
            place = (key.start_mark.line + 1, key.start_mark.column + 1)
            name = str(key.value) if key.id == "scalar" else ""
            where = (f"{self.origin}:{place[0]}:{place[1]}",)
            if not name or name == "<<":
                raise SpecError("a key must be a plain word", where)
            if name in entries:
                raise SpecError(f"key `{name}` stands twice, first on line {places[name][0]}", where)
            places[name], entries[name] = place, self.node(item, depth + 1)
        plain = {name: node.plain for name, node in entries.items()}
        return Node(origin=self.origin, line=line, column=column, plain=plain, entries=entries, key_places=places)

    def _scalar(self, raw: Any) -> Any:
        try:
            return self.loader.construct_object(raw)
        except Exception as error:
            where = f"{self.origin}:{raw.start_mark.line + 1}:{raw.start_mark.column + 1}"
            kind = raw.tag.rpartition(":")[2]
            raise SpecError(f"`{raw.value[:80]}` cannot be read as {kind}", (where,)) from error


def write_yaml(plain: Any) -> str:
    """Write plain values as YAML, in the order given, so that equal values give equal bytes."""
    import yaml

    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    return str(yaml.dump(plain, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110))


def to_plain(item: Any) -> Any:
    """Turn values into what JSON and YAML can carry: dataclasses to mappings, numbers of ours to their text."""
    if item is None or isinstance(item, bool | int | float | str):
        return item
    if is_dataclass(item) and not isinstance(item, type) and not _is_number(item):
        return dict(_plain_fields(item))
    if isinstance(item, Mapping):
        return {str(key): to_plain(entry) for key, entry in item.items()}
    if isinstance(item, list | tuple | set | frozenset):
        return [to_plain(entry) for entry in item]
    return item.value if isinstance(item, Enum) else str(item)


def _plain_fields(item: Any) -> Iterator[tuple[str, Any]]:
    for each in fields(item):
        yield each.name, to_plain(getattr(item, each.name))


def _is_number(item: object) -> bool:
    return type(item).__str__ is not object.__str__


def from_plain(kind: type[_T], plain: Any) -> _T:
    """Read a value of this kind from what `to_plain` made of it; fields that are missing take their default.

    Raises ValueError, KeyError, TypeError or AttributeError when it is something else.
    """
    return cast(_T, _read(kind, plain))


def _read(kind: Any, plain: Any) -> Any:
    origin, inner = get_origin(kind), get_args(kind)
    if origin is tuple:
        return _read_tuple(inner, plain)
    if origin in (Union, UnionType):
        return None if plain is None and NoneType in inner else _read_first(inner, plain)
    if origin is not None:
        return _read_generic(origin, inner, plain)
    if kind is ComputeCapability:
        return ComputeCapability.parse(plain)
    if is_dataclass(kind) and kind.__str__ is object.__str__:
        return _read_fields(kind, plain)
    if kind in (str, int, bool) and not isinstance(plain, kind):
        raise TypeError(f"`{plain}` is not of type {kind.__name__}")
    return plain if kind is Any else kind(plain)


def _read_tuple(inner: tuple[Any, ...], plain: Any) -> tuple[Any, ...]:
    if inner[-1] is Ellipsis:
        return tuple(_read(inner[0], entry) for entry in plain)
    return tuple(_read(kind, entry) for kind, entry in zip(inner, plain, strict=True))


def _read_first(kinds: tuple[Any, ...], plain: Any) -> Any:
    for kind in kinds:
        try:
            return _read(kind, plain)
        except (ValueError, TypeError, KeyError, AttributeError):
            continue
    raise ValueError(f"`{plain}` is none of {', '.join(map(str, kinds))}")


def _read_generic(origin: Any, inner: tuple[Any, ...], plain: Any) -> Any:
    if origin is Literal:
        if plain not in inner:
            raise ValueError(f"`{plain}` is none of {', '.join(map(str, inner))}")
        return plain
    return {key: _read(inner[1], entry) for key, entry in plain.items()}


def _read_fields(kind: Any, plain: Any) -> Any:
    hints = _hints(kind)
    return kind(**{name: _read(hints[name], entry) for name, entry in plain.items() if name in hints})


@lru_cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)


def to_json(item: Any) -> str:
    """Write one JSON document, indented by two, keys in the order of the fields."""
    return json.dumps(to_plain(item), indent=2, ensure_ascii=False)


def digest(item: Any) -> str:
    """Give the sha256 of a value's canonical JSON, ``sha256:...``."""
    canonical = json.dumps(to_plain(item), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
