"""The facts that commands decide by: the packaged ones, with the user's dated overlay on them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from envforge.facts import Facts, load_facts


def overlay_folder(environ: Mapping[str, str] = os.environ) -> Path:
    """Give the folder of `facts update`: ``ENVFORGE_FACTS_DIR``, else ``facts`` in the user's data directory."""
    from platformdirs import user_data_path

    told = environ.get("ENVFORGE_FACTS_DIR")
    return Path(told).expanduser() if told else user_data_path("envforge") / "facts"


def facts_here() -> Facts:
    """Load the facts with the user's overlay. Raises SpecError with the place of a row that cannot be read."""
    return load_facts(overlay_folder())
