"""Files that a command writes where the user says."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envforge.errors import DiskFailed, UsageError

Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", envvar="ENVFORGE_OUTPUT", metavar="FILE", help="Write here, not to stdout."),
]


def refuse_existing(path: Path, *, overwrite: bool) -> None:
    """Raise UsageError when a file is there and must not be overwritten."""
    if path.exists() and not overwrite:
        raise UsageError(f"`{path}` is there already", (str(path),), ("`--yes` overwrites it",))


def write_file(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a file; an existing one only when that is allowed. Raises UsageError, DiskFailed."""
    refuse_existing(path, overwrite=overwrite)
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DiskFailed(f"`{path}` cannot be written: {error.strerror}", (str(path),)) from error
