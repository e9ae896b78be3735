"""What is shown while work goes on: live where a terminal can, else with a beat that breaks the silence."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO

HEARTBEAT_S = 30.0


def can_live(stream: IO[str], environ: Mapping[str, str]) -> bool:
    """Say whether a stream is a terminal that redraws: not ``TERM=dumb``, not in CI."""
    return stream.isatty() and environ.get("TERM") != "dumb" and not environ.get("CI")


@contextmanager
def beating(beat: Callable[[], None], every_s: float) -> Iterator[None]:
    """Call ``beat`` in a thread of its own every so many seconds, for as long as the block runs."""
    over = threading.Event()

    def go_on() -> None:
        while not over.wait(every_s):
            beat()

    heart = threading.Thread(target=go_on, name="heartbeat", daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()


def write_line(stream: IO[str], text: str) -> None:
    """Write a line that is seen at once."""
    stream.write(f"{text}\n")
    stream.flush()
