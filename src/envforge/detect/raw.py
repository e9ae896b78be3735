"""Looking into readings without trusting their shape: a recording may say anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from envforge.model import ABSENT, Absent, Dotted, Reading


def dotted(text: str | None) -> Dotted | None:
    """Read a dotted number; None for anything else."""
    try:
        return Dotted(text) if text and len(text) < 40 else None
    except ValueError:
        return None


class Raw:
    """Readings by source."""

    def __init__(self, readings: tuple[Reading, ...]) -> None:
        self._by_source = {reading.source: reading for reading in readings}

    def get(self, source: str, *path: str) -> Any:
        """Give the value at a path; None when there is none."""
        reading = self._by_source.get(source)
        here: Any = reading.value if reading else None
        for key in path:
            here = here.get(key) if isinstance(here, Mapping) else None
        return here

    def has(self, source: str, *path: str) -> bool:
        """Tell whether a path was probed, whatever was found there."""
        above = self.get(source, *path[:-1])
        return isinstance(above, Mapping) and path[-1] in above

    def text(self, source: str, *path: str) -> str | None:
        """Give a text that is not empty; a number that was not quoted (``12.2``) as it prints."""
        found = self.get(source, *path)
        if isinstance(found, float):
            return str(found)
        return found if isinstance(found, str) and found else None

    def rows(self, source: str, *path: str) -> Iterator[Mapping[str, Any]]:
        """Give the mappings in a list; none when there is no list."""
        found = self.get(source, *path)
        yield from (row for row in (found if isinstance(found, list) else ()) if isinstance(row, Mapping))

    def listed(self, source: str, *path: str) -> bool:
        """Tell whether a list was read there, even an empty one."""
        return isinstance(self.get(source, *path), list)

    def absent(self, source: str) -> bool:
        """Tell whether a source was probed without fault and is not there."""
        reading = self._by_source.get(source)
        return reading is not None and reading.value is None and reading.error is None

    def override(self, name: str) -> Dotted | Absent | None:
        """Give what a CONDA_OVERRIDE variable states; ABSENT when it is set and empty."""
        found = self.get("overrides", name)
        if not isinstance(found, str):
            return None
        return dotted(found.strip()) if found.strip() else ABSENT
