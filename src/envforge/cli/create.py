"""`envforge create`: detect, resolve, lock, provision, verify; and nothing at all when all of that stands."""

from __future__ import annotations

from typing import Any

from envforge.cli.common import (
    Answer,
    Channels,
    DryRun,
    Engine,
    EngineName,
    FindLinks,
    Frozen,
    Indexes,
    Locked,
    Machines,
    Name,
    Offline,
    Prefix,
    SpecFile,
    Talk,
    Target,
    Timeout,
    Yes,
    command,
)
from envforge.cli.fitting import lock_path, unserved
from envforge.cli.footing import Footing, find_footing
from envforge.cli.job import Job, begin
from envforge.cli.locking import Made, save_lock
from envforge.cli.proving import EXITS, complaints, is_proven, prove
from envforge.cli.talk import program_name
from envforge.errors import EngineFailed
from envforge.model import Choice, Conflict, Environment
from envforge.provision import Place, Room, check_room, measure_room, provision, refuse_foreign, register, standing
from envforge.report.create import created_page, would_create_page
from envforge.report.page import Page, join
from envforge.report.plan import plan_page
from envforge.report.shapes import create_shape, plan_shape


@command(
    examples=(
        "envforge create vision.yaml",
        "envforge create vision.yaml --prefix ./env --locked",
        "envforge create vision.yaml --dry-run --json",
    )
)
def create(
    talk: Talk,
    spec: SpecFile,
    name: Name = None,
    prefix: Prefix = None,
    machine: Machines = None,
    target: Target = None,
    engine: Engine = EngineName.AUTO,
    channel: Channels = None,
    index_url: Indexes = None,
    find_links: FindLinks = None,
    locked: Locked = False,
    frozen: Frozen = False,
    offline: Offline = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    timeout: Timeout = None,
) -> Answer:
    """Make a proven environment from a spec: choose, lock, install, check; do nothing where it stands already.

    The lock beside the spec is used while it fits, and made anew when it does not. Exit 1 where nothing can serve,
    or a check fails.
    """
    job = begin(
        talk,
        spec,
        engine,
        name=name,
        prefix=prefix,
        machines=machine,
        target=target,
        sources={"channels": channel, "indexes": index_url, "find_links": find_links},
        offline=offline,
        timeout_s=timeout,
    )
    refuse_foreign(Place.at(job.prefix))
    footing = find_footing(job, locked=locked, frozen=frozen)
    if isinstance(footing, Made):
        return _no_way(job, footing)
    return _would_create(job, footing) if dry_run else _create(job, footing)


def _no_way(job: Job, made: Made) -> Answer:
    """Tell the conflict; nothing was written."""
    outcome = made.decision.outcome
    return Answer(
        data=_shape(job, plan=_plan_shape(job, outcome)),
        page=lambda: plan_page(job.spec.name, job.machines, outcome, verbose=job.talk.verbose > 0),
        exit=1,
    )


def _would_create(job: Job, footing: Footing) -> Answer:
    """Tell what would be done; nothing is written, not even the lock."""
    place = Place.at(job.prefix)
    room = measure_room(footing.section, place, job.packages)
    check_room(room, footing.section)

    def page() -> Page:
        plan = plan_page(
            job.spec.name,
            job.machines,
            footing.choice,
            download_bytes=room.download_bytes,
            unpacked_bytes=room.unpacked_bytes,
            verbose=job.talk.verbose > 0,
        )
        lock = None if footing.made is None else lock_path(job.spec_file)
        return join(plan, would_create_page(job.prefix, lock, len(footing.section.artefacts)))

    return Answer(data=_shape(job, plan=_plan_shape(job, footing.choice, room)), page=page)


def _create(job: Job, footing: Footing) -> Answer:
    if footing.made:
        save_lock(footing.lock, job.spec_file)
    with job.clock("provision"):
        stood = standing(job.prefix, footing.section)
        room = None if stood else measure_room(footing.section, Place.at(job.prefix), job.packages)
        environment = stood or _provision(job, footing)
        _register(job, environment)
    proven, checked = _prove(job, environment)
    return _answer(job, footing, proven, room, changed=stood is None or checked)


def _register(job: Job, environment: Environment) -> None:
    """Have `list` find it; an environment is as good where that cannot be written down."""
    try:
        register(job.dirs.registry, environment, job.dirs.envs)
    except EngineFailed as error:
        job.talk.warn(f"`envforge list` will not show it: {error.message} (`{job.dirs.registry}`)")


def _provision(job: Job, footing: Footing) -> Environment:
    with job.talk.watching() as emit:
        return provision(
            footing.lock,
            footing.section,
            job.prefix,
            engines=job.engines,
            packages=job.packages,
            emit=emit,
            spec_origin=str(job.spec_file.absolute()),
            timeout_s=job.timeout_s,
        )


def _prove(job: Job, environment: Environment) -> tuple[Environment, bool]:
    """Check an environment where that has not been done; one for another machine is left to that machine."""
    if is_proven(environment, job.here, job.spec):
        return environment, False
    why = None if job.machines == (job.here,) else unserved(environment.section, job.spec, job.here, job.facts)
    if why:
        job.talk.warn(f"not verified here: {why}; run `envforge verify {environment.prefix}` where it belongs")
        return environment, False
    with job.clock("verify"):
        return prove(job.talk, environment, job.here, job.spec, job.timeout_s), True


def _answer(job: Job, footing: Footing, environment: Environment, room: Room | None, *, changed: bool) -> Answer:
    report = environment.verified
    plan = _plan_shape(job, footing.choice, room)
    lock = lock_path(job.spec_file)
    return Answer(
        data=_shape(job, plan=plan, environment=environment, changed=changed),
        page=lambda: created_page(
            environment, lock, changed=changed, inside=job.prefix.parent == job.dirs.envs, program=program_name()
        ),
        exit=EXITS[report.verdict] if report else 0,
        errors=complaints(report) if report else (),
    )


def _plan_shape(job: Job, outcome: Choice | Conflict, room: Room | None = None) -> dict[str, Any]:
    """Give the plan; sizes are null where nothing is to be downloaded or to be told."""
    return plan_shape(
        job.spec.origin,
        [each.name for each in job.machines],
        outcome,
        download_bytes=room.download_bytes if room else None,
        unpacked_bytes=room.unpacked_bytes if room else None,
    )


def _shape(
    job: Job, *, plan: dict[str, Any], environment: Environment | None = None, changed: bool = False
) -> dict[str, Any]:
    return create_shape(
        name=job.spec.name,
        prefix=str(job.prefix),
        changed=changed,
        plan=plan,
        lock=str(lock_path(job.spec_file)),
        engine=environment.engine if environment else job.engines.conda.name,
        verify=environment.verified if environment else None,
        took_s=job.clock.took_s,
    )
