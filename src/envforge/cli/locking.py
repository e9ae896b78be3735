"""From a spec and a machine to a lock: ask the sources, choose, solve both halves, check the answer again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from envforge.cli.attesting import hold_against_publishers
from envforge.cli.deciding import Decision, decide
from envforge.cli.fitting import find_lock, lock_path
from envforge.cli.job import Job
from envforge.errors import DiskFailed, EnvforgeError, Unreachable, Unsatisfiable
from envforge.facts import Facts
from envforge.lock import write_lock
from envforge.model import (
    ABSENT,
    Candidate,
    Choice,
    Driver,
    Emit,
    Environment,
    Lock,
    Locked,
    Machine,
    Section,
    Spec,
    Warned,
    value,
)
from envforge.provision import Change, changes, section_digest, write_whole
from envforge.report.plan import candidate_text

HERE = "here"
MOST_TRIES = 3


@value
class Made:
    """What came of locking for some machines: what was decided, and the section unless that is a conflict."""

    target: str
    decision: Decision
    section: Section | None = None


@value
class Staleness:
    """Why an environment is stale, and how the lock differs from what stands there."""

    why: str
    changes: tuple[Change, ...] = ()


def make_section(job: Job, target: str, machines: tuple[Machine, ...]) -> Made:
    """Choose one environment for all these machines and lock it.

    A candidate that cannot be locked is said, and the next build tried, a few times; raises what came of the best
    one when none can be locked.
    """
    with job.clock("resolve"):
        decision = decide(
            job.talk, job.spec, machines, job.facts, ask_all=True, offline=job.offline, timeout_s=job.timeout_s
        )
    if not isinstance(decision.outcome, Choice):
        _refuse_silence(decision)
        return Made(target=target, decision=decision)
    with job.clock("lock"), job.talk.watching() as emit:
        section, choice = first_that_locks(job, target, decision, decision.outcome, emit)
    return Made(target=target, decision=replace(decision, outcome=choice), section=section)


def _refuse_silence(decision: Decision) -> None:
    """Raise Unreachable when no source of the spec answered: then nothing is known to be impossible."""
    offers = {offer.source: offer.error for offer in decision.offers}
    silent = [source for source in decision.spec.sources if offers.get(source)]
    if silent and len(silent) == len(decision.spec.sources):
        where = tuple(f"{source}: {offers[source]}" for source in silent)
        hints = ("look at the network and the proxy, or name another source under `sources`",)
        raise Unreachable("none of the spec's sources could be asked", where, hints)


def first_that_locks(job: Job, target: str, decision: Decision, choice: Choice, emit: Emit) -> tuple[Section, Choice]:
    """Lock the best candidate that can be locked; the same complaint twice is not the candidate's fault."""
    failed: list[tuple[Candidate, EnvforgeError]] = []
    for candidate in tries(choice, failed):
        try:
            section = _section(job, target, decision, candidate, emit)
        except (Unsatisfiable, Unreachable) as error:
            same = bool(failed) and failed[-1][1].message == error.message
            failed.append((candidate, error))
            if same:
                break
        else:
            now = _chosen_after(choice, candidate, failed)
            for warned in now.warnings[len(choice.warnings) :]:
                job.talk.warn(warned.text)
            return replace(section, reasons=now.reasons), now
    raise failed[0][1]


def _section(job: Job, target: str, decision: Decision, candidate: Candidate, emit: Emit) -> Section:
    """Lock both halves for one candidate, conda first, and hold the answer against the constraints again."""
    from envforge.plan import make_plan
    from envforge.resolve import check_artefacts

    machine = with_pythons(least(decision.machines), job.here)
    plan = make_plan(decision.spec, candidate, machine, job.facts, decision.offers)
    conda = _allow_scripts(job, job.engines.conda.lock(plan, emit) if plan.specs else ())
    hold_against_publishers(job, conda)
    wheels = job.engines.wheels.lock(plan, conda, emit) if plan.requirements else ()
    if refused := check_artefacts((*conda, *wheels), candidate, machine, job.facts):
        places = tuple(place for reason in refused for place in reason.where)
        raise Unsatisfiable(f"what the engine answered would not run: {refused[0].text}", places)
    return Section(
        target=target,
        floor=plan.floor,
        candidate=candidate,
        artefacts=(*conda, *wheels),
        channels=plan.channels,
        indexes=plan.indexes,
        interpreter=plan.interpreter,
        variables=plan.variables,
    )


def _allow_scripts(job: Job, conda: tuple[Locked, ...]) -> tuple[Locked, ...]:
    """Mark the packages whose link scripts the spec allows; a name that is none of these is said."""
    allowed = set(job.spec.link_scripts)
    for name in sorted(allowed - {each.name for each in conda}):
        job.talk.warn(f"`link-scripts` names `{name}`, and no such conda package is locked")
    return tuple(replace(each, link_scripts=each.name in allowed) for each in conda)


def tries(choice: Choice, failed: Sequence[tuple[Candidate, EnvforgeError]] = ()) -> Iterator[Candidate]:
    """Give the best candidate, then the next builds; none from a source that has just been out of reach.

    After a build for the CPU comes no CUDA build: without a GPU it would be gigabytes for nothing.
    """
    tried, only_cpu = 0, choice.best.build.cuda is None
    for candidate in (choice.best, *choice.others):
        gone = {each.build.source for each, error in failed if isinstance(error, Unreachable)}
        useless = only_cpu and candidate.build.cuda is not None
        if tried == MOST_TRIES or useless or candidate.build.source in gone:
            continue
        tried += 1
        yield candidate


def _chosen_after(choice: Choice, candidate: Candidate, failed: list[tuple[Candidate, EnvforgeError]]) -> Choice:
    if not failed:
        return choice
    told = (f"{candidate_text(each)} ranks higher but cannot be locked: {error.message}" for each, error in failed)
    warnings = (*choice.warnings, *(Warned(code="not-lockable", text=text) for text in told))
    return replace(choice, best=candidate, native=None, reasons=(), warnings=warnings)


def least(machines: tuple[Machine, ...]) -> Machine:
    """Give the machine that has what all of these have: the oldest driver and glibc, and every GPU to serve."""
    if len(machines) == 1:
        return machines[0]
    drivers = [each.driver for each in machines if isinstance(each.driver, Driver)]
    libraries = [each.glibc for each in machines if each.glibc is not None and each.glibc is not ABSENT]
    return replace(
        machines[0],
        name=", ".join(each.name for each in machines),
        driver=min(drivers, key=lambda driver: driver.version) if drivers else machines[0].driver,
        glibc=min(libraries) if libraries else machines[0].glibc,
        gpus=tuple(gpu for each in machines for gpu in each.gpus or ()),
    )


def with_pythons(machine: Machine, here: Machine) -> Machine:
    """Let a machine of which no Python is known stand on those that are here, where its platform is the same."""
    same = machine.interpreters is None and machine.subdir in (None, here.subdir)
    return replace(machine, interpreters=here.interpreters) if same else machine


def join_lock(spec: Spec, facts: Facts, made: tuple[Made, ...], kept: tuple[Section, ...] = ()) -> Lock:
    """Put sections together: those just made, and those of an earlier lock of the same spec that still stand."""
    from envforge.cli.asking import read_spec
    from envforge.spec import spec_digest

    file, asked = Path(spec.origin), spec_digest(spec)
    written = spec_digest(read_spec(file)) if file.is_file() else asked
    fresh = tuple(each.section for each in made if each.section)
    names = {section.target for section in fresh}
    sections = (*(each for each in kept if each.target not in names), *fresh)
    return Lock(
        name=spec.name,
        spec_digest=asked,
        facts_digest=facts.digest,
        sections=sections,
        written_digest=None if written == asked else written,
    )


def is_of(lock: Lock, spec: Spec) -> bool:
    """Tell whether a lock was made of a spec as its file has it, whatever places the command line named for it."""
    from envforge.spec import is_digest_of

    return any(is_digest_of(each, spec) for each in (lock.spec_digest, lock.written_digest) if each)


def same_sections(lock: Lock | None, spec: Spec) -> tuple[Section, ...]:
    """Give the sections of an earlier lock if it was made of this very spec, in these very places; else none."""
    from envforge.spec import is_digest_of

    return lock.sections if lock and is_digest_of(lock.spec_digest, spec) else ()


def save_lock(lock: Lock, spec_file: Path, *, dry_run: bool = False) -> bool:
    """Write the lock beside its spec, whole; give whether that changes anything. Raises DiskFailed."""
    path, text = lock_path(spec_file), write_lock(lock)
    try:
        if path.exists() and path.read_bytes() == text.encode():
            return False
        if not dry_run:
            write_whole(path, text)
    except OSError as error:
        hints = ("copy the spec to a folder that you may write to",)
        raise DiskFailed(f"the lock cannot be written: {error.strerror}", (str(path),), hints) from error
    return True


def staleness(environment: Environment) -> Staleness | None:
    """Say why an environment is no longer what its spec and lock ask for; None when it is, or nothing can tell."""
    from envforge.cli.asking import read_spec

    spec_file = Path(environment.spec_origin)
    lock = find_lock(spec_file) if environment.spec_origin and spec_file.exists() else None
    if lock is None:
        return None
    if not is_of(lock, read_spec(spec_file)):
        return Staleness(why=f"`{spec_file.name}` has changed since it was locked")
    if environment.lock_digest in {section_digest(section) for section in lock.sections}:
        return None
    why = f"`{lock_path(spec_file).name}` has changed since this was made"
    section = _twin(lock, environment.section)
    return Staleness(why=why, changes=changes(environment.section, section) if section else ())


def _twin(lock: Lock, section: Section) -> Section | None:
    """Find the section that took this one's place: the same target's, else the first."""
    same = (each for each in lock.sections if each.target == section.target)
    return next(same, lock.sections[0] if lock.sections else None)
