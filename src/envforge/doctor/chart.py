"""A patient's chart: the recording's shapes behind short names, so that a sign can be three lines.

Every reader raises `Missing` for what was not probed; ``None``, ``""``, ``()`` and ``{}`` mean "probed, not there".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from envforge.doctor.known import Known
from envforge.model import Patient

SPOKEN = ("env_probe", "nvidia_smi", "dmesg", "app_error", "docker", "podman", "build_log", "compile_probe")
SILENT = {"env", "pci", "os_release", "kernel", "mounts", "ldconfig", "libraries", "dev_nodes"}
MOST_LEAVES = 8_000
MOST_CHARACTERS = 300_000
HEAD, TAIL = 8_000, 24_000
KERNEL = re.compile(r"NVRM|nvidia|nouveau|Xid|PM: |firmware|BAR |avc:|module|MIG|vgpu|dxg", re.IGNORECASE)
QUOTED = re.compile(r"(error|log|log_tail|text|messages?)(\[\d+\])?$")
CONTINUED = re.compile(r"\s*\n\s*(?:NVRM:)?\s*")


class Missing(Exception):
    """A sign needs a reading that was not taken, or that could not be."""

    def __init__(self, *sources: str) -> None:
        super().__init__(*sources)
        self.sources = sources


class Chart:
    """Reads one patient. ``known`` is what the world says about cards, drivers and codes."""

    def __init__(self, patient: Patient, known: Known) -> None:
        self.patient, self.known = patient, known

    def reading(self, source: str) -> Any:
        """Give the raw value of one reading, which may be None: probed and not there."""
        reading = self.patient.reading(source)
        if reading is None or (reading.value is None and reading.error is not None):
            raise Missing(source)
        return reading.value

    def need(self, source: str, *path: str) -> Any:
        """Give a value below a reading; a key that is not there was not probed."""
        here = self.reading(source)
        for depth, key in enumerate(path):
            if not isinstance(here, Mapping) or key not in here:
                raise Missing(".".join((source, *path[: depth + 1])))
            here = here[key]
        return here

    def maybe(self, source: str, *path: str, default: Any = None) -> Any:
        """Give a value below a reading, or the default when it was not probed."""
        try:
            return self.need(source, *path)
        except Missing:
            return default

    def entries(self, source: str, *path: str) -> list[dict[str, Any]]:
        """Give a list of mappings; whatever else stands in it is left out."""
        found = self.need(source, *path)
        return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []

    def words(self, source: str, *path: str) -> list[str]:
        """Give a list of texts, from a list, a mapping (``key: value``) or one text."""
        found = self.need(source, *path)
        if isinstance(found, Mapping):
            return [f"{key}: {item}" for key, item in found.items()]
        return [str(item) for item in found] if isinstance(found, list) else [str(found)] if found else []

    @cached_property
    def leaves(self) -> tuple[tuple[str, Any], ...]:
        """Give every value of the recording with its dotted path, up to a sane number of them."""
        found: list[tuple[str, Any]] = []
        sources = [reading.source for reading in self.patient.machine.readings]
        if self.patient.environment is not None and "env_probe" not in sources:
            sources.append("env_probe")
        for source in sources:
            reading = self.patient.reading(source)
            for leaf in _leaves(source, reading.value if reading else None, 0):
                found.append(leaf)
                if len(found) >= MOST_LEAVES:
                    return tuple(found)
        return tuple(found)

    @cached_property
    def texts(self) -> tuple[tuple[str, str], ...]:
        """Give what programs, the driver and the kernel said, with the kernel's continued records joined."""
        told = [(path, item) for path, item in self.leaves if isinstance(item, str) and item]
        if not any(self.patient.reading(source) for source in SPOKEN) and not any(QUOTED.search(at) for at, _ in told):
            raise Missing(*SPOKEN)
        kept, left = [], MOST_CHARACTERS
        for path, item in told:
            source = re.split(r"[.\[]", path, maxsplit=1)[0]
            if source in SILENT or (source == "dmesg" and not KERNEL.search(item)) or left <= 0:
                continue
            text = item if len(item) <= HEAD + TAIL else f"{item[:HEAD]} ... {item[-TAIL:]}"
            left -= len(text)
            kept.append((path, CONTINUED.sub(" ", text)))
        return tuple(kept)

    def said(self, pattern: str, under: str = "") -> str | None:
        """Find a message that somebody printed; give it with its place, shortened."""
        told = re.compile(pattern, re.IGNORECASE)
        for path, text in self.texts:
            if path.startswith(under) and (match := told.search(text)):
                begin = max(0, match.start() - 80)
                return f"{path}: {text[begin : match.end() + 120].strip()}"
        return None

    def heard(self, pattern: str, under: str = "") -> str | None:
        """Find a message that supports what was seen otherwise; None also where nobody's words were recorded."""
        try:
            return self.said(pattern, under)
        except Missing:
            return None

    def told(self, pattern: str) -> re.Match[str] | None:
        """Find a message that somebody printed; give the match, for the numbers in it."""
        told = re.compile(pattern, re.IGNORECASE)
        return next((match for _, text in self.texts if (match := told.search(text))), None)

    def noted(self, pattern: str, *, like: str = "") -> str | None:
        """Find a value by its dotted path and its text; give ``path = value``. Empty values do not count."""
        if not self.leaves:
            raise Missing("recording")
        path_of, value_of = re.compile(pattern, re.IGNORECASE), re.compile(like, re.IGNORECASE)
        for path, item in self.leaves:
            if item not in (None, False, "", 0) and path_of.search(path) and value_of.search(str(item)):
                return f"{path} = {item}"
        return None


def _leaves(path: str, item: Any, depth: int) -> Iterator[tuple[str, Any]]:
    if depth > 12:
        return
    if isinstance(item, Mapping) and item:
        for key, entry in item.items():
            yield from _leaves(f"{path}.{key}", entry, depth + 1)
    elif isinstance(item, list | tuple) and item:
        for index, entry in enumerate(item):
            yield from _leaves(f"{path}[{index}]", entry, depth + 1)
    else:
        yield path, item
