"""Read a pack. Nothing in it is trusted: only plain files named by their sha256 are let in, and each is verified."""

from __future__ import annotations

import hashlib
import json
import re
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote, urlsplit

from envforge.errors import BadArtefact, DiskFailed, UsageError
from envforge.exports.pack import MANIFEST, OBJECTS, SCHEMA, Manifest
from envforge.exports.subject import bared
from envforge.lock import read_lock
from envforge.model import Lock, Locked, value
from envforge.wire import from_plain

TEXT_BYTES = 64 << 20
CHUNK_BYTES = 1 << 20
_OBJECT = re.compile(re.escape(OBJECTS) + r"([0-9a-f]{64})")
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_FILE = re.compile(r"[A-Za-z0-9_][\w.+!-]*", re.ASCII)


@value
class Pack:
    """An open pack: what it says of itself, its spec and lock, and where each object lies in the file."""

    path: Path
    manifest: Manifest
    spec_text: str
    lock: Lock
    objects: Mapping[str, tuple[int, int]]


def open_pack(path: Path) -> Pack:
    """Read a pack's table, spec and lock. Raises UsageError for no pack, BadArtefact for one that lies, SpecError."""
    try:
        members = list(_members(path))
        objects = {sha256: place for sha256, place in members if sha256}
        if not members or members[0][0] or len(objects) != len(members) - 1:
            raise BadArtefact("the pack has no table at its head, or an object twice", (str(path),))
        manifest = _manifest(_text(path, members[0][1]), path)
        spec_text = read_object(path, objects, manifest.spec)
        lock = read_lock(read_object(path, objects, manifest.lock), f"{path}#lock")
    except FileNotFoundError:
        raise UsageError(f"the pack `{path}` does not exist", (str(path),)) from None
    except tarfile.TarError as error:
        raise UsageError(f"`{path}` is not a whole pack: {error}", (str(path),)) from None
    except OSError as error:
        raise DiskFailed(f"the pack cannot be read: {error.strerror or error}", (str(path),)) from error
    return _checked(Pack(path=path, manifest=manifest, spec_text=spec_text, lock=lock, objects=objects))


def _members(path: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """Give sha256 (empty for the table), offset and size of every member. Raises BadArtefact for any other member."""
    size_bytes = path.stat().st_size
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            named = _OBJECT.fullmatch(member.name)
            if member.type != tarfile.REGTYPE or member.issparse() or not (named or member.name == MANIFEST):
                raise BadArtefact(f"the pack has a member {member.name[:100]!r}, which no pack has", (str(path),))
            if member.offset_data + member.size > size_bytes:
                raise tarfile.ReadError("it is cut off")
            yield named[1] if named else "", (member.offset_data, member.size)


def _manifest(text: str, path: Path) -> Manifest:
    try:
        plain = json.loads(text)
        if plain.get("schema") != SCHEMA:
            said = plain.get("schema")
            raise UsageError(f"a pack of the schema {said!r} cannot be read", (str(path),), (f"`{SCHEMA}` can",))
        return from_plain(Manifest, plain)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        raise BadArtefact("the pack's table cannot be read", (str(path),)) from None


def _checked(pack: Pack) -> Pack:
    """Hold the table against the lock, and names against what may become a file's name."""
    where = (str(pack.path),)
    if not _NAME.fullmatch(pack.manifest.name):
        raise BadArtefact(f"{pack.manifest.name[:100]!r} is not an environment's name", where)
    for section in pack.lock.sections:
        bared(pack.manifest.name, section)
        for each in section.artefacts:
            file_name(each)
            if each.sha256 not in pack.objects:
                raise BadArtefact(f"`{each.name}` is locked, and not in the pack", where)
    return pack


def file_name(artefact: Locked) -> str:
    """Give the name of an artefact's file. Raises BadArtefact for one that is not a plain name."""
    name = unquote(urlsplit(artefact.url).path).rpartition("/")[2]
    if not _FILE.fullmatch(name) or (artefact.subdir and not _FILE.fullmatch(artefact.subdir)):
        raise BadArtefact(f"`{artefact.name}` has no plain file name: {name[:100]!r}", (artefact.url[:200],))
    return name


def _text(path: Path, place: tuple[int, int]) -> str:
    offset, size = place
    if size > TEXT_BYTES:
        raise BadArtefact(f"the pack has a text of more than {TEXT_BYTES >> 20} MiB", (str(path),))
    with path.open("rb") as file:
        file.seek(offset)
        try:
            return file.read(size).decode()
        except UnicodeDecodeError:
            raise BadArtefact("the pack has a text that is not UTF-8", (str(path),)) from None


def read_object(path: Path, objects: Mapping[str, tuple[int, int]], sha256: str) -> str:
    """Read a text object, verified. Raises BadArtefact."""
    if sha256 not in objects:
        raise BadArtefact("the pack lacks its spec or its lock", (str(path),))
    text = _text(path, objects[sha256])
    if hashlib.sha256(text.encode()).hexdigest() != sha256:
        raise BadArtefact("the pack's spec or lock, or an attestation, is not what its table says", (str(path),))
    return text


def take_out(pack: Pack, artefact: Locked, folder: Path) -> Path:
    """Write an artefact's file below ``folder``, verified while it is written. Raises BadArtefact, DiskFailed."""
    target = folder / artefact.sha256[:16] / (artefact.subdir or "wheel") / file_name(artefact)
    offset, left = pack.objects[artefact.sha256]
    digest = hashlib.sha256()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with pack.path.open("rb") as source, target.open("xb") as file:
            source.seek(offset)
            while left and (chunk := source.read(min(left, CHUNK_BYTES))):
                digest.update(chunk)
                file.write(chunk)
                left -= len(chunk)
    except OSError as error:
        where = (str(error.filename or folder),)
        raise DiskFailed(f"the pack cannot be taken apart: {error.strerror or error}", where) from error
    if digest.hexdigest() != artefact.sha256:
        target.unlink()
        raise BadArtefact(f"`{artefact.name}` in the pack is not what the lock says", (str(pack.path),))
    return target
