"""``environment.yml`` of conda and mamba."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from envforge.errors import SpecError
from envforge.foreign.nouns import Foreign, Remark, Wanted
from envforge.foreign.requirements import Listed, read_lines
from envforge.foreign.toml import dependency
from envforge.wire import Node, read_yaml

_SPEC = re.compile(
    r"(?:(?P<channel>[^\s:]+)::|(?P<namespace>[\w./-]+:))?(?P<name>[A-Za-z0-9_][\w.-]*)\s*(?P<rest>(?:[=<>!~\s].*?)?)\s*(?P<bracket>\[.*\])?$"
)
_BRACKETED = re.compile(r"(version|build|channel)\s*=\s*(?:'([^']*)'|\"([^\"]*)\"|([^,\]]+))")
KNOWN = frozenset({"name", "channels", "dependencies", "variables", "prefix", "platforms", "category"})


def read_environment(text: str, origin: str, listed: Listed) -> Foreign:
    """Read an ``environment.yml``; ``listed`` reads files that its pip section includes. Raises SpecError."""
    root = read_yaml(text, origin)
    entries = root.entries
    if entries is None or "dependencies" not in entries:
        raise SpecError("an environment file has `dependencies`", (root.where,))
    wanted = [_conda(node) for node in _items(entries["dependencies"]) if node.entries is None]
    pip = [line for node in _items(entries["dependencies"]) if node.entries for line in _pip_lines(node)]
    files = read_lines(pip, origin, listed)
    return Foreign(
        origin=origin,
        name=str(entries["name"].text) if "name" in entries else "",
        wanted=(*wanted, *files.wanted),
        channels=tuple(node.text for node in _items(entries.get("channels"))),
        indexes=files.indexes,
        default_index=files.default_index,
        find_links=files.find_links,
        variables=tuple((key, node.text) for key, node in _pairs(entries.get("variables"))),
        left_out=(*files.left_out, *_platforms(root), *_unknown(root)),
    )


def _unknown(root: Node) -> Iterator[Remark]:
    for key, (line, _) in (root.key_places or {}).items():
        if key not in KNOWN:
            yield Remark(text=f"`{key}` is not a key of an environment file", where=f"{root.origin}:{line}")


def _platforms(root: Node) -> Iterator[Remark]:
    node = (root.entries or {}).get("platforms")
    if others := [each.text for each in _items(node) if each.text != "linux-64"]:
        text = f"platforms {', '.join(others)}: name the machines under `targets`"
        yield Remark(text=text, where=place_of(node) if node else root.origin)


def _items(node: Node | None) -> tuple[Node, ...]:
    if node is None or node.plain is None:
        return ()
    if node.items is None:
        raise SpecError("a list was expected here", (node.where,))
    return node.items


def _pairs(node: Node | None) -> Iterator[tuple[str, Node]]:
    yield from (node.entries or {}).items() if node else ()


def _pip_lines(node: Node) -> Iterator[tuple[str, str]]:
    """Give the requirements below ``pip:`` with their places."""
    for key, item in (node.entries or {}).items():
        if key != "pip":
            raise SpecError(f"`{key}` is not a kind of packages that conda installs", (node.where,), ("`pip` is one",))
        yield from ((line.text, place_of(line)) for line in _items(item))


def _conda(node: Node) -> Wanted:
    if not node.text.strip():
        raise SpecError("a package was expected here", (node.where,))
    try:
        return conda_package(node.text, place_of(node))
    except ValueError as error:
        raise SpecError(str(error), (node.where,)) from None


def place_of(node: Node) -> str:
    """Give the place of a node without its column, as remarks say it."""
    return f"{node.origin}:{node.line}"


def conda_package(text: str, where: str, channel: str | None = None) -> Wanted:
    """Read a match spec: ``pytorch=2.1=*cuda11*``, ``conda-forge::numpy >=2``. Raises ValueError.

    What stands before a single colon is a namespace, which conda ignores.
    """
    match = _SPEC.fullmatch(text.strip())
    if not match:
        raise ValueError(f"`{text}` is not a match spec")
    version, build = _version_and_build(match["rest"].strip())
    inside = {key: next(filter(None, each), "").strip() for key, *each in _BRACKETED.findall(match["bracket"] or "")}
    return Wanted(
        kind="conda",
        name=match["name"].lower(),
        text=text.strip().removeprefix(match["namespace"] or ""),
        version=inside.get("version", version),
        build=inside.get("build", build),
        channel=match["channel"] or inside.get("channel") or channel,
        where=where,
    )


def _version_and_build(rest: str) -> tuple[str, str]:
    """Split ``=2.1=*cuda11*``, ``==2.1=py39_0``, ``2.1 *cuda*`` and ``>=2, <3``."""
    if match := re.fullmatch(r"(=?=)\s*([^=\s,<>]+)=([^=\s]+)", rest):
        return match[1] + match[2], match[3]
    if match := re.fullmatch(r"([^\s]*[\w*])\s+([\w.*^$+-]+)", rest):
        return match[1], match[2]
    return re.sub(r"\s+", "", rest), ""


def from_table(name: str, found: Any, where: str) -> Wanted:
    """Read pixi's form of a conda dependency: a version, or a table with ``version``, ``build``, ``channel``."""
    plain = dependency(found, where)
    version, build = plain.get("version", "*"), plain.get("build", "")
    channel = plain.get("channel")
    shown = f"{name} {version} {build}".strip() if build else f"{name} {version}" if version != "*" else name
    text = f"{channel}::{shown}" if channel else shown
    return Wanted(
        kind="conda", name=name.lower(), text=text, version=version, build=build, channel=channel, where=where
    )
