"""Locks changed as one who knows how they are sealed would change them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from envforge.lock import read_lock, write_lock
from envforge.model import Locked, Section


def forge(lock: Path, change: Callable[[Section], Section]) -> None:
    """Change every section of a lock."""
    read = read_lock(lock.read_text(), str(lock))
    lock.write_text(write_lock(replace(read, sections=tuple(map(change, read.sections)))))


def forge_package(lock: Path, name: str, change: Callable[[Locked], Locked]) -> None:
    """Change one package in every section of a lock."""

    def changed(section: Section) -> Section:
        found = tuple(change(each) if each.name == name else each for each in section.artefacts)
        return replace(section, artefacts=found)

    forge(lock, changed)
