"""Does a lock still fit: the spec it was made from, and the machine in front of it."""

from __future__ import annotations

from pathlib import Path

from envforge.facts import Facts
from envforge.lock import read_lock
from envforge.model import ABSENT, Absent, Dotted, Driver, Floor, Lock, Machine, Section, Spec


def lock_path(spec_file: Path) -> Path:
    """Give the lock's place: ``vision.lock.yaml`` beside ``vision.yaml``."""
    stem = spec_file.name.removesuffix(".yaml").removesuffix(".yml")
    return spec_file.with_name(f"{stem}.lock.yaml")


def find_lock(spec_file: Path) -> Lock | None:
    """Read the lock beside a spec; None when there is none. Raises SpecError for one that is not a lock."""
    from envforge.cli.asking import read_text

    path = lock_path(spec_file)
    return read_lock(read_text(path, "lock"), str(path)) if path.exists() else None


def pick_section(lock: Lock, target: str | None, machine: Machine) -> Section | None:
    """Give the section to use: the target's, else the first whose floor this machine reaches, else the first.

    None when the lock has no such target, or no section at all.
    """
    if target is not None:
        return next((each for each in lock.sections if each.target == target), None)
    reached = (each for each in lock.sections if below_floor(each.floor, machine) is None)
    return next(reached, lock.sections[0] if lock.sections else None)


def misfit(lock: Lock, section: Section, spec: Spec, machine: Machine, facts: Facts) -> str | None:
    """Say why a section cannot be used for this spec on this machine; None when it fits.

    The same constraints that choose a candidate are asked again of the locked one, with the facts of today.
    """
    from envforge.resolve.constraints import constraints_of
    from envforge.spec import spec_digest

    if lock.spec_digest != spec_digest(spec):
        return "the spec has changed since the lock was made"
    if below := below_floor(section.floor, machine):
        return below
    rules = constraints_of(spec, (machine,), facts)
    broken = next((rule for rule in rules if rule.allows(section.candidate) is False), None)
    return f"what is locked does not serve {machine.name}: {broken.why(section.candidate)}" if broken else None


def below_floor(floor: Floor, machine: Machine) -> str | None:
    """Say what a machine lacks to a lock's floor; None when it lacks nothing that is known."""
    if machine.subdir and machine.subdir != floor.subdir:
        return f"the lock is for {floor.subdir}, and {machine.name} is {machine.subdir}"
    driver = machine.driver.version if isinstance(machine.driver, Driver) else machine.driver
    for name, least, has in (("driver", floor.driver, driver), ("glibc", floor.glibc, machine.glibc)):
        if least and _short(least, has):
            there = "there is none" if has is ABSENT else f"it has {has}"
            return f"the lock needs {name} {least} or newer on {machine.name}, and {there}"
    return None


def _short(least: Dotted, has: Dotted | Absent | None) -> bool:
    return has is ABSENT or (isinstance(has, Dotted) and has < least)
