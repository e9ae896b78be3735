"""Room on the disk, looked at before anything starts. Sizes of archives are in the lock; the rest is estimated."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from envforge.errors import DiskFailed
from envforge.model import Locked, Section, value
from envforge.provision.place import Place
from envforge.run import copies, nearest

UNPACKED_PER_ARCHIVE = {"conda": 3.5, "wheel": 2.5}
BYTES_PER_FILE = 48 * 1024
LINKED_SHARE = 0.05
FULL = (os.strerror(errno.ENOSPC), os.strerror(errno.EDQUOT))


@value
class Room:
    """What an environment needs and what the disks have. Bytes of artefacts of unknown size are not in it.

    ``linked``: files are hard links, which cost next to nothing: cache and prefix share a file system.
    """

    download_bytes: int
    unpacked_bytes: int
    files: int
    linked: bool
    packages: Path
    prefix: Path


def measure_room(section: Section, place: Place, packages: Path) -> Room:
    """Estimate bytes and files of this section's artefacts; not what ``packages`` holds, conda's cache."""
    fresh = [each for each in section.artefacts if not _cached(each, packages)]
    return Room(
        download_bytes=sum(each.size_bytes or 0 for each in fresh),
        unpacked_bytes=_unpacked(section.artefacts),
        files=_unpacked(section.artefacts) // BYTES_PER_FILE,
        linked=not copies() and _one_disk(packages, place.prefix),
        packages=packages,
        prefix=place.prefix,
    )


def check_room(room: Room, section: Section) -> None:
    """Refuse work that cannot fit. Raises DiskFailed, which names the disk, the need and what is free."""
    fresh = tuple(each for each in section.artefacts if not _cached(each, room.packages))
    share = LINKED_SHARE if room.linked else 1.0
    in_cache, in_prefix = room.download_bytes + _unpacked(fresh), int(room.unpacked_bytes * share)
    in_cache_files = 0 if room.linked else _unpacked(fresh) // BYTES_PER_FILE
    if _one_disk(room.packages, room.prefix):
        _check(room.prefix.parent, in_cache + in_prefix, room.files + in_cache_files)
        return
    _check(room.packages, in_cache, in_cache_files)
    _check(room.prefix.parent, in_prefix, room.files)


def _check(folder: Path, need_bytes: int, need_files: int) -> None:
    there = nearest(folder)
    free_bytes, disk = shutil.disk_usage(there).free, os.statvfs(there)
    if need_bytes > free_bytes:
        message = f"about {_mib(need_bytes)} are needed here, and {_mib(free_bytes)} are free"
        raise DiskFailed(message, (str(folder),), (_hint(),))
    if disk.f_files and need_files > disk.f_favail:
        message = f"about {need_files} files are needed here, and {disk.f_favail} more are allowed"
        raise DiskFailed(message, (str(folder),), (_hint(),))


def full(error: DiskFailed, *folders: Path) -> DiskFailed:
    """Say of what a disk is full, as long as it is: bytes, or files, which the system's words do not tell."""
    said = " ".join((error.message, *error.where))
    if not any(each in said for each in FULL):
        return error
    disks = ((folder, os.statvfs(nearest(folder))) for folder in folders)
    out = next(((folder, disk.f_files) for folder, disk in disks if disk.f_files and not disk.f_favail), None)
    if out is None:
        return DiskFailed(error.message, error.where, error.hints or (_hint(),))
    message = f"no more files can be made on this disk: all its {out[1]} inodes are in use"
    return DiskFailed(message, (str(out[0]), error.message), (_hint(),))


def _hint() -> str:
    return "choose another disk with `--prefix` or `ENVFORGE_CACHE_DIR`, or make room with `envforge clean`"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:,.0f} MiB" if size_bytes < 2**30 else f"{size_bytes / 2**30:,.1f} GiB"


def _unpacked(artefacts: tuple[Locked, ...]) -> int:
    return int(sum((each.size_bytes or 0) * UNPACKED_PER_ARCHIVE[each.kind] for each in artefacts))


def _cached(artefact: Locked, packages: Path) -> bool:
    stem = f"{artefact.name}-{artefact.version}-{artefact.build}"
    return artefact.kind == "conda" and (packages / stem / "info" / "index.json").is_file()


def _one_disk(packages: Path, prefix: Path) -> bool:
    return _device(packages) == _device(prefix.parent)


def _device(folder: Path) -> int:
    return nearest(folder).stat().st_dev
