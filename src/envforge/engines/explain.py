"""Say what a conda solver's complaint means on this machine: one translator for every engine.

Solvers say what was missing, never what the machine has. From rattler 0.28:

    Cannot solve the request because of: pytorch 2.13.* cuda* cannot be installed because there are no viable options:
    ├─ pytorch 2.13.0 would require
    │  └─ __cuda >=12.8, for which no candidates were found.
    └─ pytorch 2.13.0 would require
       └─ python >=3.13,<3.14.0a0, for which no candidates were found.

The last branch is noise: the build for another Python. It is shown only when nothing else speaks. When a part
``The following packages are incompatible`` follows, the contradiction is there, and what precedes it is noise too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches

from envforge.errors import Unsatisfiable

SHOWN = 8
NEWEST = 3
_BRANCH = re.compile(r"^[\s│├└─]+")
_OPENING = re.compile(r"Cannot solve the request because of: |Could not solve for environment specs\s*")
_CONTRADICTION = "The following packages are incompatible"
_VIRTUAL = re.compile(r"(__[a-z0-9_]+) ([^\s,]+(?:,[^\s,]+)*)")
_LEAST = re.compile(r">=([0-9]+(?:\.[0-9]+)*)$")
_UNKNOWN = re.compile(r"No candidates were found for (.+?)\.?$|─ (\S+)(?: [^\s,]+)* does not exist", re.MULTILINE)
_REFUSED = re.compile(r"(the constraint .+? cannot be fulfilled|[\w.-]+ .+? is excluded because .+)", re.MULTILINE)
_OTHER_PYTHON = re.compile(r"^(python|python_abi) ")
_TELLS_NOTHING = re.compile(r"(would require|viable options:?|no viable options)$")


def explain(
    text: str,
    virtual: Mapping[str, str],
    channels: Iterable[str] = (),
    offered: Mapping[str, tuple[str, ...]] | None = None,
    names: Iterable[str] = (),
) -> Unsatisfiable:
    """Turn a solver's complaint into an error: what the machine lacks first, other Pythons' noise last.

    ``offered`` are the versions that the channels have of the packages that were not found, newest first, and
    ``names`` all packages they have, to tell a wrong version from a wrong name.
    """
    if unknown := _unknown(text):
        return _not_offered(unknown, channels, offered, tuple(names))
    core = text.rsplit(_CONTRADICTION, maxsplit=1)[-1]
    lines = _lines(core)
    if needs := virtual_needs(core, virtual):
        return Unsatisfiable(
            f"no set of conda packages fits this machine: {needs[0]}", (*needs[1:], *_telling(lines)[:SHOWN])
        )
    if refused := _REFUSED.search(core):
        return Unsatisfiable(f"no set of conda packages satisfies the request: {refused[1]}", _rest(lines, refused[1]))
    if len(lines) == 1:
        return Unsatisfiable(f"no set of conda packages satisfies the request: {lines[0].rstrip('.')}")
    return Unsatisfiable("no set of conda packages satisfies the request", _rest(lines))


def virtual_needs(text: str, virtual: Mapping[str, str]) -> list[str]:
    """Say, per virtual package that candidates need, what they need and what the machine has."""
    needs: dict[str, set[str]] = {}
    for name, wanted in _VIRTUAL.findall(text):
        needs.setdefault(name, set()).add(wanted.rstrip(",.;"))
    return [
        f"candidates need `{name} {_weakest(wanted)}`; {_has(name, virtual)}" for name, wanted in sorted(needs.items())
    ]


def missing_packages(text: str) -> tuple[str, ...]:
    """Name the packages of which the solver found no candidate at all."""
    return tuple(dict.fromkeys(spec.split()[0] for spec in _unknown(text)))


def _unknown(text: str) -> list[str]:
    return sorted({(first or second).replace("=*", "").strip(" *") for first, second in _UNKNOWN.findall(text)})


def _not_offered(
    unknown: list[str], channels: Iterable[str], offered: Mapping[str, tuple[str, ...]] | None, names: tuple[str, ...]
) -> Unsatisfiable:
    specs = ", ".join(f"`{spec}`" for spec in unknown)
    where = tuple(f"channel {channel}" for channel in channels)
    hints: list[str] = []
    for name in (spec.split()[0] for spec in unknown):
        if versions := (offered or {}).get(name):
            hints.append(f"of `{name}` there is {', '.join(versions[:NEWEST])}")
        elif near := get_close_matches(name, names, 1):
            hints.append(f"did you mean `{near[0]}`")
    return Unsatisfiable(f"no channel has a conda package that fits {specs}", where, tuple(hints))


def _weakest(wanted: set[str]) -> str:
    floors = {match[1]: each for each in wanted if (match := _LEAST.match(each))}
    if len(floors) < len(wanted):
        return " or ".join(sorted(wanted))
    return floors[min(floors, key=lambda floor: [int(part) for part in floor.split(".")])]


def _has(name: str, virtual: Mapping[str, str]) -> str:
    here = f"`{name}={virtual[name]}`" if name in virtual else f"no `{name}`"
    return f"this machine provides {here}"


def _lines(text: str) -> list[str]:
    """Give the complaint line by line, without its tree, other Pythons last."""
    bare = [_BRANCH.sub("", _OPENING.sub("", line)).strip() for line in text.splitlines()]
    seen = dict.fromkeys(line for line in bare if line and not _TELLS_NOTHING.search(line))
    return sorted(seen, key=lambda line: bool(_OTHER_PYTHON.match(line)))


def _telling(lines: list[str]) -> list[str]:
    return [line for line in lines if not _VIRTUAL.search(line) and not _OTHER_PYTHON.match(line)]


def _rest(lines: list[str], said: str = "") -> tuple[str, ...]:
    return tuple(line for line in _telling(lines) or lines if line != said)[:SHOWN]
