"""What checks and the doctor saw, for CI: JUnit where it was asked for, annotations and a step summary on GitHub."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from envforge.errors import DiskFailed
from envforge.model import SmokeReport


def hand_on(report: SmokeReport, path: Path | None, github: bool, deferred: str | None = None) -> None:
    """Write a report where CI looks for it; ``deferred`` says why no check was run. Raises DiskFailed."""
    from envforge.report.github import deferred_annotation, result_annotations, summary
    from envforge.report.junit import junit

    if path:
        write_out(path, junit(report, deferred))
    if on_github(github):
        lines = (deferred_annotation(deferred),) if deferred else result_annotations(report)
        tell_github(lines, summary(report, deferred))


def on_github(asked: bool) -> bool:
    """Say whether GitHub reads what is written, or the user wants it as if."""
    return asked or os.environ.get("GITHUB_ACTIONS") == "true"


def tell_github(lines: Iterable[str], summary: str) -> None:
    """Write annotations to stderr, and a step summary where GitHub gave a file for it. Raises DiskFailed."""
    sys.stderr.writelines(f"{line}\n" for line in lines)
    if place := os.environ.get("GITHUB_STEP_SUMMARY"):
        write_out(Path(place), summary, mode="a")


def write_out(path: Path, text: str, *, mode: str = "w") -> None:
    """Write or append. Raises DiskFailed."""
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise DiskFailed(f"`{path}` cannot be written: {error.strerror}", (str(path),)) from error
