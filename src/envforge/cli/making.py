"""Make an environment and check it; where checks fail, put the next candidate in its place."""

from __future__ import annotations

from dataclasses import replace

from envforge.cli.attesting import hold_against_publishers
from envforge.cli.fitting import unserved
from envforge.cli.footing import Footing
from envforge.cli.job import Job
from envforge.cli.locking import save_lock
from envforge.cli.mending import mend_caches, some
from envforge.cli.proving import is_proven, notes, prove, words
from envforge.cli.trying import Try, find_next, take_next, try_of
from envforge.errors import EngineFailed
from envforge.model import Candidate, Environment, value
from envforge.provision import (
    Place,
    Room,
    measure_room,
    provision,
    read_damage,
    read_environment,
    register,
    rollback,
    standing,
    strangers,
)
from envforge.report.plan import candidate_text


@value
class Done:
    """What stands now: from which footing, whether anything changed, and every candidate that was tried."""

    footing: Footing
    environment: Environment
    room: Room | None
    changed: bool
    tries: tuple[Try, ...]
    following: Candidate | None = None


def make(job: Job, footing: Footing, try_next: int) -> Done:
    """Make and check; while checks fail, put the next candidate in its place, ``try_next`` times."""
    before = read_environment(job.prefix)
    done = _one(job, footing)
    while found := find_next(job, done.footing, done.tries):
        if len(done.tries) > try_next:
            return replace(done, following=found[1].best)
        _make_way(job, before, done)
        job.talk.say(f"trying {candidate_text(found[1].best)} instead: {done.tries[-1]}")
        following = _one(job, take_next(job, done.footing, found))
        done = replace(following, tries=(*done.tries, *following.tries), changed=True)
    return done


def _one(job: Job, footing: Footing) -> Done:
    """Make one environment, and check it."""
    if footing.made:
        save_lock(footing.lock, job.spec_file)
    before = read_environment(job.prefix)
    with job.clock("provision"):
        stood = standing(job.prefix, footing.section)
        if not stood or job.spec.attestations.conda == "require":
            hold_against_publishers(job, footing.section.artefacts)
        room = None if stood else measure_room(footing.section, Place.at(job.prefix), job.packages)
        environment = stood or _replace(job, footing, before)
        _register(job, environment)
    proven, checked = _prove(job, environment)
    changed = before is None or before.created != environment.created or checked
    return Done(footing=footing, environment=proven, room=room, changed=changed, tries=(try_of(proven),))


def _make_way(job: Job, before: Environment | None, done: Done) -> None:
    """Bring back what stood here before this run, so that it, and not what failed, is the generation that is kept."""
    if before and before.created != done.environment.created:
        with job.talk.watching() as emit:
            rollback(job.prefix, emit=emit, timeout_s=job.timeout_s)


def _replace(job: Job, footing: Footing, before: Environment | None) -> Environment:
    """Put a new environment where the one before stood; say what a person must know of either."""
    if before:
        _mend(job, before)
    theirs = strangers(before) if before else ()
    environment = _provision(job, footing)
    if theirs:
        back = f"`envforge rollback {environment.prefix}` brings the old one back, the next update deletes it"
        job.talk.warn(f"{some(theirs)}: no package brought this, so it is in the previous generation alone; {back}")
    _tell_unrun(job, environment)
    return environment


def _mend(job: Job, before: Environment) -> None:
    """Take what was edited out of the caches, where a deep look found such: a new environment would have it again."""
    if read_damage(before.prefix):
        for name in mend_caches(job.dirs, before):
            job.talk.say(f"`{name}` was edited in the cache, and comes anew")


def _tell_unrun(job: Job, environment: Environment) -> None:
    """Say which packages have a link script that did not run."""
    from envforge.engines.link_scripts import unrun

    for name in unrun(environment.section.artefacts, environment.prefix):
        job.talk.warn(f"the link script of `{name}` was not run; `link-scripts: [{name}]` in the spec allows it")


def _register(job: Job, environment: Environment) -> None:
    """Have `list` find it; an environment is as good where that cannot be written down."""
    try:
        register(job.dirs.registry, environment, job.dirs.envs)
    except EngineFailed as error:
        job.talk.warn(f"`envforge list` will not show it: {error.message} (`{job.dirs.registry}`)")


def _provision(job: Job, footing: Footing) -> Environment:
    with job.talk.watching() as emit:
        return provision(
            replace(footing.lock, name=job.spec.name),
            footing.section,
            job.prefix,
            engines=job.engines,
            packages=job.packages,
            emit=emit,
            spec_origin=str(job.spec_file.absolute()),
            checks=words(job.spec.checks),
            timeout_s=job.timeout_s,
        )


def _deferred(job: Job, environment: Environment) -> str | None:
    """Say why the checks are left to another machine, or to later; None when they are to run here."""
    if not job.proves:
        return "`--no-verify` was asked for"
    if job.machines == (job.here,):
        return None
    return unserved(environment.section, job.spec, job.here, job.facts)


def _prove(job: Job, environment: Environment) -> tuple[Environment, bool]:
    """Check an environment where that has not been done; one for another machine is left to that machine.

    What was proven elsewhere is not told as a proof of here.
    """
    if is_proven(environment, job.here, job.spec):
        return environment, False
    if why := _deferred(job, environment):
        job.talk.warn(f"not verified here: {why}; run `envforge verify {environment.prefix}` where it belongs")
        return replace(environment, verified=None), False
    with job.clock("verify"):
        proven = prove(job.talk, environment, job.here, job.spec, job.timeout_s)
    for each in notes(proven.verified) if proven.verified else ():
        job.talk.warn(each)
    return proven, True
