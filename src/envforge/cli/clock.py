"""How long each stage of a command took."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

STAGES = ("detect", "resolve", "lock", "provision", "verify")


class Clock:
    """Adds up seconds by stage; every stage is there from the start, with zero."""

    def __init__(self) -> None:
        self.took_s = dict.fromkeys(STAGES, 0.0)

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        """Time one stretch of a stage, also when it fails."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.took_s[stage] += time.monotonic() - began
