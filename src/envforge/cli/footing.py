"""What an environment will be made from: the lock beside the spec while it fits, else a new one."""

from __future__ import annotations

from dataclasses import replace

from envforge.cli.fitting import at_hand, find_lock, lock_path, misfit, pick_section, unallowed_scripts
from envforge.cli.job import Job
from envforge.cli.locking import HERE, Made, join_lock, least, make_section, same_sections, with_pythons
from envforge.errors import Stale
from envforge.model import Choice, Lock, Section, value


@value
class Footing:
    """A lock and the section to use. ``made`` is None when the lock was there and fits."""

    lock: Lock
    section: Section
    made: Made | None = None

    @property
    def choice(self) -> Choice:
        """The choice: as just decided, or as the lock tells it."""
        if self.made and isinstance(self.made.decision.outcome, Choice):
            return self.made.decision.outcome
        return Choice(best=self.section.candidate, native=None, reasons=self.section.reasons)


def find_footing(job: Job, *, locked: bool, frozen: bool) -> Footing | Made:
    """Use the lock beside the spec while it fits, else make one; a conflict is given as it was made.

    Raises Stale when the lock does not fit and must not be made anew.
    """
    lock = find_lock(job.spec_file)
    found = _fitting(job, lock, frozen=frozen) if lock else "there is no lock"
    if lock and isinstance(found, Section):
        return Footing(lock=lock, section=_on_this_machine(found, job))
    if locked or frozen:
        hints = (f"make it anew with `envforge lock {job.spec_file}`",)
        raise Stale(str(found), (str(lock_path(job.spec_file)),), hints)
    if lock:
        job.talk.say(f"locking anew: {found}")
    return _make(job, lock)


def _fitting(job: Job, lock: Lock, *, frozen: bool) -> Section | str:
    """Find the section to use: the target's, else the first that fits; or say why the likeliest does not."""
    machine = with_pythons(least(job.machines), job.here)
    likeliest = pick_section(lock, job.target, machine)
    if likeliest is None:
        return f"there is no section for target `{job.target}`" if job.target else "the lock has no section"
    if frozen:
        return unallowed_scripts(likeliest, job.spec) or likeliest
    for section in (likeliest,) if job.target else (likeliest, *lock.sections):
        if misfit(lock, section, job.spec, machine, job.facts) is None:
            return section
    return str(misfit(lock, likeliest, job.spec, machine, job.facts))


def _on_this_machine(section: Section, job: Job) -> Section:
    """Put the interpreter that is at hand here in the place of the one that was, when the lock was made elsewhere."""
    found = at_hand(section.interpreter, job.here) if section.interpreter else None
    return replace(section, interpreter=found) if found else section


def _make(job: Job, old: Lock | None) -> Footing | Made:
    """Lock anew; sections that others made from the same spec, for other machines, stay."""
    made = make_section(job, job.target or HERE, job.machines)
    section = made.section
    if section is None:
        return made
    kept = same_sections(old, job.spec)
    if job.target is None and any(each.target == HERE for each in kept):
        build = section.candidate.build
        section = replace(section, target=f"{HERE}-{build.variant or build.torch}")
        made = replace(made, target=section.target, section=section)
    return footing_of(job, made, kept)


def footing_of(job: Job, made: Made, kept: tuple[Section, ...] = ()) -> Footing:
    """Stand on a section that was just made; sections of other targets stay in the lock."""
    if made.section is None:
        raise ValueError("a conflict is nothing to stand on")
    return Footing(lock=join_lock(job.spec, job.facts, (made,), kept), section=made.section, made=made)
