"""What the packages of an environment, and those in the caches, say of their own files: each with its sha256."""

from __future__ import annotations

import base64
import csv
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from envforge.model import Environment, Section, value
from envforge.provision.drift import dist_info_key, distributions

UNTOLD = "not told"


@value
class Expected:
    """A file that a package brought: where it is, and the sha256 that it must have, of a soft link its target's name.

    ``sha256`` is empty where the record tells none: then the file need only be there. ``record`` is what tells it, of
    a file in which Python keeps what it compiled: where that is older, Python may have compiled anew.
    """

    package: str
    path: Path
    sha256: str
    soft: bool = False
    record: Path | None = None


def installed_files(environment: Environment) -> tuple[Expected, ...]:
    """Give what ``conda-meta`` and the wheels' RECORD files say of an environment's files."""
    prefix = environment.prefix
    records = sorted(path for path in (prefix / "conda-meta").glob("*-*-*.json") if not path.is_symlink())
    conda = (each for record in records for each in _of_installed(record, prefix))
    wheels = (each for record in _wheel_records(environment) for each in of_record(record))
    return (*conda, *wheels)


def _of_installed(record: Path, prefix: Path) -> Iterator[Expected]:
    """Give the files of one conda package."""
    for each in _told(record, record.stem, prefix):
        yield replace(each, record=record) if each.path.suffix == ".pyc" else each


def _told(record: Path, package: str, folder: Path) -> Iterator[Expected]:
    """Give the files that a record tells of; where it cannot be read, the record alone."""
    plain = _load(record)
    if plain is None:
        yield Expected(package=package, path=record, sha256=UNTOLD)
    paths = plain.get("paths_data", plain).get("paths", []) if isinstance(plain, dict) else []
    entries = [each for each in paths if isinstance(each, dict) and "_path" in each]
    yield from _of_conda(entries, package, folder)


def archive_sha256(record: Path) -> str | None:
    """Give the sha256 of the archive that a conda package came from; None where its record does not tell."""
    plain = _load(record)
    return plain.get("sha256") if isinstance(plain, dict) else None


def _load(record: Path) -> Any:
    try:
        return json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def _of_conda(entries: list[dict[str, Any]], package: str, folder: Path) -> Iterator[Expected]:
    """Give a conda package's files; what Python compiled anew, because its source names the prefix, is Python's own."""
    patched = {_compiled(each["_path"]) for each in entries if each.get("prefix_placeholder")}
    for each in entries:
        path, kind = str(each["_path"]), each.get("path_type")
        if kind != "directory" and path.split(".cpython-", maxsplit=1)[0] not in patched:
            known = str(each.get("sha256_in_prefix") or ("" if kind == "softlink" else each.get("sha256") or ""))
            yield Expected(package=package, path=folder / path, sha256=known, soft=kind == "softlink")


def _compiled(source: str) -> str:
    """Give the beginning of the name under which Python compiles a source: ``a/__pycache__/b`` of ``a/b.py``."""
    folder, _, name = source.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}"


def _wheel_records(environment: Environment) -> Iterator[Path]:
    """Give the RECORDs of the locked wheels; those inside conda packages describe the wheel they were made from."""
    locked = _wheel_keys(environment.section)
    for name in distributions(environment.prefix):
        if dist_info_key(name) in locked:
            yield from environment.prefix.glob(f"lib/python3.*/site-packages/{name}/RECORD")


def _wheel_keys(section: Section) -> set[tuple[str, str]]:
    return {(canonicalize_name(each.name), each.version) for each in section.artefacts if each.kind == "wheel"}


def of_record(record: Path) -> Iterator[Expected]:
    """Give the files of one RECORD that have a sha256 there."""
    package = record.parent.name.removesuffix(".dist-info")
    try:
        rows = list(csv.reader(record.read_text(encoding="utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, csv.Error):
        rows = []
    yield Expected(package=package, path=record, sha256="" if rows else UNTOLD)
    for row in rows:
        if len(row) > 1 and row[1].startswith("sha256="):
            yield Expected(package=package, path=record.parent.parent / row[0], sha256=_hex(row[1][7:]))


def _hex(text: str) -> str:
    try:
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).hex()
    except ValueError:
        return text


def cached_files(entry: Path) -> tuple[Expected, ...]:
    """Give what an entry of a cache says of its files: an extracted conda package, or one of uv's unpacked wheels."""
    if (entry / "info" / "paths.json").is_file():
        known = _told(entry / "info" / "paths.json", entry.name, entry)
        return tuple(each for each in known if not each.soft)
    return tuple(each for record in entry.glob("*.dist-info/RECORD") for each in of_record(record))


def cache_entries(packages: tuple[Path, ...], wheels: Path, section: Section | None = None) -> tuple[Path, ...]:
    """Give the entries of conda caches and of uv's cache, all of them or those that a section's artefacts came from."""
    conda = (entry for folder in packages for entry in folder.glob("*-*-*") if (entry / "info").is_dir())
    unpacked = (record.parent.parent for record in wheels.glob("archive-v*/*/*.dist-info/RECORD"))
    entries = tuple(sorted({*conda, *unpacked}))
    if section is None:
        return entries
    stems = {f"{each.name}-{each.version}-{each.build}" for each in section.artefacts if each.kind == "conda"}
    keys = _wheel_keys(section)
    return tuple(each for each in entries if each.name in stems or _holds(each, keys))


def _holds(entry: Path, keys: set[tuple[str, str]]) -> bool:
    return any(dist_info_key(path.name) in keys for path in entry.glob("*.dist-info"))


def wheel_in(entry: Path) -> str | None:
    """Name the wheel that lies unpacked in an entry of uv's cache; None for a conda package."""
    names = (canonicalize_name(path.name.partition("-")[0]) for path in entry.glob("*.dist-info"))
    return None if (entry / "info").is_dir() else next(names, None)
