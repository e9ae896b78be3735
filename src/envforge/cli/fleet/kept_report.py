"""The files of a report: beside what each node answered, the whole as JSON and as CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from envforge.errors import DiskFailed, UsageError
from envforge.provision import write_whole
from envforge.report.fleet_html import fleet_html

STEPS = ("detect", "plan", "create", "verify", "doctor")
COLUMNS = ("node", "state", "attempts", "took_s", "host", "rc", "verdict", "codes", "says")


def keep(folder: Path, data: Mapping[str, Any]) -> None:
    """Write a step's shape as ``STEP.json``, its nodes as ``STEP.csv``, and every step that is there as ``index.html``.

    Raises DiskFailed.
    """
    try:
        write_whole(folder / f"{data['step']}.json", json.dumps(data, indent=2) + "\n")
        write_whole(folder / f"{data['step']}.csv", csv_of(data["nodes"]))
        write_whole(folder / "index.html", fleet_html(read_kept(folder)))
    except OSError as error:
        raise DiskFailed(f"the report cannot be written: {error.strerror}", (str(folder),)) from error


def csv_of(rows: Sequence[Mapping[str, Any]]) -> str:
    """Write nodes as CSV, one line each."""
    text = io.StringIO()
    out = csv.writer(text, lineterminator="\n")
    out.writerow(COLUMNS)
    for row in rows:
        out.writerow([" ".join(row[name]) if isinstance(row[name], list) else row[name] for name in COLUMNS])
    return text.getvalue()


def read_kept(folder: Path) -> list[dict[str, Any]]:
    """Give the shapes of the steps that a report holds, the newest last. Raises UsageError where there is none."""
    files = [path for step in STEPS if (path := folder / f"{step}.json").is_file()]
    if not files:
        raise UsageError(
            f"`{folder}` holds no report of a fleet",
            (str(folder),),
            (
                "`fleet detect --report` makes one",
                "its commands are `fleet detect`, `plan`, `create`, `verify`, `doctor`",
            ),
        )
    try:
        return [
            json.loads(path.read_text(encoding="utf-8"))
            for path in sorted(files, key=lambda path: path.stat().st_mtime)
        ]
    except (OSError, ValueError) as error:
        raise UsageError(f"the report cannot be read: {error}", (str(folder),)) from error
