"""Files that are there whole or not at all: written beside their place, synced, and renamed."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Give the file to write; it takes ``path``'s place at the end, also after a power cut, or is not there at all.

    What killed processes left of the same file is swept first.
    """
    sweep_drafts(path)
    draft, file = _begin(path)
    try:
        with file:
            yield file
            file.flush()
            os.fsync(file.fileno())
            draft.replace(path)
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _begin(path: Path) -> tuple[Path, IO[bytes]]:
    """Open a draft and hold it, so that no other process takes it for a dead one's.

    Whoever holds a fresh one looks whether it is dead, and deletes it. To wait for that would take 30 s over NFS,
    whose version 3 asks again so seldom; another draft is at hand.
    """
    while True:
        draft = path.with_name(f".{path.name}.{os.getpid()}-{os.urandom(4).hex()}")
        file = draft.open("xb")
        if _is_mine(file) and draft.exists():
            return draft, file
        file.close()


def _is_mine(file: IO[bytes]) -> bool:
    """Hold a file; False where another process holds it. Where there are no locks, nobody does."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True


def sweep_drafts(path: Path) -> None:
    """Delete the drafts of a file that nobody writes any more; where there are no locks, nobody can tell."""
    pattern = re.compile(rf"\.{re.escape(path.name)}\.\d+(-[0-9a-f]{{8}})?")
    with suppress(OSError):
        for beside in path.parent.iterdir():
            if pattern.fullmatch(beside.name):
                _sweep(beside)


def _sweep(draft: Path) -> None:
    """Delete a draft that no process holds; whoever has just begun one looks whether it is still there."""
    with suppress(OSError), draft.open("r+b") as file:  # NFS locks nothing that was opened to be read only
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        draft.unlink()
