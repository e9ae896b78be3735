"""The rules and what is known, read from the compiled form of ``rules/*.yaml`` and ``known.yaml``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from envforge.doctor.known import Known
from envforge.facts import Facts, load_facts
from envforge.model import Remedy, Rule

AREAS = (
    "place",
    "hardware",
    "bus",
    "module",
    "driver",
    "fabric",
    "permissions",
    "container",
    "virtual",
    "resources",
    "variables",
    "build",
    "packages",
    "libraries",
    "toolchain",
    "multi-gpu",
    "windows",
)


@cache
def load_rules() -> tuple[Rule, ...]:
    """Give all rules, causes before what they explain, else in the order of the areas."""
    return tuple(rule_of(row) for row in _compiled()["rules"])


def load_known(facts: Facts | None = None) -> Known:
    """Give the doctor's tables with the house's facts (the packaged ones when none are given)."""
    return Known(facts=facts or load_facts(), tables=_compiled()["known"])


@cache
def _compiled() -> dict[str, Any]:
    return dict(json.loads((files("envforge.doctor") / "rulebook.json").read_text(encoding="utf-8")))


def rule_of(row: Mapping[str, Any]) -> Rule:
    """Make a rule from its plain form; unknown keys raise TypeError."""
    remedy = [Remedy(**{**step, "distro": tuple(step.get("distro", ()))}) for step in row.get("remedy", ())]
    lists = {name: tuple(row.get(name, ())) for name in ("says", "references", "rule_out_first", "prints")}
    return Rule(**{**row, **lists, "remedy": tuple(remedy)})
