"""What each group of nodes gets: one section of the lock beside the spec, and one pack, made here and only once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from envforge.cli.fitting import find_lock, misfit
from envforge.cli.fleet.joint import Group, Joint, decide_jointly, of_group
from envforge.cli.job import Job
from envforge.cli.locking import Made, first_that_locks, join_lock, same_sections, save_lock
from envforge.cli.pack import pack_up
from envforge.fleet.kinds import Kind, kinds_of
from envforge.model import Choice, Lock, Machine, Section
from envforge.provision import section_digest

TARGET = "fleet"


def lock_for(job: Job, machines: tuple[Machine, ...]) -> Joint:
    """Give every group its section: of the lock beside the spec while that serves every node, else of a new one.

    Sections of other targets stay in the lock. A group that nothing serves has none.
    """
    lock, kinds = find_lock(job.spec_file), kinds_of(machines)
    found = {kind.names: _section_for(job, lock, kind) for kind in kinds} if lock else {}
    if kinds and all(found.get(kind.names) for kind in kinds):
        return Joint(kinds=kinds, groups=tuple(_by_section(kinds, found)))
    joint = decide_jointly(
        job.talk, job.spec, machines, job.facts, ask_all=True, offline=job.offline, timeout_s=job.timeout_s
    )
    return _locked(job, joint, lock)


def _section_for(job: Job, lock: Lock, kind: Kind) -> Section | None:
    own = (each for each in lock.sections if each.target.startswith(TARGET))
    return next((each for each in own if misfit(lock, each, job.spec, kind.machine, job.facts) is None), None)


def _by_section(kinds: tuple[Kind, ...], found: dict[tuple[str, ...], Section | None]) -> Iterator[Group]:
    sections = {section.target: section for section in found.values() if section}
    for target, section in sections.items():
        members = tuple(kind for kind in kinds if (own := found[kind.names]) and own.target == target)
        choice = Choice(best=section.candidate, native=None, reasons=section.reasons)
        yield Group(kinds=members, outcome=choice, section=section)


def _locked(job: Job, joint: Joint, old: Lock | None) -> Joint:
    made: list[Made] = []
    groups: list[Group] = []
    for group in joint.groups:
        groups.append(group)
        if joint.decision and isinstance(group.outcome, Choice):
            decision = of_group(joint.decision, group)
            with job.clock("lock"), job.talk.watching() as emit:
                target = _target(group.outcome, [each.target for each in made])
                section, choice = first_that_locks(job, target, decision, group.outcome, emit)
            made.append(Made(target=target, decision=replace(decision, outcome=choice), section=section))
            groups[-1] = replace(group, outcome=choice, section=section)
    others = tuple(each for each in same_sections(old, job.spec) if not each.target.startswith(TARGET))
    if made:
        save_lock(join_lock(job.spec, job.facts, tuple(made), others), job.spec_file)
    return replace(joint, groups=tuple(groups))


def _target(choice: Choice, taken: list[str]) -> str:
    """Name a group's section by its build: ``fleet-cu126``, and ``fleet-cu126-2`` for a second one of it."""
    build = choice.best.build
    name = f"{TARGET}-{build.variant or build.torch}"
    return name if name not in taken else f"{name}-{sum(each.startswith(name) for each in taken) + 1}"


def pack_for(job: Job, group: Group, folder: Path) -> Path:
    """Give the pack of a group, made unless it is there: its name tells what is in it."""
    section = group.section
    if section is None:
        raise ValueError("nothing is locked for these nodes")
    key = section_digest(section).rpartition(":")[2][:12]
    path = folder / f"{job.spec.name}-{section.target}-{key}.tar"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pack_up(job.talk, job.spec_file, path, section.target, offline=job.offline, timeout_s=job.timeout_s)
    return path
