"""Look at every byte: installed files and the caches' entries against what their packages say.

A file of the cache and its copies in environments are one file where they are hard links: whoever edits it in place
changes all of them, and nothing but a look at the bytes tells.
"""

from __future__ import annotations

import errno
import hashlib
import os
import struct
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Literal

from envforge.model import Emit, Environment, Progress, value
from envforge.provision.damage import Damage, Flaw
from envforge.provision.disk import delete_tree, renamed
from envforge.provision.installed import Expected, archive_sha256, cache_entries, cached_files, installed_files

AT_ONCE = min(8, os.cpu_count() or 1)
Hash = Callable[[Path], str]


@value
class Caches:
    """The shared caches: folders of extracted conda packages, and uv's folder."""

    packages: tuple[Path, ...]
    wheels: Path

    @classmethod
    def below(cls, cache: Path, packages: Path) -> Caches:
        """Give the caches of every engine: rattler's ``packages``, and those of conda's tools."""
        tools = (cache / tool / "pkgs" for tool in ("conda", "mamba", "micromamba"))
        return cls(packages=(packages, *tools), wheels=cache / "uv")


def look_deep(environment: Environment, caches: Caches, emit: Emit) -> Damage:
    """Hash every file of an environment, and the entries of the caches that it was made from."""
    expected, sums = installed_files(environment), _hasher()
    emit(Progress(phase="verify", subject=f"{len(expected)} files"))
    flaws = (*find_flaws(expected, environment.prefix, sums), *_other_archives(environment))
    entries = damaged_entries(cache_entries(caches.packages, caches.wheels, environment.section), sums)
    return Damage(files=len(expected), flaws=flaws, entries=tuple(map(str, entries)))


def _other_archives(environment: Environment) -> Iterator[Flaw]:
    """Give the records of packages that were installed from another archive than the one that is locked."""
    for each in environment.section.artefacts:
        record = f"conda-meta/{each.name}-{each.version}-{each.build}.json"
        known = archive_sha256(environment.prefix / record) if each.kind == "conda" else None
        if known and known != each.sha256:
            yield Flaw(package=each.name, path=record, what="changed")


def find_flaws(expected: tuple[Expected, ...], folder: Path, sums: Hash) -> tuple[Flaw, ...]:
    """Give the files that are wrong. One that several packages bring is right as any of them brought it."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = list(pool.map(lambda each: _wrong(each, sums), expected))
    right = {each.path for each, wrong in zip(expected, found, strict=True) if wrong is None}
    flaws = {
        each.path: Flaw(package=each.package, path=os.path.relpath(each.path, folder), what=wrong)
        for each, wrong in zip(expected, found, strict=True)
        if wrong is not None and each.path not in right
    }
    return tuple(flaws[path] for path in sorted(flaws))


def _wrong(expected: Expected, sums: Hash) -> Literal["changed", "missing", "unreadable"] | None:
    try:
        expected.path.lstat()
        if not expected.sha256 or (expected.soft and _leads_to(expected.path) == expected.sha256):
            return None
        right = sums(expected.path) == expected.sha256 or _compiled_since(expected)
        return None if right else "changed"
    except OSError as error:
        return "missing" if error.errno in (errno.ENOENT, errno.ENOTDIR) else "unreadable"


def _compiled_since(expected: Expected) -> bool:
    """Say whether Python compiled this file after its package was installed, from the source as it is.

    That happens where a file system kept other times of the sources than the package has. Python writes a new file
    (no other link leads to it) that begins with a magic number, flags, and its source's time and size (PEP 552).
    """
    path = expected.path
    if expected.record is None or path.parent.name != "__pycache__":
        return False
    with path.open("rb") as file:
        flags, time_s, size = struct.unpack("<4xIII", file.read(16).ljust(16, b"\0"))
        there = os.fstat(file.fileno())
    source = (path.parent.parent / f"{path.name.partition('.')[0]}.py").stat()
    fits = (0, int(source.st_mtime) & 0xFFFFFFFF, source.st_size & 0xFFFFFFFF) == (flags, time_s, size)
    return fits and there.st_nlink == 1 and there.st_mtime >= expected.record.stat().st_mtime


def _leads_to(link: Path) -> str:
    """Give the sha256 of where a soft link leads, as rattler writes it down; empty for what is none."""
    return hashlib.sha256(os.fsencode(link.readlink())).hexdigest() if link.is_symlink() else ""


def _hasher() -> Hash:
    """Make what gives a file's sha256, of hard links once."""
    known: dict[tuple[int, int], str] = {}

    def sums(path: Path) -> str:
        with path.open("rb") as file:
            there = os.fstat(file.fileno())
            key = there.st_dev, there.st_ino
            if key not in known:
                known[key] = hashlib.file_digest(file, "sha256").hexdigest()
        return known[key]

    return sums


def damaged_entries(entries: Iterable[Path], sums: Hash | None = None) -> tuple[Path, ...]:
    """Give the entries of caches that hold a file that is wrong."""
    known = sums or _hasher()
    return tuple(entry for entry in entries if find_flaws(cached_files(entry), entry, known))


def find_damaged(caches: Caches, environment: Environment | None = None) -> tuple[Path, ...]:
    """Give the damaged entries of the caches, all or those that one environment was made from."""
    section = environment.section if environment else None
    return damaged_entries(cache_entries(caches.packages, caches.wheels, section))


def delete_entry(entry: Path) -> None:
    """Delete an extracted conda package from its cache: out of sight in one step, as others may be linking from it."""
    aside = entry.with_name(f".{entry.name}.damaged-{os.getpid()}")
    with suppress(FileNotFoundError):
        delete_tree(aside if renamed(entry, aside) else entry)
