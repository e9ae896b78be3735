"""Fetch artefacts into a store of files named by their sha256: resumed by range, retried, verified while streaming."""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from envforge.errors import BadArtefact, DiskFailed, Unreachable
from envforge.exports.subject import without_secrets
from envforge.model import Locked, value

CHUNK_BYTES = 1 << 16
LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
NO_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL)
LOGIN = "give a login through netrc, `RATTLER_AUTH_FILE`, or the URL of an index in pip's or uv's configuration"
Open = Callable[[str, Mapping[str, str]], Any]
Tell = Callable[[int], None]


@value
class Patience:
    """How often and how long: ``waits_s`` between tries, the last one final."""

    waits_s: tuple[float, ...] = (0.5, 1.0, 2.0, 4.0, 8.0)


class _Again(Exception):
    """This try has failed, and the next one may not."""


def fetch(artefact: Locked, store: Path, open_url: Open, tell: Tell, patience: Patience) -> Path:
    """Give the verified file of an artefact, from the store or from where the lock says.

    ``open_url(url, headers)`` gives a streamed response of requests. ``tell`` gets the count of new bytes. Raises
    Unreachable, BadArtefact, DiskFailed.
    """
    whole = store / artefact.sha256
    try:
        store.mkdir(parents=True, exist_ok=True)
        with _held(store, artefact.sha256) as (path, part):
            if not (whole.is_file() and sha256_of(whole) == artefact.sha256):
                _complete(artefact, part, open_url, tell, patience)
                path.replace(whole)
            else:
                path.unlink()
    except OSError as error:
        raise DiskFailed(f"the disk refused: {error.strerror or error}", (str(error.filename or store),)) from error
    return whole


@contextmanager
def _held(store: Path, sha256: str) -> Iterator[tuple[Path, IO[bytes]]]:
    """Open a partial file for this process alone; another one that wants the same waits.

    Where the file system has no locks, each process has a partial file of its own.
    """
    shared, own = store / f"{sha256}.part", store / f"{sha256}.{os.getpid()}.part"
    while True:
        with shared.open("ab+") as part:
            if not _locked(part):
                break
            if shared.exists() and os.path.samestat(shared.stat(), os.fstat(part.fileno())):
                yield shared, part
                return
    with own.open("ab+") as part:
        yield own, part


def _locked(part: IO[bytes]) -> bool:
    try:
        fcntl.flock(part, fcntl.LOCK_EX)
    except OSError as error:
        if error.errno not in NO_LOCKS:
            raise
        return False
    return True


def _complete(artefact: Locked, part: IO[bytes], open_url: Open, tell: Tell, patience: Patience) -> None:
    shown = without_secrets(artefact.url)
    for wait_s in (*patience.waits_s, None):
        try:
            _attempt(artefact, part, open_url, tell)
        except _Again as error:
            if wait_s is None:
                raise Unreachable(f"`{artefact.name}` cannot be downloaded: {error}", (shown,)) from None
            time.sleep(wait_s)
        else:
            return


def _attempt(artefact: Locked, part: IO[bytes], open_url: Open, tell: Tell) -> None:
    """Go on from what is there; a finished file that is not what the lock says is thrown away."""
    import requests

    part.seek(0)
    digest = hashlib.sha256()
    while chunk := part.read(CHUNK_BYTES):
        digest.update(chunk)
    had = part.tell()
    try:
        with open_url(artefact.url, _headers(had)) as answer:
            if not _continues(answer, artefact, had):
                part.truncate(0)
                had, digest = 0, hashlib.sha256()
            _stream(answer, artefact, part, digest, tell)
    except requests.RequestException as error:
        raise _Again(_why(error)) from None
    _judge(artefact, part, digest.hexdigest(), resumed=had > 0)


def _headers(had: int) -> dict[str, str]:
    return {"Accept-Encoding": "identity", **({"Range": f"bytes={had}-"} if had else {})}


def _continues(answer: Any, artefact: Locked, had: int) -> bool:
    """Say whether the answer goes on where we stand; False for a whole file. Raises for anything else."""
    shown, status = without_secrets(artefact.url), answer.status_code
    if status == 206:
        said = re.match(r"bytes (\d+)-", answer.headers.get("Content-Range", ""))
        if said is None or int(said[1]) != had:
            raise Unreachable(f"the server of `{artefact.name}` answers another range than asked", (shown,))
        return True
    if status == 416:
        return True
    if status in LATER:
        raise _Again(f"HTTP {status}")
    if status != 200:
        hints = (LOGIN,) if status in (401, 403, 407) else ()
        raise Unreachable(f"`{artefact.name}` cannot be downloaded: HTTP {status}", (shown,), hints)
    return False


def _stream(answer: Any, artefact: Locked, part: IO[bytes], digest: Any, tell: Tell) -> None:
    if answer.status_code == 416:
        return
    for chunk in answer.iter_content(CHUNK_BYTES):
        part.write(chunk)
        digest.update(chunk)
        tell(len(chunk))
        if artefact.size_bytes is not None and part.tell() > artefact.size_bytes:
            break
    part.flush()


def _judge(artefact: Locked, part: IO[bytes], found: str, *, resumed: bool) -> None:
    if found == artefact.sha256:
        os.fsync(part.fileno())
        return
    part.truncate(0)
    if resumed:
        raise _Again("what was there before the cut was not what the lock says")
    where = (without_secrets(artefact.url), f"sha256 {found}", f"locked {artefact.sha256}")
    raise BadArtefact(f"`{artefact.name}` is not what the lock says", where)


def _why(error: Exception) -> str:
    """Give the innermost reason of a chain of network errors."""
    text = str(error)
    found = re.search(
        r"\[Errno -?\d+\] ([^'\")\]]+)|(timed out)|(IncompleteRead)|certificate verify failed: ([^(]+)", text
    )
    return next((each for each in found.groups() if each), "").strip() if found else type(error).__name__


def sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
