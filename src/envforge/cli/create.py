"""`envforge create`: detect, resolve, lock, provision, verify; and nothing at all when all of that stands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from shlex import quote
from typing import Annotated, Any

import typer

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
    MaybeSpecFile,
    Name,
    NoVerify,
    Offline,
    Prefix,
    Talk,
    Target,
    Timeout,
    Yes,
    command,
)
from envforge.cli.fitting import lock_path
from envforge.cli.footing import Footing
from envforge.cli.from_pack import FromPack, given
from envforge.cli.job import Job, begin
from envforge.cli.locking import Made
from envforge.cli.making import Done, make
from envforge.cli.proving import EXITS, complaints
from envforge.cli.talk import program_name
from envforge.cli.trying import tries_shape
from envforge.errors import UsageError
from envforge.model import Choice, Conflict, Environment
from envforge.provision import Place, Room, check_room, measure_room, refuse_foreign
from envforge.report.create import created_page, would_create_page
from envforge.report.page import Page, join
from envforge.report.plan import candidate_text, plan_page
from envforge.report.shapes import candidate_shape, create_shape, plan_shape

TryNext = Annotated[
    int,
    typer.Option(
        "--try-next",
        envvar="ENVFORGE_TRY_NEXT",
        metavar="N",
        min=0,
        help="Where checks fail, take the next candidate, at most N times.",
    ),
]


@command(
    examples=(
        "envforge create vision.yaml",
        "envforge create vision.yaml --prefix ./env --locked",
        "envforge create vision.yaml --dry-run --json",
        "envforge create --from vision.tar",
        "envforge create vision.yaml --try-next 2",
    )
)
def create(
    talk: Talk,
    spec: MaybeSpecFile = None,
    from_: FromPack = None,
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
    try_next: TryNext = 0,
    no_verify: NoVerify = False,
    timeout: Timeout = None,
) -> Answer:
    """Make a proven environment from a spec: choose, lock, install, check; do nothing where it stands already.

    The lock beside the spec is used while it fits, and made anew when it does not. Exit 1 where nothing can serve,
    or a check fails: then the layer at fault is said, and the next candidate, which `--try-next` takes.
    """
    if try_next and (locked or frozen or from_):
        raise UsageError("`--try-next` makes a new lock, which `--locked`, `--frozen` and `--from` forbid")
    if try_next and no_verify:
        raise UsageError("`--try-next` goes by the checks that `--no-verify` leaves out")
    source = given(spec, from_)
    begun = begin(
        talk,
        source.spec_file,
        engine,
        name=name,
        prefix=prefix,
        machines=machine,
        target=target,
        sources={"channels": channel, "indexes": index_url, "find_links": find_links},
        offline=offline or source.pack is not None,
        timeout_s=timeout,
        proves=not no_verify,
    )
    asked = {
        "--channel": channel,
        "--index-url": index_url,
        "--find-links": find_links,
        "--target": [target] if target else None,
    }
    job = replace(source.job(begun), asked=_repeated(asked))
    refuse_foreign(Place.at(job.prefix))
    footing = source.footing(job, locked=locked, frozen=frozen)
    if isinstance(footing, Made):
        return _no_way(job, footing)
    return _would_create(job, footing) if dry_run else _answer(job, make(job, footing, try_next))


def _repeated(asked: Mapping[str, list[str] | None]) -> str:
    """Write options as they were given, without credentials."""
    from envforge.engines.places import without_credentials

    given = [(option, without_credentials(each)) for option, words in asked.items() for each in words or ()]
    return "".join(f" {option} {quote(each)}" for option, each in given)


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


def _answer(job: Job, done: Done) -> Answer:
    environment, footing = done.environment, done.footing
    report = environment.verified
    plan = _plan_shape(job, footing.choice, done.room)
    lock = lock_path(job.spec_file)
    return Answer(
        data=_shape(job, plan=plan, environment=environment, done=done),
        page=lambda: created_page(
            environment,
            lock,
            changed=done.changed,
            inside=job.prefix.parent == job.dirs.envs,
            program=program_name(),
            tries=tuple((candidate_text(each.candidate), str(each)) for each in done.tries if each.failed),
            warnings=footing.choice.warnings,
        ),
        exit=EXITS[report.verdict] if report else 0,
        errors=complaints(report, _advice(job, done)) if report else (),
    )


def _advice(job: Job, done: Done) -> tuple[str, ...]:
    """Say what to do about a check that failed."""
    tried = done.tries[-1]
    hints = [f"`envforge doctor {quote(str(job.prefix))}` looks for the cause"]
    if done.following:
        where = f"-n {job.prefix.name}" if job.prefix.parent == job.dirs.envs else f"-p {quote(str(job.prefix))}"
        again = f"`envforge create {quote(str(job.spec_file))} {where}{job.asked} --try-next 1`"
        hints.append(f"{again} would take {candidate_text(done.following)}")
    elif tried.failed and not tried.may_yield:
        hints.append("another build of torch would fail just the same, so none is offered")
    elif tried.failed:
        hints.append("no other build that the spec allows is left to try")
    return tuple(hints)


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
    job: Job, *, plan: dict[str, Any], environment: Environment | None = None, done: Done | None = None
) -> dict[str, Any]:
    shape = create_shape(
        name=job.spec.name,
        prefix=str(job.prefix),
        changed=done is not None and done.changed,
        plan=plan,
        lock=str(lock_path(job.spec_file)),
        engine=environment.engine if environment else job.engines.conda.name,
        verify=environment.verified if environment else None,
        took_s=job.clock.took_s,
    )
    following = candidate_shape(done.following) if done and done.following else None
    return {**shape, "tries": tries_shape(done.tries) if done else [], "next": following}
