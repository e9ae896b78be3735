"""Progress of long work: a live line on a terminal, else a plain line when a phase begins and every 30 s."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO, Any, Literal

from envforge.model import Emit, Progress
from envforge.report.live import HEARTBEAT_S, beating, can_live, write_line
from envforge.report.text import console

WORDS = {
    "ask": "asking the sources",
    "solve": "solving",
    "download": "downloading",
    "link": "linking",
    "wheels": "installing wheels",
    "unpack": "unpacking",
    "verify": "checking",
}
REFRESHES_PER_S = 5


@contextmanager
def watch(
    stream: IO[str],
    when: Literal["auto", "always", "never"],
    environ: Mapping[str, str],
    *,
    beat_s: float = HEARTBEAT_S,
) -> Iterator[Emit]:
    """Show what is emitted. Live only on a terminal that can; cleared at the end."""
    with _live(stream, when, environ) if can_live(stream, environ) else _plain(stream, beat_s) as emit:
        yield emit


@contextmanager
def _live(stream: IO[str], when: Literal["auto", "always", "never"], environ: Mapping[str, str]) -> Iterator[Emit]:
    from rich import progress

    columns: list[Any] = [progress.TextColumn("{task.description}"), progress.BarColumn(bar_width=20)]
    columns += [progress.TimeElapsedColumn(), progress.TextColumn("{task.fields[amount]}")]
    columns += [progress.TextColumn("{task.fields[subject]}", style="dim")]
    gauge = Gauge(time.monotonic)
    bars = progress.Progress(
        *columns, console=console(stream, when, environ), transient=True, refresh_per_second=REFRESHES_PER_S
    )
    tasks: dict[str, Any] = {}

    def emit(step: Progress) -> None:
        if step.phase not in tasks:
            for earlier in tasks.values():
                bars.update(earlier, visible=False)
            tasks[step.phase] = bars.add_task(WORDS.get(step.phase, step.phase), total=None, subject="", amount="")
        gauge.note(step)
        bars.update(
            tasks[step.phase],
            completed=step.done_bytes,
            total=step.total_bytes,
            subject=step.subject,
            amount=gauge.amount(),
        )

    with bars:
        yield emit


@contextmanager
def _plain(stream: IO[str], beat_s: float) -> Iterator[Emit]:
    """Write a line at the start of each phase, and one per beat even while nothing is emitted."""
    gauge = Gauge(time.monotonic)

    def beat() -> None:
        if gauge.step:
            write_line(stream, gauge.line())

    def emit(step: Progress) -> None:
        begins = gauge.step is None or gauge.step.phase != step.phase
        gauge.note(step)
        if begins:
            write_line(stream, gauge.line())

    with beating(beat, beat_s):
        yield emit


class Gauge:
    """Bytes, rate and time left of the current phase. ``clock`` gives seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock, self.began_s, self.first_bytes = clock, 0.0, 0
        self.step: Progress | None = None

    def note(self, step: Progress) -> None:
        """Take the newest step; a new phase starts the clock anew."""
        if self.step is None or self.step.phase != step.phase:
            self.began_s, self.first_bytes = self.clock(), step.done_bytes or 0
        self.step = step

    def amount(self) -> str:
        """Say bytes, rate and time left, as far as they are known."""
        return ", ".join(self._bytes(self.clock() - self.began_s))

    def line(self) -> str:
        """Say where the phase is: ``downloading: 120 MB of 1.2 GB, 41 MB/s, 27 s left``."""
        if self.step is None:
            return ""
        took_s = self.clock() - self.began_s
        parts = [*self._bytes(took_s), *([f"{took_s:.0f} s so far"] if took_s >= 1 else [])]
        word = WORDS.get(self.step.phase, self.step.phase)
        return f"{word}: {', '.join(parts)}" if parts else word

    def _bytes(self, took_s: float) -> Iterator[str]:
        done, total = self.step.done_bytes if self.step else None, self.step.total_bytes if self.step else None
        if not done:
            return
        yield f"{in_bytes(done)} of {in_bytes(total)}" if total else in_bytes(done)
        rate = (done - self.first_bytes) / took_s if took_s >= 1 else 0
        if rate:
            yield f"{in_bytes(int(rate))}/s"
            if total:
                yield f"{max(0, total - done) / rate:.0f} s left"


def in_bytes(count: int) -> str:
    """Say a number of bytes in decimal units, as download pages do: ``1.2 GB``."""
    amount = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if amount < 999.5:
            return f"{amount:.0f} {unit}" if amount >= 100 or unit == "bytes" else f"{amount:.1f} {unit}"
        amount /= 1000
    return f"{amount:.1f} TB"
