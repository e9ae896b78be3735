"""What the disk must do for us: whole files, atomic swaps, deletions that nothing interrupts."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from glob import escape
from pathlib import Path
from shlex import quote

from envforge.errors import DiskFailed
from envforge.run import whole

AT_FDCWD = -100
RENAME_EXCHANGE = 2


def write_whole(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, also after a power cut."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole(path) as file:
        file.write(text.encode())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable; some network file systems cannot, and need not."""
    fd = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            os.fsync(fd)
    finally:
        os.close(fd)


def exchange(one: Path, other: Path) -> bool:
    """Swap two names in one step; False where the file system cannot (NFS, an old kernel)."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "renameat2"):
        return False
    return bool(libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0)


def renamed(source: Path, target: Path) -> bool:
    """Give a folder another name; False where the file system cannot: one that lies in a lower layer of an overlay."""
    try:
        source.rename(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def copy_whole(source: Path, target: Path) -> None:
    """Copy a folder so that its copy is there whole or not at all, also after a power cut."""
    draft = target.with_name("draft")
    shutil.copytree(source, draft, symlinks=True)
    os.sync()
    draft.rename(target)


@contextmanager
def shielded() -> Iterator[None]:
    """Let no signal interrupt a few short steps; one that came meanwhile is delivered at the end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def delete_tree(path: Path) -> None:
    """Delete a directory, also while a dying worker still writes into it. Raises DiskFailed when it stays."""
    last: OSError | None = None
    for attempt in range(5):
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            if not os.path.lexists(path):
                return
        except OSError as error:
            last = error
            _make_writable(path)
            time.sleep(0.05 * attempt)
        else:
            return
    where = _left(path, last)
    hints = (f"`lsattr -d {quote(where)}` tells whether it is immutable",) if last and last.errno == errno.EPERM else ()
    raise DiskFailed(f"it cannot be deleted: {last and last.strerror}", (where,), hints)


def _left(path: Path, error: OSError | None) -> str:
    """Give the file that could not be deleted; the error knows only its name."""
    name = str(error.filename) if error and error.filename else ""
    return str(next(path.rglob(escape(name)), path)) if name and "/" not in name else name or str(path)


def _make_writable(path: Path) -> None:
    for folder, _, _ in os.walk(path):
        with suppress(OSError):
            Path(folder).chmod(0o755)


def disk_error(error: OSError, path: Path) -> DiskFailed:
    """Say what the disk refused, and where."""
    return DiskFailed(f"the disk refused: {error.strerror or error}", (str(error.filename or path),))
