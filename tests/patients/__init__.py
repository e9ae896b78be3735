"""Patients as data: recorded machines with their causes, healthy ones, and an ill patient with its twin per rule."""

from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from envforge.model import Machine, Patient, Reading

HERE = Path(__file__).parent
GONE = "~gone"


def read(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


@cache
def bases() -> dict[str, Any]:
    return read(HERE / "bases.yaml")


def edited(base: Any, edit: Any) -> Any:
    """Lay an edit over a recording: mappings merge, ``~gone`` takes a key away, all else replaces.

    A mapping over a list edits its items by index: ``devices: {0: {error: 15}}``.
    """
    if edit == GONE:
        raise ValueError("only a key can be taken away")
    if isinstance(base, list) and isinstance(edit, dict) and edit and all(isinstance(key, int) for key in edit):
        return [edited(item, edit[index]) if index in edit else item for index, item in enumerate(base)]
    if not isinstance(base, dict) or not isinstance(edit, dict):
        return deepcopy(edit)
    kept = {key: item for key, item in base.items() if edit.get(key) != GONE}
    return kept | {key: edited(kept.get(key), item) for key, item in edit.items() if item != GONE}


def patient(snapshot: dict[str, Any]) -> Patient:
    readings = tuple(Reading(source=source, value=value) for source, value in snapshot.items())
    return Patient(machine=Machine(name="patient", readings=readings))


def recorded() -> dict[str, dict[str, Any]]:
    return {path.stem: read(path) for path in sorted((HERE / "machines").glob("*.yaml"))}


def healthy() -> dict[str, dict[str, Any]]:
    rows = read(HERE / "healthy.yaml")
    return {name: edited(bases()[row["base"]], row.get("edit") or {}) for name, row in rows.items()}


def reported() -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Give, by name, what is expected of a sparse recording, and the recording."""
    rows = read(HERE / "reports.yaml") | read(HERE / "threads.yaml")
    return {name: (row, row.get("alone") or edited(bases()[row["base"]], row["edit"])) for name, row in rows.items()}


def pairs() -> dict[str, tuple[dict[str, Any], dict[str, Any], frozenset[str]]]:
    """Give, by rule, the ill patient, its healthy twin, and the purposes that must be opened to see it."""
    rows = [row for path in sorted((HERE / "rules").glob("*.yaml")) for row in read(path)]
    found = {}
    for row in rows:
        assert row["rule"] not in found, f"{row['rule']} stands twice"
        ill = edited(bases()[row["base"]], row["ill"])
        found[row["rule"]] = (ill, edited(ill, row["twin"]), frozenset(row.get("for", ())))
    return found
