"""`envforge list`, `status`, `remove`, `rollback` and `clean`: the environments that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from envforge.cli.common import Answer, DryRun, MaybeEnvironment, Name, Prefix, Talk, Timeout, Yes, command
from envforge.cli.dirs import Dirs, find_dirs, find_one
from envforge.errors import Stale, UsageError
from envforge.model import Environment
from envforge.provision import (
    Drift,
    Place,
    delete_cache,
    drift,
    find_environment,
    list_environments,
)
from envforge.provision import (
    clean as clear,
)
from envforge.provision import (
    remove as take_away,
)
from envforge.provision import (
    rollback as turn_back,
)
from envforge.report.page import BLANK, Line, Page, item, prose, row

Cache = Annotated[bool, typer.Option("--cache", envvar="ENVFORGE_CLEAN_CACHE", help="Delete the package caches too.")]
WIDTH = 10


@command(examples=("envforge list", "envforge list --json | jq -r '.data.environments[].prefix'"))
def list_(talk: Talk) -> Answer:
    """List the environments that are whole: what is in them, where they are, where they were proven to run."""
    dirs = find_dirs()
    found = list_environments(dirs.envs, dirs.registry)
    return Answer(data={"environments": [environment_shape(each) for each in found]}, page=lambda: _table(found))


def environment_shape(environment: Environment) -> dict[str, Any]:
    """Give an environment as JSON tells it."""
    build, report = environment.section.candidate.build, environment.verified
    return {
        "name": environment.name,
        "prefix": str(environment.prefix),
        "python": environment.section.candidate.python,
        "torch": str(build.torch),
        "cuda": None if build.cuda is None else str(build.cuda),
        "source": build.source,
        "engine": environment.engine,
        "created": environment.created,
        "spec": environment.spec_origin,
        "verified": report and {"verdict": report.verdict, "machine": report.machine, "when": report.when},
    }


def _table(found: tuple[Environment, ...]) -> Page:
    if not found:
        return (prose("There is no environment yet; `envforge create SPEC` makes one."),)
    rows = [("name", "torch", "cuda", "python", "proven on", "prefix"), *map(_cells, found)]
    widths = [max(len(each[column]) for each in rows) for column in range(6)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(each, widths, strict=True)).rstrip() for each in rows]
    head, *body = (Line(body=(("", line),)) for line in lines)
    return (Line(body=(("quiet", head.body[0][1]),)), *body)


def _cells(environment: Environment) -> tuple[str, ...]:
    build, report = environment.section.candidate.build, environment.verified
    proven = {"pass": report.machine, "fail": "failed", "inconclusive": "could not tell"} if report else {}
    cuda = "cpu" if build.cuda is None else str(build.cuda)
    verdict = proven[report.verdict] if report else "never"
    python = environment.section.candidate.python
    return environment.name, str(build.torch), cuda, python, verdict, str(environment.prefix)


@command(examples=("envforge status vision", "envforge status -p ./env --json"))
def status(talk: Talk, environment: MaybeEnvironment = None, name: Name = None, prefix: Prefix = None) -> Answer:
    """Say whether an environment is as its lock made it, whether the lock is still the spec's, and what is proven."""
    from envforge.cli.locking import staleness

    found = _one(find_dirs(), environment, name, prefix)
    drifted, stale = drift(found), staleness(found)
    state = "drifted" if not drifted.clean else "stale" if stale else _proven(found)
    data = {
        **environment_shape(found),
        "state": state,
        "missing": list(drifted.missing),
        "added": list(drifted.added),
        "stale": stale,
    }
    code = Stale.exit if state in ("drifted", "stale") else 0
    return Answer(data=data, page=lambda: _status_page(found, state, drifted, stale), exit=code)


def _proven(environment: Environment) -> str:
    return "clean" if environment.verified and environment.verified.verdict == "pass" else "unverified"


def _status_page(environment: Environment, state: str, drifted: Drift, stale: str | None) -> Page:
    report = environment.verified
    rows = [
        row("state", state, "good" if state == "clean" else "warn", width=WIDTH),
        row("prefix", str(environment.prefix), width=WIDTH),
        row("made", f"{environment.created} by {environment.engine}", width=WIDTH),
        row("checks", f"{report.verdict} on {report.machine}, {report.when}" if report else "never run", width=WIDTH),
    ]
    notes = [item(f"missing: {each}") for each in drifted.missing] + [item(f"added: {each}") for each in drifted.added]
    notes += [item(stale)] if stale else []
    return (prose(environment.name, "title"), *rows, *((BLANK, *notes) if notes else ()))


@command(examples=("envforge remove vision", "envforge remove -p ./env -y"))
def remove(
    talk: Talk,
    environment: MaybeEnvironment = None,
    name: Name = None,
    prefix: Prefix = None,
    yes: Yes = False,
    dry_run: DryRun = False,
    timeout: Timeout = None,
) -> Answer:
    """Remove an environment with everything in it; nothing that envforge did not make is ever touched."""
    dirs = find_dirs()
    where = _place(dirs, environment, name, prefix)
    data = {"prefix": str(where), "removed": not dry_run}
    if dry_run:
        return Answer(data=data, page=lambda: (prose(f"would remove `{where}`"),))
    if not yes:
        _ask(talk, f"Remove {where} and everything in it?")
    with talk.watching() as emit:
        take_away(where, registry=dirs.registry, emit=emit, timeout_s=timeout)
    return Answer(data=data, page=lambda: (prose(f"removed `{where}`"),))


def _ask(talk: Talk, question: str) -> None:
    """Ask a person; whoever is not at a terminal has decided by running the command."""
    import sys

    if talk.json or not sys.stdin.isatty():
        return
    if not typer.confirm(question, err=True):
        raise UsageError("nothing was removed")


def _place(dirs: Dirs, environment: str | None, name: str | None, prefix: Path | None) -> Path:
    """Give the prefix to remove: a broken environment of ours has no other name than its place."""
    wanted = environment or name
    if prefix or (wanted and "/" in wanted):
        return Place.at(prefix or str(wanted)).prefix
    if wanted and (dirs.envs / wanted).exists():
        return dirs.envs / wanted
    return _one(dirs, environment, name, prefix).prefix


def _one(dirs: Dirs, environment: str | None, name: str | None, prefix: Path | None) -> Environment:
    found = find_environment(environment, dirs.envs, dirs.registry) if environment else find_one(dirs, name, prefix)
    if found is None:
        raise UsageError("which environment is not said", (), ("see them all with `envforge list`",))
    return found


@command(examples=("envforge rollback vision",))
def rollback(
    talk: Talk,
    environment: MaybeEnvironment = None,
    name: Name = None,
    prefix: Prefix = None,
    timeout: Timeout = None,
) -> Answer:
    """Put the previous generation of an environment back; a second rollback undoes the first."""
    found = _one(find_dirs(), environment, name, prefix)
    with talk.watching() as emit:
        back = turn_back(found.prefix, emit=emit, timeout_s=timeout)
    said = f"`{back.name}` is as it was made on {back.created}: torch {back.section.candidate.build.torch}"
    return Answer(data=environment_shape(back), page=lambda: (prose(said),))


@command(examples=("envforge clean", "envforge clean --cache"))
def clean(talk: Talk, cache: Cache = False) -> Answer:
    """Clear what interrupted runs left behind; with `--cache` the downloaded packages too."""
    dirs = find_dirs()
    known = tuple(each.prefix for each in list_environments(dirs.envs, dirs.registry))
    with talk.watching() as emit:
        gone = clear(dirs.envs, known, emit=emit)
    freed_bytes = delete_cache(dirs.cache) if cache else 0
    said = f"cleared {len(gone)} leftovers" + (f" and {freed_bytes / 2**20:,.0f} MiB of caches" if cache else "")
    return Answer(
        data={"cleared": [str(each) for each in gone], "freed_bytes": freed_bytes}, page=lambda: (prose(said),)
    )
