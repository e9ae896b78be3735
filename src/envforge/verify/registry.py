"""The table of checks and codes: one truth for the runner and for docs/reference/checks.md."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import field
from functools import cache
from importlib import resources
from typing import Any, Literal

from envforge.errors import UsageError
from envforge.model import value
from envforge.wire import read_yaml

Tier = Literal["quick", "standard", "deep"]
Scope = Literal["host", "device", "alone", "group"]
Layer = Literal["driver", "build", "libraries", "hardware", "system"]
TIERS: tuple[Tier, ...] = ("quick", "standard", "deep")


@value
class Check:
    """One check. ``scope``: once a host, once a device, in a worker of its own, or over all devices together.

    ``run`` names its function in ``checks/envforge_smoke``; ``needs`` its prerequisites (kinds, nvidia, torch,
    capability, attribute); ``settings`` the numbers it takes; ``seen`` where it has been seen to pass or to fail.
    """

    name: str
    tier: Tier
    scope: Scope
    run: str
    limit_s: float
    purpose: str
    proves: str
    codes: tuple[str, ...]
    numbers: str
    source: tuple[str, ...]
    needs: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    asked: bool = False
    breaks: bool = False
    seen: str = ""


@value
class Code:
    """What a result's code means, the doctor's rule with the same cause, and the layer at fault.

    ``layer`` is None where the code alone does not tell.
    """

    name: str
    says: str
    rule: str | None = None
    layer: Layer | None = None


@cache
def _read(name: str) -> Any:
    text = resources.files("envforge.verify").joinpath(name).read_text(encoding="utf-8")
    return read_yaml(text, name).plain


@cache
def checks() -> Mapping[str, Check]:
    """Give every check by name, in the order of running."""
    return {
        name: Check(name=name, **{**entry, "codes": tuple(entry["codes"]), "source": tuple(entry["source"])})
        for name, entry in _read("checks.yaml")["checks"].items()
    }


@cache
def codes() -> Mapping[str, Code]:
    """Give every code by name."""
    return {name: Code(name=name, **entry) for name, entry in _read("codes.yaml")["codes"].items()}


def sources() -> Mapping[str, str]:
    """Give what the source words of the table stand for."""
    return dict(_read("checks.yaml")["sources"])


def witnesses() -> Mapping[str, str]:
    """Give where checks of a kind have been seen to pass and to fail."""
    return dict(_read("checks.yaml")["witnesses"])


def floors() -> Mapping[str, str]:
    """Give the lowest compute capability of each hardware feature that the checks ask for."""
    return {name: entry["capability"] for name, entry in _read("checks.yaml")["floors"].items()}


def features() -> Mapping[str, str]:
    """Give the words that ``--require`` takes beside the names of checks: feature to check."""
    return dict(_read("checks.yaml").get("features", {}))


def reported(code: str | None) -> str | None:
    """Give the code that is reported: the doctor's rule where one has the same cause."""
    known = codes().get(code or "")
    return known.rule if known and known.rule else code


def explain(code: str | None) -> Code | None:
    """Find what a reported code stands for, by its own name or by the rule that it is reported as; None: unknown."""
    known = codes()
    return known.get(code or "") or next((each for each in known.values() if code and each.rule == code), None)


def select(wanted: str | tuple[str, ...], require: Iterable[str] = ()) -> tuple[Check, ...]:
    """Give the checks of a tier and all below it, or the named ones, with what is required, in order of running.

    ``import_torch`` always runs, and ``device_init`` before anything that touches a device.
    Raises UsageError for an unknown word.
    """
    table = checks()
    forced = {_check_of(word) for word in require}
    if isinstance(wanted, str) and wanted in TIERS:
        tiers = TIERS[: TIERS.index(wanted) + 1]
        names = {name for name, check in table.items() if check.tier in tiers and not check.asked}
    else:
        words = (wanted,) if isinstance(wanted, str) else wanted
        names = {_check_of(word) for word in words}
    names |= forced | {"import_torch"}
    if any(table[name].scope != "host" for name in names):
        names.add("device_init")
    return tuple(check for name, check in table.items() if name in names)


def _check_of(word: str) -> str:
    name = features().get(word, word)
    if name in checks():
        return name
    known = [*checks(), *features(), *TIERS]
    begun = [name for name in known if name.startswith(f"{word}_")]
    close = begun or difflib.get_close_matches(word, known, n=1)
    hints = (f"did you mean `{close[0]}`?",) if close else (f"checks are: {', '.join(checks())}",)
    raise UsageError(f"unknown check `{word}`", hints=hints)


def required(require: Iterable[str]) -> frozenset[str]:
    """Give the names of the checks whose skip is a failure."""
    return frozenset(_check_of(word) for word in require)
