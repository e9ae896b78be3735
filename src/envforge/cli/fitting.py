"""Does a lock still fit: the spec it was made from, and the machine in front of it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from envforge.facts import Facts
from envforge.lock import read_lock
from envforge.model import ABSENT, Absent, Constraint, Dotted, Driver, Floor, Interpreter, Lock, Machine, Section, Spec

WANTED_OF_MACHINES = ("gpu", "needs")


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

    The constraints of the machine that chose a candidate are asked again of the locked one, with the facts of today;
    what the spec pins held when it was locked, and the digest says that the spec is the same.
    """
    from envforge.resolve import check_artefacts
    from envforge.spec import is_digest_of

    if not is_digest_of(lock.spec_digest, spec):
        return "the spec has changed since the lock was made"
    if unasked := unallowed_scripts(section, spec) or _unasked(section, spec):
        return unasked
    if below := below_floor(section.floor, machine):
        return below
    if why := unserved(section, spec, machine, facts):
        return f"what is locked does not serve {machine.name}: {why}"
    if refused := check_artefacts(section.artefacts, section.candidate, machine, facts):
        return f"what is locked would not run on {machine.name}: {refused[0].text}"
    if section.interpreter and at_hand(section.interpreter, machine) is None:
        return f"the lock stands on Python {section.interpreter.version}, and none of that minor is at hand"
    return None


def unallowed_scripts(section: Section, spec: Spec) -> str | None:
    """Say which link script a lock lets run without the spec's leave; it is asked for even where a lock is frozen."""
    scripts = sorted({each.name for each in section.artefacts if each.link_scripts} - set(spec.link_scripts))
    return f"the lock lets the link script of `{scripts[0]}` run, and the spec does not" if scripts else None


def _unasked(section: Section, spec: Spec) -> str | None:
    """Say what a lock brings that its spec never asked for: variables, and packages from other channels."""
    from envforge.engines.places import channel_url, without_credentials
    from envforge.plan import channels

    if dict(section.variables) != dict(spec.variables):
        return "the lock sets other variables than the spec"
    named = channels(spec, section.candidate.build)
    known = tuple(f"{without_credentials(channel_url(each))}/" for each in named)
    for each in section.artefacts:
        if each.kind == "conda" and not each.url.startswith(known):
            return f"the lock takes `{each.name}` from `{each.url}`, and the spec names no such channel"
    return None


def unserved(section: Section, spec: Spec, machine: Machine, facts: Facts) -> str | None:
    """Say why a locked candidate would not run on a machine; None when nothing is known to forbid it."""
    from envforge.resolve.constraints import constraints_of

    wanted = (rule for rule in constraints_of(spec, (machine,), facts) if rule.rule in WANTED_OF_MACHINES)
    return cannot_run(section, machine, facts) or _forbidden(section, wanted)


def cannot_run(section: Section, machine: Machine, facts: Facts) -> str | None:
    """Say why a machine cannot run what is locked, whatever the spec wants; None when nothing forbids it."""
    from envforge.resolve.constraints import machine_rules

    return _forbidden(section, machine_rules(machine, facts))


def _forbidden(section: Section, rules: Iterable[Constraint]) -> str | None:
    return next((rule.why(section.candidate) for rule in rules if rule.allows(section.candidate) is False), None)


def at_hand(wanted: Interpreter, machine: Machine) -> Interpreter | None:
    """Find the interpreter that a lock stands on: itself, else the same version elsewhere, else the same minor."""
    if Path(wanted.path).exists():
        return wanted
    same = (each for each in machine.interpreters or () if _minor(each) == _minor(wanted))
    return max(same, key=lambda each: each.version == wanted.version, default=None)


def _minor(interpreter: Interpreter) -> tuple[int, int]:
    return interpreter.version.major, interpreter.version.minor


def below_floor(floor: Floor, machine: Machine) -> str | None:
    """Say what a machine lacks to a lock's floor; None when it lacks nothing that is known."""
    from envforge.facts import reaches

    if machine.subdir and machine.subdir != floor.subdir:
        return f"the lock is for {floor.subdir}, and {machine.name} is {machine.subdir}"
    driver = machine.driver.version if isinstance(machine.driver, Driver) else machine.driver
    for name, least, has in (("driver", floor.driver, driver), ("glibc", floor.glibc, machine.glibc)):
        enough = reaches if name == "driver" else Dotted.__ge__
        if least and has is not None and (isinstance(has, Absent) or not enough(has, least)):
            there = "there is none" if has is ABSENT else f"it has {has}"
            return f"the lock needs {name} {least} or newer on {machine.name}, and {there}"
    return None
