"""Turn the YAML files of facts into what is loaded: ``python -m envforge.facts.compile`` (``nox -s facts``).

The YAML is the truth; a test holds the compiled files equal to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from envforge.facts.builds import join
from envforge.facts.reading import Part, blocks, newest, read_part

HERE = Path(__file__).parent
DATA = HERE / "data"
COMPILED = HERE / "compiled"
JOINED = {"torch": {"pypi", "index", "conda_channel"}, "conda_forge": {"builds"}}


def read_parts(folder: Path) -> dict[str, Part]:
    """Read every YAML file of facts in a folder, by stem."""
    return {path.stem: read_part(path.read_text(), path.name) for path in sorted(folder.glob("*.yaml"))}


def digest_of(folder: Path) -> str:
    """Give the sha256 over the names and bytes of the YAML files in a folder, ``sha256:...``."""
    state = hashlib.sha256()
    for path in sorted(folder.glob("*.yaml")):
        state.update(f"{path.name}\n{hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    return f"sha256:{state.hexdigest()}"


def compile_facts(folder: Path) -> dict[str, str]:
    """Give the compiled files as texts, by name: one per part, the builds by subdir, and an index with the digest."""
    parts = read_parts(folder)
    builds = {f"builds-{subdir}": rows for subdir, rows in join(parts).items()}
    index = {"digest": digest_of(folder), "dated": max(newest(part) for part in parts.values())}
    return {name: _json(value) for name, value in {"index": index, **_lean(parts), **builds}.items()}


def _lean(parts: Mapping[str, Part]) -> dict[str, Any]:
    return {stem: dict(_kept(stem, part)) for stem, part in parts.items()}


def _kept(stem: str, part: Part) -> Iterator[tuple[str, Any]]:
    for name, block in blocks(part):
        if name not in JOINED.get(stem, ()):
            yield name, _without_prose(block)


def _without_prose(block: Mapping[str, Any]) -> dict[str, Any]:
    return {key: item for key, item in block.items() if key != "about"}


def _json(value: Any) -> str:
    """Write one row per line, so that a diff shows what changed."""
    if isinstance(value, list):
        return "[\n" + ",\n".join(_flat(row) for row in value) + "\n]\n"
    return "{\n" + ",\n".join(f"{_flat(key)}: {_block(item)}" for key, item in value.items()) + "\n}\n"


def _block(item: Any) -> str:
    if not isinstance(item, dict):
        return _flat(item)
    rows = "[\n" + ",\n".join(_flat(row) for row in item["rows"]) + "\n]"
    shared = [f"{_flat(key)}: {_flat(entry)}" for key, entry in item.items() if key != "rows"]
    return "{" + ", ".join([*shared, f'"rows": {rows}']) + "}"


def _flat(item: Any) -> str:
    return json.dumps(item, ensure_ascii=False, separators=(",", ":"))


def main() -> None:
    """Write the compiled files, and remove those that no part gives any more."""
    COMPILED.mkdir(exist_ok=True)
    texts = compile_facts(DATA)
    for path in COMPILED.glob("*.json"):
        if path.stem not in texts:
            path.unlink()
    for name, text in texts.items():
        (COMPILED / f"{name}.json").write_text(text)


if __name__ == "__main__":
    main()
