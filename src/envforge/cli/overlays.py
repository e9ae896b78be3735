"""The facts that commands decide by: the packaged ones, with the user's dated overlay on them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from envforge.errors import DiskFailed
from envforge.facts import Facts, load_facts
from envforge.model import Build


def overlay_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of `facts update`: ``ENVFORGE_FACTS_DIR``, else ``facts`` in the user's data directory."""
    from platformdirs import user_data_path

    told = environ.get("ENVFORGE_FACTS_DIR")
    return Path(told).expanduser() if told else user_data_path("envforge") / "facts"


def facts_here() -> Facts:
    """Load the facts with the user's overlay. Raises SpecError with the place of a row that cannot be read."""
    return load_facts(overlay_folder())


def today() -> str:
    """Give the day, as facts are dated: ``2026-11-20``."""
    return datetime.now(UTC).date().isoformat()


def lay_over(builds: Iterable[Build], sources: Mapping[str, str]) -> Path:
    """Write builds into a new dated file of the overlay, and give its path; ``sources`` says what was looked at.

    Raises DiskFailed.
    """
    from envforge.facts.overlay import write_overlay

    folder, day = overlay_folder(), today()
    path = next(each for at in range(1, 1000) if not (each := folder / f"{day}-{at:03}.yaml").exists())
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_suffix(".new")
        fresh.write_text(write_overlay(builds, day, sources), encoding="utf-8")
        fresh.replace(path)
    except OSError as error:
        raise DiskFailed(f"the overlay cannot be written: {error.strerror}", (str(path),)) from error
    return path
