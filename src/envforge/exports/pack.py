"""A pack: one tar with a spec, its lock and every artefact, for a machine without network. It is written whole.

The first member, ``envforge-pack.json``, names by sha256 which of the others, ``objects/<sha256>``, are spec and lock.
No other name is written, so no name has to be trusted. Equal content gives equal bytes.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

from envforge.errors import BadArtefact, DiskFailed
from envforge.model import Dotted, Lock, Section, value
from envforge.run import whole
from envforge.wire import to_json

SCHEMA = "envforge.pack/1"
MANIFEST = "envforge-pack.json"
OBJECTS = "objects/"


@value
class Manifest:
    """What a pack says of itself. ``pythons``: target and the Python that it must find there, where it brings none."""

    schema: str
    name: str
    spec: str
    lock: str
    targets: tuple[str, ...]
    pythons: tuple[tuple[str, str], ...] = ()


def manifest_of(name: str, spec_text: str, lock_text: str, sections: tuple[Section, ...]) -> Manifest:
    """Say what a pack holds."""
    return Manifest(
        schema=SCHEMA,
        name=name,
        spec=_sha256(spec_text),
        lock=_sha256(lock_text),
        targets=tuple(each.target for each in sections),
        pythons=pythons_needed(sections),
    )


def pythons_needed(sections: tuple[Section, ...]) -> tuple[tuple[str, str], ...]:
    """Give the targets whose environment stands on a Python at hand, each with its minor."""
    return tuple((each.target, _minor(each.interpreter.version)) for each in sections if each.interpreter)


def _minor(version: Dotted) -> str:
    return f"{version.major}.{version.minor}"


def write_pack(path: Path, name: str, spec_text: str, lock_text: str, lock: Lock, files: Mapping[str, Path]) -> int:
    """Write a pack from files by sha256, each verified while it is written; give its size in bytes.

    Raises BadArtefact for a file that is not what its name says, DiskFailed.
    """
    try:
        with whole(path) as raw, tarfile.open(fileobj=raw, mode="w", format=tarfile.PAX_FORMAT) as tar:
            _add_text(tar, MANIFEST, to_json(manifest_of(name, spec_text, lock_text, lock.sections)) + "\n")
            for text in (spec_text, lock_text):
                _add_text(tar, OBJECTS + _sha256(text), text)
            for sha256 in sorted(files):
                _add_file(tar, sha256, files[sha256])
    except OSError as error:
        raise DiskFailed(f"the pack cannot be written: {error.strerror or error}", (str(path),)) from error
    return path.stat().st_size


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    content = text.encode()
    tar.addfile(_member(name, len(content)), io.BytesIO(content))


def _add_file(tar: tarfile.TarFile, sha256: str, path: Path) -> None:
    with path.open("rb") as file:
        read = _Hashed(file)
        tar.addfile(_member(OBJECTS + sha256, path.stat().st_size), read)
    if read.digest.hexdigest() != sha256:
        where = (str(path), f"sha256 {read.digest.hexdigest()}", f"locked {sha256}")
        raise BadArtefact(f"`{path.name}` is not what the lock says", where)


class _Hashed:
    """A file that knows the sha256 of what was read of it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        chunk = self._file.read(size)
        self.digest.update(chunk)
        return chunk


def _member(name: str, size: int) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.size, member.mode, member.mtime = size, 0o644, 0
    return member


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
