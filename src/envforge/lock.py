"""A `Lock` and its file. Written the same from the same values; read strictly, because git merges lock files.

The file is YAML (``envforge.lock/1``): a field that has its default is left out, pairs are written as mappings, conda
packages come before wheels, each half by name. Each section carries its own digest, so that one that was cut off, or
mixed from two by a merge, is no section; one of another target may come and go. Laws: ``read_lock(write_lock(lock)) ==
in_order(lock)``, and a file that was read and written again does not change.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass, replace
from functools import lru_cache
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints
from urllib.parse import unquote, urlsplit

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from envforge.errors import SpecError
from envforge.model import Lock, Locked, Section
from envforge.wire import Node, digest, from_plain, read_yaml, to_plain, write_yaml

SCHEMA = "envforge.lock/1"
MOST_BYTES = 64 << 20
MOST_NODES = 2_000_000
HEAD = "# Made by envforge. Change the spec and run `envforge lock`; this file is checked when it is read.\n"
PAIRS = tuple[tuple[str, str], ...]
_CONFLICT = re.compile(r"^(<{7} |={7}$|>{7} |\|{7} )", re.MULTILINE)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_MD5 = re.compile(r"[0-9a-f]{32}")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_PLAIN = re.compile(r"[A-Za-z0-9_][\w.+!~-]*", re.ASCII)
_FOLDER = re.compile(r"(?!.*\.\.)[\w.-]+(/[\w.-]+)*", re.ASCII)
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
SCHEMES = ("https", "http", "file", "s3", "gcs", "oci")
MOST = 2**53
_CONDA_NAME = re.compile(r"(.+)-([^-]+)-([^-]+)(\.conda|\.tar\.bz2)")
_AGAIN = ("write it anew with `envforge lock`",)
ALSO: Mapping[type, str] = {Lock: "schema", Section: "digest"}


def in_order(lock: Lock) -> Lock:
    """Sort every section's artefacts as the file has them: conda packages, then wheels, each by name."""
    ordered = (replace(each, artefacts=tuple(sorted(each.artefacts, key=_place))) for each in lock.sections)
    return replace(lock, sections=tuple(ordered))


def _place(artefact: Locked) -> tuple[str, str, str]:
    return artefact.kind, artefact.name, artefact.url


def lock_digest(lock: Lock) -> str:
    """Give the digest of everything that a lock says; the order of artefacts does not count."""
    return digest(in_order(lock))


def write_lock(lock: Lock) -> str:
    """Write a lock: equal locks give equal bytes."""
    plain = _written(in_order(lock))
    sections = [{"target": each["target"], "digest": digest(each), **each} for each in plain["sections"]]
    return HEAD + write_yaml({"schema": SCHEMA, **plain, "sections": sections})


def _written(item: Any) -> Any:
    """Turn a value into plain YAML: defaults left out, pairs as mappings."""
    if not is_dataclass(item) or isinstance(item, type) or type(item).__str__ is not object.__str__:
        return [_written(each) for each in item] if isinstance(item, tuple) else to_plain(item)
    hints, plain = _hints(type(item)), {}
    for each in fields(item):
        entry = getattr(item, each.name)
        if entry != each.default or each.default is MISSING:
            plain[each.name] = dict(entry) if hints[each.name] == PAIRS else _written(entry)
    return plain


@lru_cache
def _hints(kind: type) -> Mapping[str, Any]:
    return get_type_hints(kind)


def read_lock(text: str, origin: str) -> Lock:
    """Read a lock strictly. Raises SpecError, with its place, for anything that `write_lock` would not write."""
    if marker := _CONFLICT.search(text):
        line = text.count("\n", 0, marker.start()) + 1
        hints = ("take one side, or write the file anew with `envforge lock`",)
        raise SpecError("git left a merge conflict in the lock", (f"{origin}:{line}:1",), hints)
    root = read_yaml(text, origin, most_bytes=MOST_BYTES, most_nodes=MOST_NODES)
    _check_schema(root)
    lock = from_plain(Lock, _plain(root, Lock))
    entries = root.entries or {}
    if not NAME.fullmatch(lock.name):
        raise SpecError(f"`{lock.name}` cannot be the name of an environment", (entries["name"].where,), _AGAIN)
    sections = entries["sections"].items or ()
    _no_twins([(each.target, node) for each, node in zip(lock.sections, sections, strict=True)], "target")
    for section, node in zip(lock.sections, sections, strict=True):
        _check_section(section, node)
    for section, node in zip(in_order(lock).sections, sections, strict=True):
        _refuse_mixture(section, node)
    return lock


def _check_schema(root: Node) -> None:
    said = (root.entries or {}).get("schema")
    if said is None:
        raise SpecError("this is not a lock file: it has no `schema`", (root.where,), _AGAIN)
    if said.plain != SCHEMA:
        hint = f"this envforge reads `{SCHEMA}`"
        raise SpecError(f"a lock of the schema `{said.text}` cannot be read", (said.where,), (hint,))


def _plain(node: Node, kind: Any) -> Any:
    """Hold a node against the type that belongs there, and give what `from_plain` reads."""
    origin, inner = get_origin(kind), get_args(kind)
    if kind == PAIRS:
        return [[name, _pair(name, each)] for name, each in _entries(node).items()]
    if origin is tuple:
        return [_plain(each, inner[0]) for each in _items(node)]
    if origin in (Union, UnionType):
        return None if node.plain is None else _plain(node, next(each for each in inner if each is not NoneType))
    if is_dataclass(kind) and kind.__str__ is object.__str__:
        return _fields(node, kind)
    return _scalar(node, kind)


def _fields(node: Node, kind: Any) -> dict[str, Any]:
    hints, entries = _hints(kind), _entries(node)
    for name, each in entries.items():
        if name not in hints and name != ALSO.get(kind):
            raise SpecError(f"unknown key `{name}`", (each.where,), _AGAIN)
    for each_field in fields(kind):
        needed = each_field.default is MISSING and each_field.default_factory is MISSING
        if needed and each_field.name not in entries:
            raise SpecError(f"`{each_field.name}` is missing", (node.where,), _AGAIN)
    return {name: _plain(each, hints[name]) for name, each in entries.items() if name in hints}


def _scalar(node: Node, kind: Any) -> Any:
    literal = get_origin(kind) is Literal
    wanted: Any = str if literal or kind not in (int, bool) else kind
    if type(node.plain) is not wanted:
        hint = (f'quote it: "{node.text}"',) if wanted is str and node.text else ()
        raise SpecError(f"`{node.text or node.plain}` is not of type {wanted.__name__}", (node.where,), hint)
    if _CONTROL.search(node.text):
        raise SpecError(f"{node.text!r} has a control character", (node.where,), _AGAIN)
    if wanted is int and not 0 <= node.plain <= MOST:
        raise SpecError(f"`{node.text}` is out of range", (node.where,), _AGAIN)
    try:
        from_plain(kind, node.plain)
    except (ValueError, TypeError, InvalidVersion) as error:
        raise SpecError(f"{error}", (node.where,), _AGAIN) from None
    return node.plain


def _pair(name: str, node: Node) -> str:
    """Read a variable, or a companion's version; what is not plain would break out of a script's line."""
    if not (_VARIABLE.fullmatch(name) or _PLAIN.fullmatch(name)):
        raise SpecError(f"`{name}` is no name for a variable or a package", (node.where,), _AGAIN)
    return str(_scalar(node, str))


def _entries(node: Node) -> Mapping[str, Node]:
    if node.entries is None:
        raise SpecError("a mapping belongs here", (node.where,), _AGAIN)
    return node.entries


def _items(node: Node) -> tuple[Node, ...]:
    if node.items is None:
        raise SpecError("a list belongs here", (node.where,), _AGAIN)
    return node.items


def _check_section(section: Section, node: Node) -> None:
    places = _items(_entries(node)["artefacts"])
    pairs = list(zip(section.artefacts, places, strict=True))
    for artefact, place in pairs:
        for wrong in _disagreements(artefact, section.floor.subdir):
            raise SpecError(f"`{artefact.name}`: {wrong}", (place.where,), _AGAIN)
    if without := _wrong_python(section):
        raise SpecError(without, (node.where,), _AGAIN)
    for kind in ("conda", "wheel"):
        named = [(canonicalize_name(each.name), place) for each, place in pairs if each.kind == kind]
        _no_twins(named, f"{kind} package")


def _wrong_python(section: Section) -> str | None:
    at_hand, wanted = section.interpreter, section.candidate.python
    if at_hand and not at_hand.path.startswith("/"):
        return f"`{at_hand.path}` is not the whole path of a Python"
    found = [each.version for each in section.artefacts if (each.kind, each.name) == ("conda", "python")]
    if not found and at_hand is None:
        return "the section has no Python"
    has = found[0] if found else str(at_hand and at_hand.version)
    fits = has.split(".")[:2] == wanted.split(".")
    return None if fits else f"the section is for Python {wanted}, and has {has}"


def _refuse_mixture(section: Section, node: Node) -> None:
    """Hold a section against the digest that it was written with; files of earlier versions have none."""
    said = _entries(node).get("digest")
    if said and said.plain != digest(_written(section)):
        text = f"section `{section.target}` is not as it was written: it was cut, edited, or mixed from two by a merge"
        raise SpecError(text, (said.where,), _AGAIN)


def _no_twins(named: Sequence[tuple[str, Node]], what: str) -> None:
    first: dict[str, Node] = {}
    for name, place in named:
        if name in first:
            text = f"{what} `{name}` stands twice, first on line {first[name].line}"
            raise SpecError(text, (place.where,), _AGAIN)
        first[name] = place


def _disagreements(artefact: Locked, subdir: str) -> Iterator[str]:
    """Say where a record contradicts itself, as records do that a merge has mixed from two."""
    if not _SHA256.fullmatch(artefact.sha256):
        yield f"`{artefact.sha256}` is not a sha256"
    path = _path(artefact.url)
    if path is None:
        yield f"`{artefact.url}` is not the URL of a file"
    elif artefact.kind == "conda":
        yield from _conda_disagreements(artefact, subdir, path)
    else:
        yield from _wheel_disagreements(artefact, path[-1])


def _path(url: str) -> list[str] | None:
    """Give the parts of a URL's path; None for one that no artefact can come from."""
    try:
        parts = urlsplit(url)
        whole = bool(parts.netloc) and (parts.port is None or parts.port > 0)
    except ValueError:
        return None
    path = unquote(parts.path)
    folders = path.split("/")
    if parts.scheme not in SCHEMES or not (whole or parts.scheme == "file") or _CONTROL.search(path):
        return None
    return folders if len(folders) > 1 and ".." not in folders else None


def _conda_disagreements(artefact: Locked, subdir: str, path: list[str]) -> Iterator[str]:
    if urlsplit(artefact.url).query or urlsplit(artefact.url).fragment:
        yield f"`{artefact.url}` is not the URL of a file alone"
    yield from (f"`{each}` is not plain" for each in _unplain(artefact))
    if artefact.subdir not in (subdir, "noarch"):
        yield f"it is for `{artefact.subdir}`, and the section for `{subdir}`"
    if path[-2] != artefact.subdir:
        yield f"its URL is of `{path[-2]}`, and it says `{artefact.subdir}`"
    named = _CONDA_NAME.fullmatch(path[-1])
    said = (artefact.name, artefact.version, artefact.build)
    if named is None or (named[1], named[2], named[3]) != said:
        yield f"name, version and build say `{'-'.join(said)}`, its URL says `{path[-1]}`"


def _unplain(artefact: Locked) -> Iterator[str]:
    """Give what would be a path, an option or a hash of another kind, where a plain word belongs."""
    plain = (artefact.name, artefact.version, artefact.build, artefact.subdir)
    yield from (each for each in plain if not _PLAIN.fullmatch(each))
    forms = ((_FOLDER, artefact.site_packages_path), (_SHA256, artefact.attestations_sha256), (_MD5, artefact.md5))
    yield from (said for form, said in forms if said is not None and not form.fullmatch(said))
    if artefact.noarch not in (None, "generic", "python"):
        yield artefact.noarch


def _wheel_disagreements(artefact: Locked, filename: str) -> Iterator[str]:
    try:
        name, version, _, _ = parse_wheel_filename(filename)
        agrees = (name, version) == (canonicalize_name(artefact.name), Version(artefact.version))
    except (InvalidWheelFilename, InvalidVersion):
        agrees = False
    if not agrees:
        yield f"name and version say `{artefact.name}-{artefact.version}`, its URL says `{filename}`"
