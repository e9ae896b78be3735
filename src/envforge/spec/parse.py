"""The text of a spec -> Spec, or every error in it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import PurePath
from typing import Any

from packaging.specifiers import SpecifierSet

from envforge.errors import SpecError
from envforge.model import Attestations, Needs, Spec, Target
from envforge.spec.complaints import Report, key_place, kind
from envforge.spec.table import SPEC
from envforge.spec.words import plain_name
from envforge.wire import Node, read_yaml

RENAMED = {
    "with": "companions",
    "find-links": "find_links",
    "link-scripts": "link_scripts",
    "exclude-newer": "exclude_newer",
}


def parse_spec(text: str, origin: str) -> Spec:
    """Read a spec; ``origin`` is the path it came from, and its stem the name when none is given.

    Raises SpecError with ``path:line:column``; further errors of the file are its ``others``.
    """
    root = read_yaml(text, origin)
    if kind(root) == "empty":
        raise SpecError("the file is empty", (origin,))
    report = Report()
    given = SPEC.read(root, "", report)
    if "name" not in given:
        given["name"] = _stem_name(root, report)
    _refuse_contradictions(root, given, report)
    report.close()
    return Spec(**dict(_fields(given)), origin=origin, places=tuple(_places(root, "")))


def _fields(given: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, found in given.items():
        if key == "needs":
            yield (
                key,
                Needs(gpus=found.get("gpus"), memory_bytes=found.get("memory"), capability=found.get("capability")),
            )
        elif key == "attestations":
            yield key, Attestations(**{"conda": "require", **found})
        elif key == "targets":
            yield key, tuple(_target(name, target) for name, target in found)
        else:
            yield RENAMED.get(key, key), found
    if "gpu" not in given and isinstance(given.get("cuda"), SpecifierSet):
        yield "gpu", "required"


def _target(name: str, found: Any) -> Target:
    return Target(name=name, path=found) if isinstance(found, str) else Target(name=name, profile=found)


def _stem_name(root: Node, report: Report) -> str:
    """Make a name of the file's stem: ``My Vision.yaml`` gives ``my-vision``."""
    stem = PurePath(root.origin).name
    name = plain_name(re.sub(r"\.ya?ml$", "", stem))
    if not name:
        report.add(root.where, "the file's name gives no environment name", "add `name: ...`")
    return name


def _refuse_contradictions(root: Node, given: Mapping[str, Any], report: Report) -> None:
    """Refuse keys that cannot both be meant, at the place of the second."""
    gpu, needs = given.get("gpu"), given.get("needs") or {}
    versioned = isinstance(given.get("cuda"), SpecifierSet)
    without = not versioned and given.get("cuda") == "none"
    if without and gpu == "required":
        report.add(key_place(root, "gpu"), "`gpu: required` contradicts `cuda: none`", "drop one of them")
    if without and given.get("toolkit"):
        report.add(key_place(root, "toolkit"), "`toolkit: true` contradicts `cuda: none`", "drop one of them")
    if versioned and gpu == "none":
        hint = "write `gpu: preferred` for a CUDA build that may also run without a GPU"
        report.add(key_place(root, "gpu"), "`gpu: none` contradicts a version of `cuda`", hint)
    signed = given.get("attestations")
    if signed is not None and signed.get("conda") != "off" and not signed.get("publisher"):
        hint = "write `publisher: https://github.com/ORGANISATION/*`"
        report.add(key_place(root, "attestations"), "`attestations` does not say whose signatures count", hint)
    if gpu == "none" and any(needs.values()):
        report.add(key_place(root, "needs"), "`needs` contradicts `gpu: none`", "drop one of them")


def _places(node: Node, path: str) -> Iterator[tuple[str, int, int]]:
    """Give the line and column of every key and every list item: ``cuda``, ``needs.memory``, ``wheels.0``."""
    for key, item in (node.entries or {}).items():
        line, column = (node.key_places or {})[key]
        yield f"{path}{key}", line, column
        yield from _places(item, f"{path}{key}.")
    for index, item in enumerate(node.items or ()):
        yield f"{path}{index}", item.line, item.column
        yield from _places(item, f"{path}{index}.")
