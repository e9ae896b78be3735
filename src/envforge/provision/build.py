"""The one road into a prefix."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from envforge.errors import DiskFailed, EngineFailed, UsageError
from envforge.model import Emit, Engine, Environment, Lock, Section, WheelEngine, value
from envforge.provision.claim import claim
from envforge.provision.disk import delete_tree, disk_error, write_whole
from envforge.provision.drift import distributions, drift, missing_artefacts
from envforge.provision.marker import SCHEMA, Marker, is_ours, read_environment, write_marker
from envforge.provision.place import Place
from envforge.provision.space import check_room, full, measure_room
from envforge.provision.stage import now, staged, swap, sweep
from envforge.run import lack
from envforge.wire import digest, to_json

VARIABLES = Path("etc/conda/env_vars.d/envforge.json")
ELSEWHERE = "choose a folder elsewhere with `--prefix`, or with `ENVFORGE_ENVS_DIR` for all"


@value
class Engines:
    """The two engines that fill a prefix."""

    conda: Engine
    wheels: WheelEngine


def section_digest(section: Section) -> str:
    """Give the digest of what decides a prefix's content: artefacts in any order, variables, and the base's minor.

    Not the base's path, nor where an artefact lies: the same lock stands on ``/usr/bin/python3.12`` here and on
    pyenv's there, and what has the same sha256 is the same from any mirror.
    """
    artefacts = sorted((each.kind, each.name, each.version, each.build, each.sha256) for each in section.artefacts)
    scripts = sorted(each.name for each in section.artefacts if each.link_scripts)
    base = section.interpreter and (section.interpreter.version.major, section.interpreter.version.minor)
    return digest((artefacts, base, section.variables, *([scripts] if scripts else ())))


def provision(  # noqa: PLR0913
    lock: Lock,
    section: Section,
    prefix: Path,
    *,
    engines: Engines,
    packages: Path,
    emit: Emit,
    spec_origin: str = "",
    checks: str = "",
    timeout_s: float | None = None,
) -> Environment:
    """Make the environment of this section at ``prefix``, or leave everything as it was.

    ``checks`` is what the spec wants the environment to be verified with, kept for later.
    ``packages`` is the conda engine's package cache, whose disk is looked at before anything starts.
    Does nothing when it stands there already, clean. An older environment of ours is replaced in one step and kept
    as the previous generation. Raises UsageError for a prefix that is not ours, DiskFailed before anything starts
    when it cannot fit, and whatever the engines raise; nothing of the stage is left then.
    """
    place = Place.at(prefix)
    refuse_foreign(place)
    if present := standing(place.prefix, section):
        return present
    try:
        check_room(measure_room(section, place, packages), section)
        with claim(place, timeout_s=timeout_s, emit=emit, hints=(ELSEWHERE,)):
            return _provision(lock, section, place, engines, emit, _Told(spec_origin, checks, packages))
    except OSError as error:
        raise disk_error(error, place.prefix) from error


class _Told(NamedTuple):
    """What the caller says besides: the spec's file, its checks, and the conda engine's package cache."""

    spec_origin: str
    checks: str
    packages: Path


def _provision(lock: Lock, section: Section, place: Place, engines: Engines, emit: Emit, told: _Told) -> Environment:
    sweep(place)
    refuse_foreign(place)
    if present := _serving(place.prefix, section):
        return present
    created = now()
    with staged(place, created) as stage:
        _refuse_ground(stage.with_name("trial"), place)
        try:
            _fill(section, stage, place.prefix, engines, emit)
            _write_variables(section, stage)
        except (OSError, DiskFailed) as error:
            failed = error if isinstance(error, DiskFailed) else disk_error(error, place.prefix)
            raise full(failed, stage.parent, told.packages) from error
        _check_content(section, stage)
        write_marker(stage, _marker(lock, section, stage, place, engines, told, created))
        swap(stage, place)
    made = read_environment(place.prefix)
    if made is None:
        raise EngineFailed("the engines left no Python here", (str(place.prefix),))
    return made


def standing(prefix: Path, section: Section) -> Environment | None:
    """Give the environment of this very section that stands at ``prefix`` already, clean; None when there is work.

    What a killed process left beside it is work: it has to be swept.
    """
    return None if any(Place.at(prefix).stages()) else _serving(prefix, section)


def _serving(prefix: Path, section: Section) -> Environment | None:
    present = read_environment(prefix)
    serves = present is not None and present.lock_digest == section_digest(section) and drift(present).clean
    return present if serves else None


def refuse_foreign(place: Place) -> None:
    """Raise UsageError for a prefix that cannot be one, or where something stands that envforge did not make."""
    place.refuse_breaking()
    prefix = place.prefix
    empty = prefix.is_dir() and not os.path.ismount(prefix) and not any(prefix.iterdir())
    if is_ours(prefix) or not prefix.exists() or empty:
        return
    if os.path.ismount(prefix):
        hints = (f"put it into a folder there, `--prefix {prefix}/env`",)
        raise UsageError("the prefix is where a file system is mounted, which cannot be swapped", (str(prefix),), hints)
    what = "a file" if not prefix.is_dir() else "a directory that envforge did not make"
    raise UsageError(f"the prefix is {what}", (str(prefix),), ("choose another one with `--prefix` or `--name`",))


def _refuse_ground(trial: Path, place: Place) -> None:
    trial.mkdir()
    what = lack(trial, lived_in=True)
    delete_tree(trial)
    if what:
        where = (str(place.prefix.parent),)
        raise DiskFailed(f"no environment can be on this file system: it {what}", where, (ELSEWHERE,))


def _fill(section: Section, stage: Path, final: Path, engines: Engines, emit: Emit) -> None:
    conda = tuple(each for each in section.artefacts if each.kind == "conda")
    wheels = tuple(each for each in section.artefacts if each.kind == "wheel")
    if all(each.name != "python" for each in conda):
        if section.interpreter is None:
            raise EngineFailed("the lock names neither a Python package nor an interpreter", (str(final),))
        engines.wheels.make_base(section.interpreter, stage, final)
    if conda:
        engines.conda.install(conda, stage, final, emit)
    if wheels:
        engines.wheels.install(wheels, stage, final, emit)


def _check_content(section: Section, stage: Path) -> None:
    """Hold what the engines did against the lock; a tool that installs something else is refused."""
    if wrong := missing_artefacts(section, stage):
        raise EngineFailed(f"what was installed is not what is locked: {', '.join(wrong[:5])}", (str(stage),))
    if not (stage / "bin" / "python").exists():
        raise EngineFailed("the engines left no Python here", (str(stage),))


def _write_variables(section: Section, stage: Path) -> None:
    if section.variables:
        write_whole(stage / VARIABLES, to_json(dict(section.variables)) + "\n")


def _marker(
    lock: Lock, section: Section, stage: Path, place: Place, engines: Engines, told: _Told, created: str
) -> Marker:
    kinds = {each.kind for each in section.artefacts}
    names = [engine.name for kind, engine in (("conda", engines.conda), ("wheel", engines.wheels)) if kind in kinds]
    return Marker(
        schema=SCHEMA,
        name=lock.name,
        prefix=str(place.prefix),
        python="bin/python",
        engine="+".join(names),
        created=created,
        spec_origin=told.spec_origin,
        lock_digest=section_digest(section),
        download_bytes=sum(each.size_bytes or 0 for each in section.artefacts),
        distributions=distributions(stage),
        section=section,
        checks=told.checks,
    )
