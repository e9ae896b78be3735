"""Spec -> YAML text, and the digest of what a lock depends on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from packaging.specifiers import SpecifierSet

from envforge.model import Attestations, Needs, Spec, Target
from envforge.spec.parse import RENAMED
from envforge.spec.table import SPEC
from envforge.spec.words import UNITS, in_order
from envforge.wire import digest, write_yaml

NOT_IN_LOCKS = frozenset({"name", "checks"})
IN_ANY_ORDER = frozenset({"with", "conda", "wheels", "link-scripts"})
SIZES = ("TiB", "GiB", "MiB", "KiB", "TB", "GB", "MB", "KB", "B")


def write_spec(spec: Spec) -> str:
    """Write a spec as YAML in the order of the contract, without what is default: `parse_spec` gives it back."""
    asked = {"python": spec.python, "torch": spec.torch, "cuda": spec.cuda}
    plain = _plain(spec) | {key: in_order(each) for key, each in asked.items() if isinstance(each, SpecifierSet)}
    if isinstance(spec.cuda, SpecifierSet) and spec.gpu == "required":
        del plain["gpu"]
    return write_yaml(plain)


def spec_digest(spec: Spec) -> str:
    """Give the digest of what a lock depends on: everything but the name, the checks, and where it was written.

    The order of packages does not count, that of places does: the first that has a package wins. A target's file
    counts by its path; what it says is for the lock's own section to hold.
    """
    return digest({key: sorted(found) if key in IN_ANY_ORDER else found for key, found in _locked(spec).items()})


def is_digest_of(found: str, spec: Spec) -> bool:
    """Tell whether a lock says the digest of this spec, or that in which the order of packages still counted."""
    return found in (spec_digest(spec), digest(_locked(spec)))


def _locked(spec: Spec) -> dict[str, Any]:
    return {key: found for key, found in _plain(spec).items() if key not in NOT_IN_LOCKS}


def _plain(spec: Spec) -> dict[str, Any]:
    defaults = {each.name: each.default for each in fields(Spec) if each.default is not MISSING}
    plain: dict[str, Any] = {}
    for key in SPEC.keys:
        name = RENAMED.get(key.name, key.name)
        found = getattr(spec, name)
        if name not in defaults or isinstance(found, SpecifierSet) or found != defaults[name]:
            plain[key.name] = _plain_value(key.name, found)
    return plain


def _plain_value(key: str, found: Any) -> Any:
    if isinstance(found, Needs):
        return _plain_needs(found)
    if isinstance(found, Attestations):
        return {each.name: text for each in fields(found) if (text := getattr(found, each.name))}
    if key == "targets":
        return {target.name: _plain_target(target) for target in found}
    if key == "variables":
        return dict(found)
    if isinstance(found, tuple):
        return list(found)
    return str(found) if isinstance(found, SpecifierSet) else found


def _plain_target(target: Target) -> str | Mapping[str, Any] | None:
    return target.path if target.profile is None else target.profile


def _plain_needs(needs: Needs) -> dict[str, Any]:
    plain = {
        "gpus": needs.gpus,
        "memory": None if needs.memory_bytes is None else size_text(needs.memory_bytes),
        "capability": None if needs.capability is None else str(needs.capability),
    }
    return {key: found for key, found in plain.items() if found is not None}


def size_text(size_bytes: int) -> str:
    """Write a size in the largest unit that divides it: ``24GiB``, ``80GB``, ``1000001B``."""
    unit = next(unit for unit in SIZES if size_bytes % UNITS[unit.upper()] == 0)
    return f"{size_bytes // UNITS[unit.upper()]}{unit}"
