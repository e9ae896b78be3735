"""What checks saw, for CI: JUnit where it was asked for, annotations and a step summary on GitHub."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from envforge.errors import DiskFailed
from envforge.model import SmokeReport


def hand_on(report: SmokeReport, path: Path | None, github: bool, deferred: str | None = None) -> None:
    """Write a report where CI looks for it; ``deferred`` says why no check was run. Raises DiskFailed."""
    if path:
        from envforge.report.junit import junit

        _write(path, junit(report, deferred), "w")
    if github or os.environ.get("GITHUB_ACTIONS") == "true":
        from envforge.report.github import deferred_annotation, result_annotations, summary

        lines = (deferred_annotation(deferred),) if deferred else result_annotations(report)
        sys.stderr.writelines(f"{line}\n" for line in lines)
        if place := os.environ.get("GITHUB_STEP_SUMMARY"):
            _write(Path(place), summary(report, deferred), "a")


def _write(path: Path, text: str, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise DiskFailed(f"`{path}` cannot be written: {error.strerror}", (str(path),)) from error
