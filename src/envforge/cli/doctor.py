"""`envforge doctor`: what stands in the way of GPU work, in causal order."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from envforge.cli.asking import find_interpreter, identified, named_machines
from envforge.cli.common import (
    Answer,
    GitHub,
    GivenName,
    GivenPrefix,
    Junit,
    MaybeEnvironment,
    OtherMachines,
    Talk,
    command,
)
from envforge.cli.dirs import find_dirs, find_one
from envforge.cli.handing_on import on_github, tell_github, write_out
from envforge.cli.overlays import facts_here
from envforge.errors import UsageError
from envforge.facts import Facts
from envforge.model import Crashed, Environment, Finding, Machine, Patient, Rule, Skipped, Undetermined
from envforge.report.doctor import doctor_page, doctor_shape
from envforge.report.facts import table
from envforge.report.page import Page
from envforge.report.sections import sections

Found = Finding | Skipped | Crashed | Undetermined
DEADLINE_S = 2.0  # of each dangerous probe: the whole answer is due within 3 s
ORDER = ("info", "advisory", "degraded", "blocker")


class Purpose(StrEnum):
    """Work whose checks are silent unless it is named."""

    BUILD = "build"
    TRAIN = "train"
    MULTI_GPU = "multi-gpu"
    CONTAINER = "container"


class FailOn(StrEnum):
    """The least severity that exits 1."""

    ADVISORY = "advisory"
    DEGRADED = "degraded"
    BLOCKER = "blocker"


Python = Annotated[
    str | None,
    typer.Option("--python", envvar="ENVFORGE_PYTHON", metavar="PATH", help="Look inside this interpreter too."),
]
For = Annotated[
    list[Purpose] | None,
    typer.Option("--for", envvar="ENVFORGE_FOR", help="Look also at what only this kind of work needs."),
]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", envvar="ENVFORGE_ONLY", metavar="ID", help="Ask only this rule; repeat it for more."),
]
Skip = Annotated[
    list[str] | None,
    typer.Option("--skip", envvar="ENVFORGE_SKIP", metavar="ID", help="Do not ask this rule; repeat it for more."),
]
ListRules = Annotated[bool, typer.Option("--list", envvar="ENVFORGE_DOCTOR_LIST", help="List the rules, and stop.")]
Least = Annotated[FailOn, typer.Option("--fail-on", envvar="ENVFORGE_FAIL_ON", help="Exit 1 from this severity on.")]


@command(
    examples=(
        "envforge doctor",
        "envforge doctor vision --for multi-gpu",
        "envforge doctor --python .venv/bin/python",
        "envforge doctor --machine colleague.yaml -v",
        "envforge doctor --fail-on blocker --junit doctor.xml",
        "envforge doctor --json | jq '.data.findings[].id'",
    )
)
def doctor(
    talk: Talk,
    environment: MaybeEnvironment = None,
    name: GivenName = None,
    prefix: GivenPrefix = None,
    machine: OtherMachines = None,
    python: Python = None,
    purpose: For = None,
    only: Only = None,
    skip: Skip = None,
    list_rules: ListRules = False,
    fail_on: Least = FailOn.DEGRADED,
    junit: Junit = None,
    github: GitHub = False,
) -> Answer:
    """Say what is wrong with this machine or an environment, causes first, with what to do; change nothing.

    With `--machine` it reads a recording of another machine. Exit 0 well, 1 a finding, 3 undetermined. On GitHub,
    findings become annotations.
    """
    from envforge.doctor import examine, load_known, load_rules, verdict

    rules = _chosen(load_rules(), only or [], skip or [])
    if list_rules:
        return Answer(data={"rules": [rule.id for rule in rules]}, page=lambda: _listed(rules))
    facts = facts_here()
    found = _environment(environment, name, prefix, rules)
    patient = _patient(talk, _machine(facts, machine), found, _interpreter(python, found, machine))
    opened = frozenset(each.value for each in purpose or ())
    answers = tuple(examine(patient, rules, opened, load_known(facts)))
    said, distro = verdict(answers, len(rules)), (patient.machine.os or "").split(" ")[0] or None
    _hand_on(answers, rules, patient, junit, github)
    chapters = sections(patient, rules, answers)
    return Answer(
        data=doctor_shape(said, answers),
        page=lambda: doctor_page(said, answers, chapters=chapters, distro=distro, verbose=talk.verbose > 0),
        exit=_exit(said, answers, fail_on),
    )


def _chosen(rules: tuple[Rule, ...], only: list[str], skip: list[str]) -> tuple[Rule, ...]:
    """Pick rules by id. Raises UsageError for an id that no rule has."""
    known = {rule.id for rule in rules}
    for name in (*only, *skip):
        if name not in known:
            from difflib import get_close_matches

            hints = tuple(f"did you mean `{near}`?" for near in get_close_matches(name, known, n=1))
            raise UsageError(f"no rule is called `{name}`", (), (*hints, "`envforge doctor --list` shows them"))
    return tuple(rule for rule in rules if (not only or rule.id in only) and rule.id not in skip)


def _environment(
    environment: str | None, name: str | None, prefix: Path | None, rules: tuple[Rule, ...]
) -> Environment | None:
    try:
        return find_one(find_dirs(), name, prefix, environment)
    except UsageError as error:
        hint = f"`envforge doctor --only {environment}` asks the rule of this name"
        asked = (hint,) if environment in {rule.id for rule in rules} else error.hints
        raise UsageError(error.message, error.where, asked) from None


def _machine(facts: Facts, given: list[str] | None) -> Machine:
    machines: tuple[Machine, ...] = tuple(each for word in given or () for each in named_machines(word, facts))
    if len(machines) > 1:
        names = ", ".join(f"`{each.name}`" for each in machines)
        raise UsageError(f"the doctor sees one machine at a time, not {names}")
    return machines[0] if machines else _examined()


def _examined() -> Machine:
    """Take every reading of this machine: the rules look at more than a plan does."""
    from envforge.detect import assemble, take_readings

    return identified(assemble(take_readings(os.environ, deadline_s=DEADLINE_S), "this machine"))


def _interpreter(python: str | None, found: Environment | None, machine: list[str] | None) -> Path | None:
    """Give the Python to look into: the one named, else the environment's; none where another machine is examined."""
    if python is None:
        return found.python if found and not machine else None
    if found:
        raise UsageError("`--python` and an environment exclude each other")
    if machine:
        raise UsageError("`--python` is of this machine, and `--machine` of another")
    return find_interpreter(python)


def _patient(talk: Talk, machine: Machine, found: Environment | None, python: Path | None) -> Patient:
    """Put the patient together: the machine, what its Python tells of torch now, and what was last proven."""
    from envforge.doctor import probe_environment

    told = probe_environment(str(python)) if python else None
    if told and told.error:
        talk.warn(f"the environment could not be looked into: {told.error}")
    value = told.value if told and not told.error else None
    return Patient(machine=machine, environment=value, smoke=found.verified if found else None)


def _hand_on(
    answers: tuple[Found, ...], rules: tuple[Rule, ...], patient: Patient, path: Path | None, github: bool
) -> None:
    """Write JUnit where it was asked for, and annotations and a step summary on GitHub."""
    from envforge.doctor import verdict
    from envforge.report.github import answer_annotations, doctor_summary
    from envforge.report.junit import doctor_junit

    if path:
        write_out(path, doctor_junit(answers, rules, patient.machine.name))
    if on_github(github):
        said = verdict(answers, len(rules))
        tell_github(answer_annotations(answers), doctor_summary(said, answers, patient.machine.name))


def _exit(said: str, answers: tuple[Found, ...], least: FailOn) -> int:
    heaviest = max((ORDER.index(each.severity) for each in answers if isinstance(each, Finding)), default=0)
    if heaviest >= ORDER.index(least.value):
        return 1
    return 3 if said == "undetermined" else 0


def _listed(rules: tuple[Rule, ...]) -> Page:
    return table(("rule", "severity", "title"), [(rule.id, rule.severity, rule.title) for rule in rules])
