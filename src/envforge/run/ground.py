"""What packages need of a file system, found out by trying it: what it calls itself does not tell."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EIO}


def nearest(folder: Path) -> Path:
    """Give the folder, or the nearest one above it that is there. Raises PermissionError behind a closed one."""
    return next(each for each in (folder, *folder.parents) if each.exists())


def lack(folder: Path, *, lived_in: bool) -> str | None:
    """Say what the file system of a folder lacks that packages need; None where it has all.

    ``lived_in``: an environment is to be there; a cache needs less. A disk that is full, broken or read-only is left
    to the work itself to tell.
    """
    trial = folder / f".envforge-trial-{os.getpid()}"
    if not _works(Path.touch, trial, otherwise=False):
        return None
    tries = ((_link, "has no soft links"), (_dated, "keeps no times of soft links"), (_program, _why_not(folder)))
    return next((what for each, what in tries[: 3 if lived_in else 1] if not _works(each, trial, otherwise=True)), None)


def _works(work: Callable[[Path], object], trial: Path, *, otherwise: bool) -> bool:
    """Try one thing and clear it away; ``otherwise`` is the answer where the disk refuses for a passing reason."""
    try:
        return work(trial) is not False
    except OSError as error:
        return otherwise and error.errno in PASSING
    finally:
        with suppress(OSError):
            trial.unlink(missing_ok=True)


def _link(trial: Path) -> None:
    trial.symlink_to("nowhere")


def _dated(trial: Path) -> None:
    _link(trial)
    os.utime(trial, (0, 0), follow_symlinks=False)


def _program(trial: Path) -> bool:
    trial.touch()
    trial.chmod(0o755)
    return os.access(trial, os.X_OK)


def _why_not(folder: Path) -> str:
    noexec = os.statvfs(folder).f_flag & os.ST_NOEXEC
    return "is mounted with `noexec`: no program can be started" if noexec else "lets no file be made executable"
