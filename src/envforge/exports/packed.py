"""Engines that install from a pack: they take the files out, have the engine install them, and put the lock's own
addresses into what the engine wrote down, so that the environment is the one that a network would have given."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from envforge.errors import DiskFailed
from envforge.exports.unpack import Pack, take_out
from envforge.model import Emit, Engine, Interpreter, Locked, Plan, Progress, WheelEngine

Installs = Callable[[tuple[Locked, ...], Path, Path, Emit], None]


class PackedConda:
    """A conda engine whose packages come from a pack. ``folder`` is where they lie meanwhile."""

    def __init__(self, inner: Engine, pack: Pack, folder: Path) -> None:
        self.name = inner.name
        self._inner, self._pack, self._folder = inner, pack, folder

    def lock(self, plan: Plan, emit: Emit, /) -> tuple[Locked, ...]:
        """Solve as the engine does; a pack is never asked."""
        return self._inner.lock(plan, emit)

    def install(self, artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit, /) -> None:
        """Install from the pack; ``conda-meta`` names the channels of the lock."""
        _from_pack(self._inner.install, self._pack, self._folder, artefacts, (stage, final, emit))
        for each in artefacts:
            if each.kind == "conda":
                _name_channel(stage / "conda-meta" / f"{each.name}-{each.version}-{each.build}.json", each)


class PackedWheels:
    """A wheel engine whose wheels come from a pack."""

    def __init__(self, inner: WheelEngine, pack: Pack, folder: Path) -> None:
        self.name = inner.name
        self._inner, self._pack, self._folder = inner, pack, folder

    def lock(self, plan: Plan, conda: tuple[Locked, ...], emit: Emit, /) -> tuple[Locked, ...]:
        """Pick as the engine does; a pack is never asked."""
        return self._inner.lock(plan, conda, emit)

    def make_base(self, interpreter: Interpreter, stage: Path, final: Path, /) -> None:
        """Make the base on the Python at hand."""
        self._inner.make_base(interpreter, stage, final)

    def install(self, artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit, /) -> None:
        """Install from the pack; ``direct_url.json`` names the address of the lock."""
        local = _from_pack(self._inner.install, self._pack, self._folder, artefacts, (stage, final, emit))
        for path in stage.glob("lib/python3.*/site-packages/*.dist-info/direct_url.json"):
            _name_address(path, local)


def _from_pack(
    install: Installs, pack: Pack, folder: Path, artefacts: tuple[Locked, ...], rest: tuple[Path, Path, Emit]
) -> dict[str, str]:
    """Install from files that stand only meanwhile; give their addresses with those of the lock."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix="pack-", dir=folder) as name:
            local = tuple(_local(pack, each, Path(name), rest[2]) for each in artefacts)
            install(local, *rest)
    except OSError as error:
        raise DiskFailed(f"the disk refused: {error.strerror or error}", (str(error.filename or folder),)) from error
    return {here.url: there.url for here, there in zip(local, artefacts, strict=True)}


def _local(pack: Pack, artefact: Locked, folder: Path, emit: Emit) -> Locked:
    emit(Progress(phase="unpack", subject=artefact.name))
    return replace(artefact, url=take_out(pack, artefact, folder).as_uri())


def _name_channel(path: Path, artefact: Locked) -> None:
    plain = json.loads(path.read_text(encoding="utf-8"))
    plain |= {"url": artefact.url, "channel": artefact.url.rsplit("/", 2)[0]}
    _replace(path, json.dumps(plain, indent=2).encode())


def _name_address(path: Path, addresses: dict[str, str]) -> None:
    """Correct one ``direct_url.json``, and what RECORD says of it."""
    plain = json.loads(path.read_text(encoding="utf-8"))
    if plain.get("url") not in addresses:
        return
    content = json.dumps(plain | {"url": addresses[plain["url"]]}, separators=(",", ":")).encode()
    _replace(path, content)
    record, name = path.with_name("RECORD"), f"{path.parent.name}/{path.name}"
    with record.open(newline="", encoding="utf-8") as text:
        rows = list(csv.reader(text))
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    fresh = [
        [name, f"sha256={digest}", str(len(content))] if row and row[0] == name and row[1] else row for row in rows
    ]
    written = io.StringIO(newline="")
    csv.writer(written, lineterminator="\n").writerows(fresh)
    _replace(record, written.getvalue().encode())


def _replace(path: Path, content: bytes) -> None:
    """Write beside and rename: the old file may be a hard link into a cache."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(content)
    beside.replace(path)
