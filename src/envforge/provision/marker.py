"""The marker: what makes a directory an environment, and says which. Written last, read strictly.

``conda-meta/envforge.json`` is a link to a file outside that folder: rattler takes every regular ``*.json`` there
for a package's record, and refuses a prefix that holds another one ("Invalid conda-meta filename format", 0.28).
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from envforge.model import Environment, Section, SmokeReport, value
from envforge.provision.disk import delete_tree, sync_folder, write_whole
from envforge.wire import from_plain, to_json

MARKER = Path("conda-meta/envforge.json")
RECORD = Path("etc/envforge/environment.json")
VERIFIED = Path("etc/envforge/verified.json")
SCHEMA = "envforge.environment/1"


@value
class Marker:
    """The marker's content; ``distributions`` are the dist-info directories as they were installed."""

    schema: str
    name: str
    prefix: str
    python: str
    engine: str
    created: str
    spec_origin: str
    lock_digest: str
    download_bytes: int
    distributions: tuple[str, ...]
    section: Section
    checks: str = ""


@value
class Verified:
    """The last smoke report of an environment, what it was made on, and which checks the spec asked for by then."""

    on: str
    lock_digest: str
    report: SmokeReport
    checks: str = ""


def write_marker(folder: Path, marker: Marker) -> None:
    """Make ``folder`` an environment: the last thing that is written into a stage."""
    write_whole(folder / RECORD, to_json(marker) + "\n")
    (folder / MARKER).parent.mkdir(exist_ok=True)
    (folder / MARKER).symlink_to(Path("..") / RECORD)
    sync_folder((folder / MARKER).parent)


def read_marker(folder: Path) -> Marker | None:
    """Read the marker in this folder; None when there is none or it is not whole."""
    plain = _load(folder / MARKER)
    if not isinstance(plain, dict) or plain.get("schema") != SCHEMA:
        return None
    try:
        return from_plain(Marker, plain)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def is_ours(folder: Path) -> bool:
    """Say whether a marker of ours lies in this folder, whole or not: then it is ours to replace or remove."""
    return os.path.lexists(folder / MARKER)


def delete_environment(prefix: Path) -> None:
    """Delete an environment where it stands: its programs first, so that it is whole no more, its marker last."""
    names = sorted(prefix.iterdir(), key=lambda each: (each.name != "bin", each.name == MARKER.parent.name))
    records = [each for each in (prefix / MARKER.parent).glob("*") if each.name != MARKER.name]
    for path in (*names[:-1], *records) if is_ours(prefix) else names:
        if path.is_dir() and not path.is_symlink():
            delete_tree(path)
        else:
            path.unlink(missing_ok=True)
    delete_tree(prefix)


def read_environment(prefix: Path) -> Environment | None:
    """Read the environment at this prefix; None when it is not whole.

    Whole is: our marker, made for this very path (a copy's files still name the old one), and its Python there.
    """
    marker = read_marker(prefix)
    if marker is None or os.path.realpath(marker.prefix) != os.path.realpath(prefix):
        return None
    python = prefix / marker.python
    if not python.is_file():
        return None
    return _with_report(_environment(marker, prefix, python))


def _environment(marker: Marker, prefix: Path, python: Path) -> Environment:
    return Environment(
        name=marker.name,
        prefix=prefix,
        python=python,
        section=marker.section,
        lock_digest=marker.lock_digest,
        spec_origin=marker.spec_origin,
        engine=marker.engine,
        created=marker.created,
        checks=marker.checks,
    )


def _with_report(environment: Environment) -> Environment:
    plain = _load(environment.prefix / VERIFIED)
    try:
        verified = from_plain(Verified, plain)
    except (ValueError, KeyError, TypeError, AttributeError):
        return environment
    if verified.lock_digest != environment.lock_digest:
        return environment
    checks = verified.checks or environment.checks
    return replace(environment, verified=verified.report, verified_on=verified.on, checks=checks)


def store_report(environment: Environment, report: SmokeReport, on: str) -> Environment:
    """Keep a smoke report beside the marker. ``on`` is the digest of the hardware and the checks it was made with."""
    verified = Verified(on=on, lock_digest=environment.lock_digest, report=report, checks=environment.checks)
    write_whole(environment.prefix / VERIFIED, to_json(verified) + "\n")
    return replace(environment, verified=report, verified_on=on)


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
