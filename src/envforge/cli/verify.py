"""`envforge verify`: prove an environment, or any Python that has torch, on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from envforge.cli.asking import find_interpreter, this_machine
from envforge.cli.common import Answer, GitHub, Junit, MaybeEnvironment, Name, Prefix, Talk, Timeout, command
from envforge.cli.dirs import find_dirs, find_one
from envforge.cli.measuring import learn
from envforge.cli.proving import EXITS, expectations, keep_report
from envforge.errors import DiskFailed, UsageError
from envforge.model import Environment, SmokeReport
from envforge.report.shapes import verify_shape
from envforge.report.verify import verify_page

Tier = Literal["quick", "standard", "deep"]
Python = Annotated[
    str | None,
    typer.Option("--python", envvar="ENVFORGE_PYTHON", metavar="PATH", help="Check this interpreter instead."),
]
Checks = Annotated[
    str | None,
    typer.Option(
        "--checks",
        envvar="ENVFORGE_CHECKS",
        metavar="TIER|NAMES",
        help="quick, standard, deep, or names with commas; default: quick.",
    ),
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        "--require", envvar="ENVFORGE_REQUIRE", metavar="NAMES", help="Fail if these checks or features are skipped."
    ),
]
Device = Annotated[
    list[str] | None,
    typer.Option("--device", envvar="ENVFORGE_DEVICE", metavar="DEVICE", help="cpu, or a GPU's index or UUID."),
]


@command(
    examples=(
        "envforge verify vision",
        "envforge verify vision --checks standard --require bf16,compile",
        "envforge verify --python .venv/bin/python --junit report.xml",
    )
)
def verify(
    talk: Talk,
    environment: MaybeEnvironment = None,
    name: Name = None,
    prefix: Prefix = None,
    python: Python = None,
    checks: Checks = None,
    require: Require = None,
    device: Device = None,
    junit: Junit = None,
    github: GitHub = False,
    timeout: Timeout = None,
) -> Answer:
    """Run real kernels with known results in an environment, and say what is proven here.

    The report stays with the environment. Exit 0 proven, 1 a check failed, 3 a check could not tell. On GitHub,
    failures become annotations.
    """
    found = _environment(environment, name, prefix, python)
    interpreter = found.python if found else find_interpreter(str(python))
    wanted = _words(require)
    report = _run(talk, found, interpreter, checks, wanted, _words(device) or None, timeout)
    _hand_on(report, junit, github)
    return Answer(
        data=verify_shape(report),
        page=lambda: verify_page(report, verbose=talk.verbose > 0),
        exit=EXITS[report.verdict],
    )


def _environment(
    environment: str | None, name: str | None, prefix: Path | None, python: str | None
) -> Environment | None:
    """Find the environment that is meant; None when an interpreter is given. Raises UsageError."""
    if python:
        if environment or name or prefix:
            raise UsageError("`--python` and an environment exclude each other")
        return None
    dirs = find_dirs()
    found = find_one(dirs, name, prefix, environment)
    if found is None:
        hints = ("name an environment; `envforge list` shows them", "or an interpreter, with `--python PATH`")
        raise UsageError("what to verify is not said", (), hints)
    return found


def _run(
    talk: Talk,
    environment: Environment | None,
    interpreter: Path,
    checks: str | None,
    require: tuple[str, ...],
    devices: tuple[str, ...] | None,
    timeout_s: float | None,
) -> SmokeReport:
    from envforge.verify import verify as prove

    machine = this_machine()
    wanted = _checks(checks)
    with talk.watching() as emit:
        report = prove(
            interpreter,
            machine,
            wanted,
            prefix=environment.prefix if environment else None,
            expect=expectations(environment.section) if environment else None,
            require=require,
            devices=devices,
            variables=environment.section.variables if environment else (),
            deadline_s=timeout_s,
            emit=emit,
        )
    if environment:
        learn(talk, environment.section, report, machine)
    if environment and devices is None and not _says_less(report, wanted, environment):
        keep_report(environment, report, machine, wanted)
    return report


def _says_less(report: SmokeReport, checks: Tier | tuple[str, ...], environment: Environment) -> bool:
    """Tell whether a report says less of an environment than the one that it has.

    A few checks that pass never stand in for a whole tier, and what only this call required is not its fault.
    """
    if any(each.code == "E_REQUIRED" for each in report.results):
        return True
    return isinstance(checks, tuple) and report.verdict == "pass" and environment.verified is not None


def _words(given: list[str] | None) -> tuple[str, ...]:
    """Take words that were given apart, or with commas."""
    return tuple(word for each in given or () for word in each.split(",") if word)


def _checks(words: str | None) -> Tier | tuple[str, ...]:
    """Read a tier, or names with commas."""
    tier: Tier | None = next((each for each in get_args(Tier) if each == (words or "quick")), None)
    return tier or _words([str(words)])


def _hand_on(report: SmokeReport, path: Path | None, github: bool) -> None:
    """Write JUnit where it was asked for, and annotations and a summary on GitHub."""
    if path:
        from envforge.report.junit import junit

        _write(path, junit(report), "w")
    if github or os.environ.get("GITHUB_ACTIONS") == "true":
        from envforge.report.github import result_annotations, summary

        sys.stderr.writelines(f"{line}\n" for line in result_annotations(report))
        if place := os.environ.get("GITHUB_STEP_SUMMARY"):
            _write(Path(place), summary(report), "a")


def _write(path: Path, text: str, mode: str) -> None:
    try:
        with path.open(mode, encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise DiskFailed(f"`{path}` cannot be written: {error.strerror}", (str(path),)) from error
