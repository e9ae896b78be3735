"""`envforge lock`: choose and solve for every target, and write the lock beside the spec."""

from __future__ import annotations

from typing import Any

from envforge.cli.asking import named_machines, target_machine
from envforge.cli.common import (
    Answer,
    Channels,
    DryRun,
    Engine,
    EngineName,
    FindLinks,
    Indexes,
    Locked,
    Machines,
    Offline,
    SpecFile,
    Talk,
    Target,
    Timeout,
    command,
)
from envforge.cli.fitting import find_lock, lock_path, misfit
from envforge.cli.job import Job, begin
from envforge.cli.locking import HERE, Made, join_lock, make_section, same_sections, save_lock
from envforge.errors import Stale
from envforge.model import Lock, Machine
from envforge.report.page import Line, Page, join, prose
from envforge.report.plan import candidate_text, plan_page, warnings_page
from envforge.report.shapes import plan_shape


@command(
    examples=(
        "envforge lock vision.yaml",
        "envforge lock vision.yaml --target cluster",
        "envforge lock vision.yaml --locked",
    )
)
def lock(
    talk: Talk,
    spec: SpecFile,
    machine: Machines = None,
    target: Target = None,
    engine: Engine = EngineName.AUTO,
    channel: Channels = None,
    index_url: Indexes = None,
    find_links: FindLinks = None,
    locked: Locked = False,
    offline: Offline = False,
    dry_run: DryRun = False,
    timeout: Timeout = None,
) -> Answer:
    """Write the lock beside the spec, one section per target of the spec (or per `--machine`, or for this one).

    Every artefact has a URL and a sha256. With `--locked` nothing is written, and exit 4
    says that the lock does not fit.
    """
    job = begin(
        talk,
        spec,
        engine,
        target=target,
        sources={"channels": channel, "indexes": index_url, "find_links": find_links},
        offline=offline,
        timeout_s=timeout,
    )
    wanted = _wanted(job, machine)
    if locked:
        return _check(job, wanted)
    kept = same_sections(find_lock(job.spec_file), job.spec) if job.target else ()
    made = tuple(make_section(job, name, (each,)) for name, each in wanted)
    if any(each.section is None for each in made):
        return _refused(job, made)
    return _write(job, join_lock(job.spec, job.facts, made, kept), made, dry_run=dry_run)


def _wanted(job: Job, machines: list[str] | None) -> tuple[tuple[str, Machine], ...]:
    """Name the sections to write, each with its machine."""
    if machines:
        named = (each for word in machines for each in named_machines(word, job.facts))
        return tuple((each.name, each) for each in named)
    if job.target:
        return ((job.target, job.machines[0]),)
    targets = tuple((each.name, target_machine(job.spec, each.name, job.facts)) for each in job.spec.targets)
    return targets or ((HERE, job.here),)


def _check(job: Job, wanted: tuple[tuple[str, Machine], ...]) -> Answer:
    path = lock_path(job.spec_file)
    found = find_lock(job.spec_file)
    if why := _unfit(job, found, wanted):
        raise Stale(why, (str(path),), (f"make it anew with `envforge lock {job.spec_file}`",))
    return Answer(data={"lock": str(path), "changed": False}, page=lambda: (prose(f"`{path}` fits"),))


def _unfit(job: Job, found: Lock | None, wanted: tuple[tuple[str, Machine], ...]) -> str | None:
    sections = {each.target: each for each in found.sections} if found else {}
    for name, machine in wanted:
        if found is None or name not in sections:
            return f"there is no section for target `{name}`" if found else "there is no lock"
        if why := misfit(found, sections[name], job.spec, machine, job.facts):
            return why
    return None


def _refused(job: Job, made: tuple[Made, ...]) -> Answer:
    """Tell every conflict; nothing was written."""
    bad = [each for each in made if each.section is None]

    def page() -> Page:
        verbose = job.talk.verbose > 0
        pages = (
            plan_page(job.spec.name, each.decision.machines, each.decision.outcome, verbose=verbose) for each in bad
        )
        return join(*pages)

    return Answer(data=_shape(job, made, changed=False), page=page, exit=1)


def _write(job: Job, whole: Lock, made: tuple[Made, ...], *, dry_run: bool) -> Answer:
    changed = save_lock(whole, job.spec_file, dry_run=dry_run)
    did = ("would change" if dry_run else "wrote") if changed else "nothing changed in"

    def page() -> Page:
        head = prose(f"{did} `{lock_path(job.spec_file)}`")
        warned = dict.fromkeys(warning for each in made for warning in each.decision.outcome.warnings)
        return join((head, *(_line(each) for each in made)), warnings_page(warned, verbose=job.talk.verbose > 0))

    return Answer(data=_shape(job, made, changed=changed), page=page)


def _line(made: Made) -> Line:
    count = len(made.section.artefacts) if made.section else 0
    text = f"{candidate_text(made.section.candidate)}: {count} packages" if made.section else "nothing serves"
    return Line(label=(("strong", made.target),), body=(("", text),), width=len(made.target) + 2, indent=2)


def _shape(job: Job, made: tuple[Made, ...], *, changed: bool) -> dict[str, Any]:
    return {
        "lock": str(lock_path(job.spec_file)),
        "changed": changed,
        "sections": [_section_shape(job, each) for each in made],
        "took_s": {stage: round(seconds, 3) for stage, seconds in job.clock.took_s.items()},
    }


def _section_shape(job: Job, made: Made) -> dict[str, Any]:
    artefacts = made.section.artefacts if made.section else ()
    names = [each.name for each in made.decision.machines]
    size_bytes = sum(each.size_bytes or 0 for each in artefacts)
    return {
        "target": made.target,
        "packages": len(artefacts),
        "plan": plan_shape(job.spec.origin, names, made.decision.outcome, download_bytes=size_bytes),
    }
