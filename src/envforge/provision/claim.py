"""One process per prefix: a lock that the kernel drops when its holder dies, also on NFS."""

from __future__ import annotations

import errno
import os
import socket
import time
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envforge.errors import Busy, DiskFailed
from envforge.model import Emit, Progress
from envforge.provision.place import Place

if TYPE_CHECKING:
    from filelock import BaseFileLock

WAIT_S = 600.0
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)


@contextmanager
def claim(place: Place, *, timeout_s: float | None, emit: Emit, hints: tuple[str, ...] = ()) -> Iterator[None]:
    """Hold a prefix; wait for another holder up to ``timeout_s`` (None: ten minutes), saying who it is.

    A lock file with nothing beside it is taken away at the end. Raises Busy when the wait is over, DiskFailed
    when there can be no lock file, with ``hints``.
    """
    with ExitStack() as stack:
        _hold(place, stack, WAIT_S if timeout_s is None else timeout_s, emit, hints)
        try:
            with suppress(OSError):
                place.holder.write_text(f"process {os.getpid()} on {socket.gethostname()}")
            yield
        finally:
            _tidy(place)


def _hold(place: Place, stack: ExitStack, timeout_s: float, emit: Emit, hints: tuple[str, ...]) -> None:
    if _try(place.lock, stack, 0.0, hints):
        return
    emit(Progress(phase="wait", subject=f"{_holder(place)} works on `{place.prefix}`"))
    if not _try(place.lock, stack, timeout_s):
        message = f"{_holder(place)} still works on this prefix after {timeout_s:.0f} s"
        raise Busy(message, (str(place.prefix),), ("wait for it to end, or allow more time with `--timeout`",))


def _holder(place: Place) -> str:
    with suppress(OSError):
        return place.holder.read_text() or "another process"
    return "another process"


def _tidy(place: Place) -> None:
    """Leave nothing beside a prefix that is not there: unlinking is safe under the lock (filelock looks again).

    Where the disk refuses, the next holder does it; what was done under the lock is done.
    """
    with suppress(OSError):
        place.holder.unlink(missing_ok=True)
        if not place.prefix.exists() and not place.previous.exists() and not any(place.stages()):
            place.lock.unlink(missing_ok=True)


@contextmanager
def hold_file(path: Path, timeout_s: float = 30.0) -> Iterator[None]:
    """Hold a plain lock file, for the short time that a small file beside it is rewritten."""
    with ExitStack() as stack:
        if not _try(path, stack, timeout_s):
            raise Busy("another process holds this lock", (str(path),))
        yield


def _try(path: Path, stack: ExitStack, timeout_s: float, hints: tuple[str, ...] = ()) -> bool:
    from filelock import FileLock, SoftFileLock, Timeout

    end = time.monotonic() + timeout_s
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            stack.enter_context(_acquired(FileLock(path), timeout_s))
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            instead = path.with_name(
                f"{path.name}.soft"
            )  # the lock file is there now, which a soft lock takes for held
            stack.enter_context(_acquired(SoftFileLock(instead), max(0.0, end - time.monotonic())))
    except Timeout:
        return False
    except OSError as error:
        raise DiskFailed(f"nothing can be written here: {error.strerror}", (str(path.parent),), hints) from error
    return True


@contextmanager
def _acquired(lock: BaseFileLock, timeout_s: float) -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # filelock tells of its own fall-back where flock is missing
        lock.acquire(timeout=timeout_s, poll_interval=0.05)
    try:
        yield
    finally:
        lock.release()
