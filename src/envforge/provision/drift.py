"""What stands in a prefix against what the lock says, by names and versions: cheap enough for every run."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from packaging.utils import canonicalize_name

from envforge.model import Environment, Section, value
from envforge.provision.damage import read_damage
from envforge.provision.marker import read_marker


@value
class Drift:
    """What is missing and what was added, as ``numpy 2.4.6 py311_0``; ``changed`` packages hold files that were edited.

    All empty: clean. Files are only known to be changed since a deep look at them (`look_deep`).
    """

    missing: tuple[str, ...] = ()
    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        return not self.missing and not self.added and not self.changed


@value
class Change:
    """One package that two sections lock differently; None where it is not locked."""

    name: str
    before: str | None
    after: str | None


def changes(old: Section, new: Section) -> tuple[Change, ...]:
    """Compare what two sections lock, by name and version, then by build."""
    before, after = _locked(old), _locked(new)
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    return tuple(Change(name=name, before=_say(before.get(name)), after=_say(after.get(name))) for name in names)


def _locked(section: Section) -> dict[str, tuple[str, str]]:
    return {each.name: (each.version, each.build) for each in section.artefacts}


def _say(artefact: tuple[str, str] | None) -> str | None:
    return " ".join(filter(None, artefact)) if artefact else None


def drift(environment: Environment) -> Drift:
    """Compare conda's records with the lock and the dist-info directories with those at installation."""
    marker = read_marker(environment.prefix)
    records, lost = _compare(_wanted_records(environment.section), _records(environment.prefix))
    known = set(marker.distributions) if marker else set()
    wheels, gone = _compare(known, set(distributions(environment.prefix)))
    damage = read_damage(environment.prefix)
    changed = sorted({each.package for each in damage.flaws}) if damage else []
    return Drift(missing=_spoken(lost, gone), added=_spoken(records, wheels), changed=tuple(changed))


def missing_artefacts(section: Section, folder: Path) -> tuple[str, ...]:
    """Say which artefacts of the lock are not in this folder, and which conda packages are there unasked."""
    added, missing = _compare(_wanted_records(section), _records(folder))
    there = {dist_info_key(name) for name in distributions(folder)}
    wheels = [each for each in section.artefacts if each.kind == "wheel"]
    gone = [
        f"{each.name} {each.version}" for each in wheels if (canonicalize_name(each.name), each.version) not in there
    ]
    return (*_spoken(missing, ()), *gone, *(f"{each} (not in the lock)" for each in _spoken(added, ())))


def distributions(folder: Path) -> tuple[str, ...]:
    """List the dist-info directories of an environment."""
    return tuple(sorted(path.name for path in folder.glob("lib/python3.*/site-packages/*.dist-info")))


def _records(folder: Path) -> set[str]:
    return {path.stem for path in (folder / "conda-meta").glob("*-*-*.json")}


def _wanted_records(section: Section) -> set[str]:
    return {f"{each.name}-{each.version}-{each.build}" for each in section.artefacts if each.kind == "conda"}


def _compare(wanted: set[str], there: set[str]) -> tuple[list[str], list[str]]:
    return sorted(there - wanted), sorted(wanted - there)


def _spoken(records: Iterable[str], wheels: Iterable[str]) -> tuple[str, ...]:
    return (*(" ".join(each.rsplit("-", 2)) for each in records), *_versions(wheels))


def _versions(wheels: Iterable[str]) -> Iterator[str]:
    for each in wheels:
        yield each.removesuffix(".dist-info").replace("-", " ", 1)


def dist_info_key(dist_info: str) -> tuple[str, str]:
    """Give the name, normalized, and the version that a dist-info directory bears."""
    name, _, version = dist_info.removesuffix(".dist-info").partition("-")
    return canonicalize_name(name), version
