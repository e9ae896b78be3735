"""Write the page that shows what runs: ``python docs/reference/runs/make.py``; with ``--check`` say if it is outdated.

One file, ``docs/reference/runs.html``, without a server: style, script and the facts are inside it. Whether a build has
code for a card is asked of the resolver's own rules here; driver, Python and source are compared in the page.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from envforge.detect import read_machine
from envforge.facts import Facts, load_facts
from envforge.model import Build, Candidate
from envforge.resolve.constraints import machine_rules
from envforge.wire import write_yaml

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "runs.html"
SUBDIRS = ("linux-64", "linux-aarch64", "win-64", "osx-arm64")
CODE, COMPILED, NONE, UNKNOWN = "2", "1", "0", "?"


@cache
def facts() -> Facts:
    return load_facts()


def gathered() -> dict[str, Any]:
    """Gather what the page needs: devices (one per capability, Jetson's apart), cards, branches, builds."""
    devices = list(_devices())
    return {
        "dated": facts().dated,
        "devices": devices,
        "cards": {name: _device_of(name, devices) for name in sorted(facts().cards.names)},
        "branches": [[each.number.major, str(each.cuda), each.eol] for each in facts().drivers.branches],
        "builds": {subdir: [_build(each, devices) for each in _newest_first(subdir)] for subdir in SUBDIRS},
    }


def _devices() -> Iterator[dict[str, Any]]:
    jetson = {card.capability for card in _cards() if card.tegra}
    others = {card.capability for card in _cards() if not card.tegra}
    for each in facts().drivers.architectures:
        first, last = (bound and str(bound) for bound in (each.first_driver, each.last_driver))
        about = {"name": each.name, "capability": str(each.capability), "module": each.module}
        if each.capability in others or each.capability not in jetson:
            yield {**about, "first": first, "last": last, "jetson": False}
        if each.capability in jetson:
            yield {**about, "first": None, "last": None, "jetson": True}


def _cards() -> Iterator[Any]:
    return (card for name in facts().cards.names if (card := facts().card(name)))


def _device_of(name: str, devices: list[dict[str, Any]]) -> int:
    card = facts().card(name)
    wanted = (str(card.capability), card.tegra) if card else None
    return next(at for at, each in enumerate(devices) if (each["capability"], each["jetson"]) == wanted)


def _newest_first(subdir: str) -> list[Build]:
    return sorted(
        facts().builds(subdir), key=lambda each: (each.torch, each.cuda is not None, each.variant), reverse=True
    )


def _build(build: Build, devices: list[dict[str, Any]]) -> list[Any]:
    """Give a build as a row, its reach of each device as one letter each; the script names the columns."""
    floor = facts().driver_floor(build.cuda, build.subdir) if build.cuda else None
    reach = "".join(_reach(build, at) for at in range(len(devices))) if build.cuda else ""
    cuda, least, glibc = (each and str(each) for each in (build.cuda, floor, build.glibc))
    source = f"channel {build.source.rpartition('/')[2]}" if "://" in build.source else build.source
    variant = build.variant + " (Jetson)" * build.tegra
    return [str(build.torch), cuda, variant, source, list(build.pythons), least, glibc, reach, build.confidence]


def _reach(build: Build, at: int) -> str:
    """Say how a build reaches a device: machine code, PTX that a new driver compiles, not at all, unknown."""
    candidate = Candidate(python=build.pythons[-1] if build.pythons else "3.12", build=build)
    answers = {rule.rule: rule for rule in _rules(at, build.subdir)}
    if answers["tegra"].allows(candidate) is False:
        return NONE
    allowed = answers["kernels"].allows(candidate)
    if allowed is None:
        return UNKNOWN
    return (COMPILED if answers["kernels"].degree(build) == 1 else CODE) if allowed else NONE


@cache
def _rules(at: int, subdir: str) -> tuple[Any, ...]:
    """Give the rules of a machine with this device under the newest driver that is known."""
    device = list(_devices())[at]
    name = next((card.name for card in _cards() if card.tegra and str(card.capability) == device["capability"]), "")
    gpu = {"name": name if device["jetson"] else "a GPU", "capability": device["capability"]}
    there = "linux-aarch64" if device["jetson"] else subdir
    driver = str(facts().drivers.branches[-1].number)
    profile = write_yaml({"driver": driver, "gpus": [gpu], "subdir": there})
    return tuple(machine_rules(read_machine(profile, "device", facts()), facts()))


def page() -> str:
    """Put style, script and facts into one file."""
    text = (HERE / "page.html").read_text()
    told = json.dumps(gathered(), ensure_ascii=False, separators=(",", ":")).replace("</", "<\\/")
    parts = {"STYLE": (HERE / "page.css").read_text(), "SCRIPT": (HERE / "runs.js").read_text(), "FACTS": told}
    for name, part in parts.items():
        text = text.replace(f"@{name}@", part)
    return text


def main() -> int:
    fresh = page()
    if "--check" in sys.argv[1:]:
        current = PAGE.is_file() and PAGE.read_text() == fresh
        print("" if current else f"out of date: {PAGE.name}\n", end="")
        return 0 if current else 1
    PAGE.write_text(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
