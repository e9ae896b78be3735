"""Bring together the files of a pack: from this computer, from archives in caches, else by download."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from threading import Event, Lock
from urllib.parse import unquote, urlsplit

from envforge.errors import BadArtefact, Unreachable
from envforge.exports.download import Open, Patience, fetch, sha256_of
from envforge.exports.subject import some, without_secrets
from envforge.exports.unpack import file_name
from envforge.model import Emit, Locked, Progress, value

AT_ONCE = 8


@value
class Places:
    """Where files may be already: ``store`` is ours by sha256, ``archives`` are package caches of conda's tools."""

    store: Path
    archives: tuple[Path, ...] = ()


def gather(
    artefacts: Iterable[Locked],
    places: Places,
    open_url: Open,
    emit: Emit,
    *,
    offline: bool = False,
    patience: Patience | None = None,
) -> dict[str, Path]:
    """Give a file for every sha256, downloading what is nowhere. Raises Unreachable, BadArtefact, DiskFailed."""
    wanted = {each.sha256: each for each in artefacts}
    found = {sha256: path for sha256, each in wanted.items() if (path := _here(each, places))}
    missing = [each for sha256, each in wanted.items() if sha256 not in found]
    if missing and offline:
        where = tuple(without_secrets(each.url) for each in missing[:3])
        raise Unreachable(f"not on this computer, and offline: {some([e.name for e in missing])}", where)
    return found | _download(missing, places.store, open_url, emit, patience or Patience())


def _here(artefact: Locked, places: Places) -> Path | None:
    if artefact.url.startswith("file:"):
        path = Path(unquote(urlsplit(artefact.url).path))
        if not path.is_file():
            raise BadArtefact(f"`{artefact.name}` is not where the lock says", (str(path),))
        return path
    likely = [places.store / artefact.sha256, *(folder / file_name(artefact) for folder in places.archives)]
    return next((path for path in likely if path.is_file() and sha256_of(path) == artefact.sha256), None)


class _Meter:
    """Counts the bytes of all downloads, and stops them when one has failed."""

    def __init__(self, artefacts: list[Locked], emit: Emit) -> None:
        sizes = [each.size_bytes for each in artefacts]
        self._total = sum(each or 0 for each in sizes) if all(sizes) else None
        self._emit, self._done, self._lock, self.over = emit, 0, Lock(), Event()

    def tell(self, count: int) -> None:
        """Take in new bytes."""
        if self.over.is_set():
            raise Unreachable("another download failed")
        with self._lock:
            self._done += count
            self._emit(Progress(phase="download", done_bytes=self._done, total_bytes=self._total))


def _download(missing: list[Locked], store: Path, open_url: Open, emit: Emit, patience: Patience) -> dict[str, Path]:
    meter = _Meter(missing, emit)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        work = {pool.submit(fetch, each, store, open_url, meter.tell, patience): each.sha256 for each in missing}
        try:
            return {work[done]: done.result() for done in as_completed(work)}
        finally:
            meter.over.set()
            pool.shutdown(wait=False, cancel_futures=True)
