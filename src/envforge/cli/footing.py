"""What an environment will be made from: the lock beside the spec while it fits, else a new one."""

from __future__ import annotations

from dataclasses import replace

from envforge.cli.fitting import at_hand, find_lock, lock_path, misfit, pick_section
from envforge.cli.job import Job
from envforge.cli.locking import HERE, Made, join_lock, least, make_section
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
    lock, machine = find_lock(job.spec_file), least(job.machines)
    section = pick_section(lock, job.target, machine) if lock else None
    if lock and section:
        why = None if frozen else misfit(lock, section, job.spec, machine, job.facts)
        if why is None:
            return Footing(lock=lock, section=_on_this_machine(section, job))
    else:
        why = f"there is no section for target `{job.target}`" if lock else "there is no lock"
    if locked or frozen:
        hints = (f"make it anew with `envforge lock {job.spec_file}`",)
        raise Stale(why, (str(lock_path(job.spec_file)),), hints)
    if lock is not None:
        job.talk.say(f"locking anew: {why}")
    return _make(job, lock)


def _on_this_machine(section: Section, job: Job) -> Section:
    """Put the interpreter that is at hand here in the place of the one that was, when the lock was made elsewhere."""
    found = at_hand(section.interpreter, job.here) if section.interpreter else None
    return replace(section, interpreter=found) if found else section


def _make(job: Job, old: Lock | None) -> Footing | Made:
    made = make_section(job, job.target or HERE, job.machines)
    if made.section is None:
        return made
    fresh = join_lock(job.spec, job.facts, (made,))
    kept = old.sections if old and old.spec_digest == fresh.spec_digest else ()
    return Footing(lock=join_lock(job.spec, job.facts, (made,), kept), section=made.section, made=made)
