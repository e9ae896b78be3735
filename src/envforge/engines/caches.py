"""Where repodata and conda packages are kept: our own folder, and those that the user shares with other tools."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from envforge.errors import DiskFailed
from envforge.model import value
from envforge.run import lack, nearest

ANOTHER = "choose another one with `ENVFORGE_CACHE_DIR`; `CONDA_PKGS_DIRS=OWN,SHARED` reads conda packages from two"


@value
class Caches:
    """Where repodata and packages are kept; ``shared`` are folders of more packages.

    ``offline``: the network is not used; ``copied``: files are copied, not linked; ``turn``: of the lists of mirrors.
    """

    repodata: Path
    packages: Path
    shared: tuple[Path, ...] = ()
    offline: bool = False
    copied: bool = False
    turn: int = 0


def package_caches(cache: Path, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Give the folders of extracted packages: those of ``CONDA_PKGS_DIRS``, else ours; the one to write in first.

    That is the first that can be written. Others are only read, as one that a whole site shares; rattler (0.28) can
    do that only where nobody has a right to write there (``chmod a-w``), so a folder of another kind is left out.
    """
    named = [each.strip() for each in environ.get("CONDA_PKGS_DIRS", "").split(",") if each.strip()]
    folders = [Path(each).expanduser().absolute() for each in named] or [cache / "pkgs"]
    own = next((each for each in folders if is_writable(each)), folders[0])
    return own, *(each for each in folders if each != own and _is_usable(each))


def package_cache(cache: Path, environ: Mapping[str, str]) -> Path:
    """Give the folder of extracted packages in which new ones are put."""
    return package_caches(cache, environ)[0]


def make_folder(folder: Path) -> None:
    """Make a folder of a cache. Raises DiskFailed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DiskFailed(f"the cache cannot be made: {error.strerror}", (str(folder),), (ANOTHER,)) from error


def refuse_unfit(folder: Path) -> None:
    """Raise DiskFailed where a folder of a cache is on a file system that packages cannot be unpacked on."""
    if what := lack(folder, lived_in=False):
        raise DiskFailed(f"the cache cannot be on this file system: it {what}", (str(folder),), (ANOTHER,))


def is_writable(folder: Path) -> bool:
    """Say whether a folder, or the nearest one above it that is there, can be written; one behind a closed one not."""
    try:
        there = nearest(folder)
        return os.access(there, os.W_OK) and not _is_sealed(there)
    except PermissionError:
        return False


def _is_usable(folder: Path) -> bool:
    try:
        return folder.is_dir() and (is_writable(folder) or _is_sealed(folder))
    except PermissionError:
        return False


def _is_sealed(folder: Path) -> bool:
    return folder.stat().st_mode & 0o222 == 0
