"""Facts that came after the packaged ones: YAML files in a folder, laid over them, newest name last.

A file names parts, and in each part blocks as `reading` describes them::

    sources: {index: "https://download.pytorch.org/whl, read 2026-12-03"}
    torch:
      index:
        source: [index]
        seen: 2026-12-03
        confidence: read
        rows:
        - {torch: 2.15.1, on: linux-64, variant: cu132, pythons: 3.11 3.12, sass: 7.5 8.0 8.6 9.0 10.0 12.0, ptx: ""}

A row may also say ``cuda`` (where the variant's name does not), ``ran`` and ``failed`` (capabilities on which kernels
were seen to run, and not to). It replaces the packaged one of the same key (the words that `KEYS` names); every other
row is added.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, get_args

from packaging.version import InvalidVersion, Version

from envforge import wire
from envforge.errors import SpecError
from envforge.facts.builds import Joined, capabilities, cuda_of_variant, join
from envforge.facts.nouns import Confidence
from envforge.facts.reading import FILE_BYTES, FILE_NODES, Part
from envforge.model import Build

KEYS = {
    ("torch", "pypi"): ("torch", "on", "variant", "pythons"),
    ("torch", "index"): ("torch", "on", "variant", "pythons"),
    ("torch", "releases"): ("torch", "date"),
    ("conda_forge", "builds"): ("torch", "on", "variant", "pythons"),
    ("companions", "pairs"): ("torch",),
    ("companions", "wheels"): ("name", "version"),
}


class Overlay:
    """The files of one folder, read and checked: rows by part and block, and a digest of all the texts."""

    def __init__(self, folder: Path) -> None:
        texts = {path: path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.yaml"))}
        names = (f"{path.name}\n{text}" for path, text in texts.items())
        self.digest = hashlib.sha256("\n".join(names).encode()).hexdigest() if texts else ""
        self._rows: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for path, text in texts.items():
            self._read(wire.read_yaml(text, str(path), most_bytes=FILE_BYTES, most_nodes=FILE_NODES))

    def _read(self, root: wire.Node) -> None:
        entries = _mapping(root)
        known = _mapping(entries["sources"]) if "sources" in entries else {}
        for part, node in entries.items():
            if part == "sources":
                continue
            for block, table in _mapping(node).items():
                if (part, block) not in KEYS:
                    raise SpecError(f"facts have no block `{part}.{block}` that may be laid over", (table.where,))
                self._rows.setdefault((part, block), []).extend(_checked_rows(table, KEYS[part, block], known))

    @property
    def dated(self) -> str:
        """Give the newest day on which anything here was seen; empty for no row."""
        return max((row["seen"] for table in self._rows.values() for row in table), default="")

    def over(self, name: str, part: Part) -> Part:
        """Add the rows of the same part behind the packaged ones: a later row of one key wins."""
        changed = dict(part)
        for (stem, block), table in self._rows.items():
            if stem == name and block in part:
                changed[block] = {**part[block], "rows": [*part[block]["rows"], *table]}
        return changed

    def builds(self, base: Mapping[str, Part]) -> dict[str, list[Joined]]:
        """Join this folder's builds with the packaged floors, by subdir."""
        parts: dict[str, dict[str, Any]] = {name: dict(base[name]) for name in ("torch", "conda_forge")}
        for (stem, block), table in self._rows.items():
            if stem in parts:
                parts[stem][block] = {"source": [], "seen": "", "confidence": "read", "rows": table}
        return join(parts)


class Overlaid(Mapping[str, Any]):
    """The packaged parts with an overlay on them."""

    def __init__(self, base: Mapping[str, Any], overlay: Overlay) -> None:
        self._base, self._overlay, self._made = base, overlay, dict[str, Any]()

    def __getitem__(self, name: str) -> Any:
        if name not in self._made:
            self._made[name] = self._make(name)
        return self._made[name]

    def _make(self, name: str) -> Any:
        if name == "index":
            return self._index()
        if name.startswith("builds-"):
            added = self._overlay.builds(self._base).get(name.removeprefix("builds-"), [])
            return _replaced(self._base.get(name, []), added)
        return self._overlay.over(name, self._base[name])

    def _index(self) -> dict[str, str]:
        base = self._base["index"]
        if not self._overlay.digest:
            return dict(base)
        digest = hashlib.sha256(f"{base['digest']}\n{self._overlay.digest}".encode()).hexdigest()
        return {"digest": f"sha256:{digest}", "dated": max(base["dated"], self._overlay.dated)}

    def __iter__(self) -> Iterator[str]:
        return iter(self._base)

    def __len__(self) -> int:
        return len(self._base)


def _replaced(base: Iterable[Joined], added: Iterable[Joined]) -> list[Joined]:
    merged = {_key(build): build for build in base}
    merged |= {_key(build): build for build in added}
    return list(merged.values())


def _key(build: Joined) -> tuple[Any, ...]:
    return build["torch"], build["source"], build["variant"], build.get("tegra", False)


def _mapping(node: wire.Node) -> Mapping[str, wire.Node]:
    if node.entries is None:
        raise SpecError("a mapping was expected here", (node.where,))
    return node.entries


def _checked_rows(block: wire.Node, keys: tuple[str, ...], known: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    entries = _mapping(block)
    if missing := {"source", "seen", "confidence", "rows"} - set(entries):
        raise SpecError(f"a block of facts must say `{min(missing)}`", (block.where,))
    shared = {key: wire.to_plain(entries[key].plain) for key in ("source", "seen", "confidence")}
    for row in entries["rows"].items or ():
        plain = {**shared, **wire.to_plain(row.plain if row.entries is not None else {})}
        _check(plain, keys, known, row)
        yield plain


def _check(row: Mapping[str, Any], keys: tuple[str, ...], known: Mapping[str, Any], node: wire.Node) -> None:
    if wrong := [key for key in keys if not isinstance(row.get(key), str)]:
        raise SpecError(f"this row must give `{wrong[0]}` as text", (node.where,), ("put quotes around numbers",))
    named = [row["source"]] if isinstance(row["source"], str) else row["source"]
    if unknown := [source for source in named if source not in known]:
        raise SpecError(f"no entry of `sources` explains `{unknown[0]}`", (node.where,))
    if row["confidence"] not in get_args(Confidence):
        raise SpecError(f"`{row['confidence']}` is no confidence", (node.where,), ("say read, inferred or measured",))
    version = row.get("torch") or row["version"]
    try:
        Version(version)
        capabilities(" ".join(row.get(key, "") for key in ("sass", "ptx", "ran", "failed")))
    except InvalidVersion as error:
        raise SpecError(f"`{version}` is not a version", (node.where,)) from error
    except ValueError as error:
        raise SpecError(str(error), (node.where,)) from error


def write_overlay(builds: Iterable[Build], seen: str, sources: Mapping[str, str]) -> str:
    """Write builds that a source was seen to have as the text of an overlay; ``sources`` explains what was read."""
    blocks: dict[str, dict[str, Any]] = {}
    for build in builds:
        part, block = _home(build)
        table = blocks.setdefault(part, {}).setdefault(block, _block(seen, sources))
        table["rows"].append(_row(build))
    return wire.write_yaml({"sources": dict(sources), **blocks})


def _home(build: Build) -> tuple[str, str]:
    if build.kind == "conda":
        return "conda_forge", "builds"
    return "torch", "pypi" if build.source == "pypi" else "index"


def _block(seen: str, sources: Mapping[str, str]) -> dict[str, Any]:
    return {"source": list(sources), "seen": seen, "confidence": "read", "rows": []}


def _row(build: Build) -> dict[str, Any]:
    row: dict[str, Any] = {"torch": str(build.torch), "on": build.subdir, "variant": build.variant}
    row |= {"pythons": " ".join(build.pythons), "confidence": build.confidence}
    if build.cuda is not None:
        known = {"sass": build.sass, "ptx": build.ptx}
        known |= {"ran": build.ran or None, "failed": build.failed or None}
        row |= {key: " ".join(map(str, codes)) for key, codes in known.items() if codes is not None}
    if build.cuda != cuda_of_variant(build.variant):
        row["cuda"] = str(build.cuda)
    if build.kind == "conda" and build.glibc:
        row["glibc"] = str(build.glibc)
    if build.tegra:
        row["arm"] = "tegra"
    return row
