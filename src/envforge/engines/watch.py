"""Progress and stillness of an installation, told by rattler's callbacks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable

from envforge.engines.places import local_path
from envforge.model import Emit, Locked, Progress

EVENT_S = 0.1


class Watch:
    """Rattler's reporter: turns its callbacks into progress. Called from Rust threads, which swallow exceptions."""

    def __init__(self, artefacts: Iterable[Locked], absent: Iterable[Locked], emit: Emit) -> None:
        self._all = {each.name: each for each in artefacts}
        self._emit, self._lock = emit, threading.Lock()
        self._tokens: dict[int, str] = {}
        self._done: dict[str, int] = {}
        self._active: dict[int, str] = {}
        self._moved_s = self._told_s = time.monotonic()
        self._linked_bytes = 0
        self._wanted = sum(each.size_bytes or 0 for each in absent if local_path(each.url) is None) or None
        self._total = sum(each.size_bytes or 0 for each in self._all.values()) or None

    def stalled_s(self) -> float:
        with self._lock:
            return time.monotonic() - self._moved_s if self._active else 0.0

    def downloading(self) -> list[str]:
        with self._lock:
            return sorted(set(self._active.values()))

    def urls(self) -> tuple[str, ...]:
        return tuple(self._all[name].url for name in self.downloading() if name in self._all)

    def _token(self, name: str) -> int:
        with self._lock:
            token = len(self._tokens) + 1
            self._tokens[token] = name
            return token

    def on_populate_cache_start(self, operation: int, name: str) -> int:
        return self._token(name)

    def on_download_start(self, token: int) -> int:
        with self._lock:
            self._active[token], self._moved_s = self._tokens.get(token, ""), time.monotonic()
        return token

    def on_download_progress(self, token: int, done: int, total: int | None) -> None:
        with self._lock:
            name, now = self._tokens.get(token, ""), time.monotonic()
            self._done[name], self._moved_s = done, now
            if now - self._told_s >= EVENT_S or done == total:
                self._told_s = now
                self._tell("download", name, sum(self._done.values()), self._wanted)

    def on_download_completed(self, token: int) -> None:
        with self._lock:
            self._active.pop(token, None)
            self._moved_s = time.monotonic()

    def on_link_start(self, operation: int, name: str) -> int:
        return self._token(name)

    def on_link_complete(self, token: int) -> None:
        with self._lock:
            name = self._tokens.get(token, "")
            self._linked_bytes += (self._all[name].size_bytes or 0) if name in self._all else 0
            self._tell("link", name, self._linked_bytes, self._total)

    def _tell(self, phase: str, name: str, done: int, total: int | None) -> None:
        self._emit(Progress(phase=phase, subject=name, done_bytes=done, total_bytes=total))

    def __getattr__(self, name: str) -> Callable[..., int]:
        if name.startswith("on_"):
            return lambda *_: 0
        raise AttributeError(name)
