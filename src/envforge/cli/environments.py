"""`envforge list`, `status`, `remove`, `rollback` and `clean`: the environments that are there."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envforge.cli.common import Answer, DryRun, GivenName, GivenPrefix, MaybeEnvironment, Talk, Timeout, Yes, command
from envforge.cli.dirs import Dirs, find_caches, find_dirs, find_one
from envforge.cli.locking import staleness
from envforge.cli.mending import mend_caches, some
from envforge.cli.proofs import environment_shape, list_page, proven_here, status_page
from envforge.errors import Stale, UsageError
from envforge.model import Environment
from envforge.provision import (
    Damage,
    Place,
    delete_cache,
    drift,
    list_environments,
    look_deep,
    read_damage,
    read_environment,
    store_damage,
    strangers,
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
from envforge.report.page import item, prose
from envforge.wire import to_plain

Deep = Annotated[
    bool, typer.Option("--deep", envvar="ENVFORGE_DEEP", help="Look at every file: is it as its package brought it?")
]
Damaged = Annotated[
    bool,
    typer.Option("--damaged", envvar="ENVFORGE_CLEAN_DAMAGED", help="Delete what was edited in the package caches."),
]
Cache = Annotated[bool, typer.Option("--cache", envvar="ENVFORGE_CLEAN_CACHE", help="Delete the package caches too.")]


@command(examples=("envforge list", "envforge list --json | jq -r '.data.environments[].prefix'"))
def list_(talk: Talk) -> Answer:
    """List the environments: what is in them, where they are, where they were proven to run."""
    dirs = find_dirs()
    found = list_environments(dirs.envs, dirs.registry)
    here = proven_here(found)
    shapes = [environment_shape(each, here=each.prefix in here) for each in found]
    return Answer(data={"environments": shapes}, page=lambda: list_page(found, here))


@command(examples=("envforge status vision", "envforge status -p ./env --json", "envforge status vision --deep"))
def status(
    talk: Talk,
    environment: MaybeEnvironment = None,
    name: GivenName = None,
    prefix: GivenPrefix = None,
    deep: Deep = False,
) -> Answer:
    """Say whether an environment is as its lock made it, whether the lock is still the spec's, and what is proven.

    A proof holds for the GPUs and the driver that it was made with. Exit 4 where it has drifted or is stale. What
    `--deep` finds is remembered, so that `create` makes the environment anew.
    """
    dirs = find_dirs()
    found = _one(dirs, environment, name, prefix)
    damage = _look(talk, dirs, found) if deep else read_damage(found.prefix)
    drifted, stale = drift(found), staleness(found)
    here = found.prefix in proven_here((found,))
    state = "drifted" if not drifted.clean else "stale" if stale else "clean" if here else "unverified"
    data = {
        **environment_shape(found, here=here),
        "state": state,
        "missing": list(drifted.missing),
        "added": list(drifted.added),
        "files": to_plain(damage),
        "stale": stale and stale.why,
        "changes": stale.changes if stale else (),
    }
    code = Stale.exit if state in ("drifted", "stale") else 0
    return Answer(data=data, page=lambda: status_page(found, state, drifted, stale, damage, here=here), exit=code)


def _look(talk: Talk, dirs: Dirs, environment: Environment) -> Damage:
    """Look at every file, and remember what is wrong."""
    with talk.watching() as emit:
        damage = look_deep(environment, find_caches(dirs), emit)
    store_damage(environment.prefix, damage)
    return damage


@command(examples=("envforge remove vision", "envforge remove -p ./env -y"))
def remove(
    talk: Talk,
    environment: MaybeEnvironment = None,
    name: GivenName = None,
    prefix: GivenPrefix = None,
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
        _ask(talk, where)
    with talk.watching() as emit:
        take_away(where, registry=dirs.registry, emit=emit, timeout_s=timeout)
    return Answer(data=data, page=lambda: (prose(f"removed `{where}`"),))


def _ask(talk: Talk, where: Path) -> None:
    """Ask a person; whoever is not at a terminal has decided by running the command, but not about files of theirs."""
    import sys

    environment = read_environment(where)
    theirs = strangers(environment) if environment else ()
    if talk.json or not sys.stdin.isatty():
        if theirs:
            hints = ("`-y` removes them too",)
            raise UsageError(f"files that no package brought would be lost: {some(theirs)}", (str(where),), hints)
        return
    also = f", also {some(theirs)}, which no package brought" if theirs else ""
    if not typer.confirm(f"Remove {where} and everything in it{also}?", err=True):
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
    found = find_one(dirs, name, prefix, environment)
    if found is None:
        raise UsageError("which environment is not said", (), ("see them all with `envforge list`",))
    return found


@command(examples=("envforge rollback vision",))
def rollback(
    talk: Talk,
    environment: MaybeEnvironment = None,
    name: GivenName = None,
    prefix: GivenPrefix = None,
    timeout: Timeout = None,
) -> Answer:
    """Put the previous generation of an environment back; a second rollback undoes the first."""
    found = _one(find_dirs(), environment, name, prefix)
    with talk.watching() as emit:
        back = turn_back(found.prefix, emit=emit, timeout_s=timeout)
    said = f"`{back.name}` is as it was made on {back.created}: torch {back.section.candidate.build.torch}"
    return Answer(data=environment_shape(back, here=back.prefix in proven_here((back,))), page=lambda: (prose(said),))


@command(examples=("envforge clean", "envforge clean --cache", "envforge clean --damaged"))
def clean(talk: Talk, cache: Cache = False, damaged: Damaged = False) -> Answer:
    """Clear what interrupted runs left behind; with `--cache` the downloaded packages too.

    `--damaged` deletes only those packages of the caches that hold a file which is not as it came.
    """
    dirs = find_dirs()
    known = tuple(each.prefix for each in list_environments(dirs.envs, dirs.registry))
    with talk.watching() as emit:
        gone = clear(dirs.envs, known, emit=emit)
    spoilt = mend_caches(dirs) if damaged else ()
    freed_bytes = delete_cache(dirs.cache) if cache else 0
    said = f"cleared {len(gone)} leftovers" + (f" and {freed_bytes / 2**20:,.0f} MiB of caches" if cache else "")
    found = [item(f"`{each}` was edited in the cache, and is deleted") for each in spoilt]
    data = {"cleared": [str(each) for each in gone], "damaged": list(spoilt)}
    return Answer(data={**data, "freed_bytes": freed_bytes}, page=lambda: (prose(said), *found))
