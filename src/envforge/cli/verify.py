"""`envforge verify`: prove an environment, or any Python that has torch, on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from envforge.cli.asking import find_interpreter, read_spec, target_machine, this_machine
from envforge.cli.common import Answer, GitHub, GivenName, GivenPrefix, Junit, MaybeEnvironment, Talk, Timeout, command
from envforge.cli.dirs import find_dirs, find_one
from envforge.cli.fitting import cannot_run
from envforge.cli.handing_on import hand_on
from envforge.cli.measuring import learn
from envforge.cli.overlays import facts_here
from envforge.cli.proving import EXITS, NotProven, expectations, keep_report, variables_inside
from envforge.errors import UsageError
from envforge.model import Environment, Machine, SmokeReport
from envforge.report.shapes import verify_shape
from envforge.report.verify import verify_page

TARGET = "target"
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
        help="quick, standard, deep, or names with commas; default: what the spec asked for, else quick.",
    ),
]
Require = Annotated[
    list[str] | None,
    typer.Option(
        "--require", envvar="ENVFORGE_REQUIRE", metavar="NAMES", help="Fail if these checks or features are skipped."
    ),
]
Defer = Annotated[
    bool,
    typer.Option("--defer", envvar="ENVFORGE_DEFER", help="Exit 0 where this machine cannot run it, and say why."),
]
Device = Annotated[
    list[str] | None,
    typer.Option("--device", envvar="ENVFORGE_DEVICE", metavar="DEVICE", help="cpu, or a GPU's index or UUID."),
]


@command(
    examples=(
        "envforge verify vision",
        "envforge verify vision --checks standard --require bf16,compile",
        "envforge verify vision --require gpu,target",
        "envforge verify vision --defer --junit report.xml",
        "envforge verify --python .venv/bin/python",
    )
)
def verify(
    talk: Talk,
    environment: MaybeEnvironment = None,
    name: GivenName = None,
    prefix: GivenPrefix = None,
    python: Python = None,
    checks: Checks = None,
    require: Require = None,
    device: Device = None,
    defer: Defer = False,
    junit: Junit = None,
    github: GitHub = False,
    timeout: Timeout = None,
) -> Answer:
    """Run real kernels with known results in an environment, and say what is proven here.

    The report stays with the environment. Exit 0 proven, 1 a check failed, 3 a check could not tell. On GitHub,
    failures become annotations. `--require gpu` asks that a GPU proves it, `--require target` that it is of the kind
    that the spec's target has.
    """
    found, machine, wanted = _environment(environment, name, prefix, python), this_machine(), _words(require)
    if defer and found and (why := cannot_run(found.section, machine, facts_here())):
        return _deferred(talk, found, machine, why, junit, github)
    if TARGET in wanted:
        _require_target(found, machine)
    interpreter = found.python if found else find_interpreter(str(python))
    needed = tuple(word for word in wanted if word != TARGET)
    report = _run(talk, found, interpreter, machine, checks, needed, _words(device) or None, timeout)
    hand_on(report, junit, github)
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


def _deferred(
    talk: Talk, environment: Environment, machine: Machine, why: str, junit: Path | None, github: bool
) -> Answer:
    """Say that another machine must prove it; no check is run, and no report kept."""
    cuda = environment.section.candidate.build.cuda
    report = SmokeReport(
        python=environment.section.candidate.python,
        torch=str(environment.section.candidate.build.torch),
        cuda=None if cuda is None else str(cuda),
        machine=machine.name,
        results=(),
    )
    hand_on(report, junit, github, deferred=why)
    talk.warn(f"not verified here: {why}; run `envforge verify {environment.prefix}` where it belongs")
    return Answer(data={**verify_shape(report), "deferred": why})


def _require_target(environment: Environment | None, machine: Machine) -> None:
    """Raise NotProven unless GPUs of the target's capabilities are here; the spec says what those are."""
    if environment is None:
        raise UsageError("`--require target` needs an environment that was made from a spec")
    spec = read_spec(Path(environment.spec_origin))
    target = target_machine(spec, environment.section.target, facts_here())
    wanted, here = (
        {str(gpu.compute_capability or gpu.name): gpu.name for gpu in each.gpus or ()} for each in (target, machine)
    )
    if missing := sorted(wanted.keys() - here.keys()):
        has = ", ".join(f"{name} ({sm})" for sm, name in here.items()) or "no GPU"
        lacks = ", ".join(f"{wanted[sm]} ({sm})" for sm in missing)
        message = f"target `{target.name}` is {lacks}, and this machine has {has}"
        raise NotProven(message, (str(environment.prefix),), ("run it on the machine that the target means",))


def _run(
    talk: Talk,
    environment: Environment | None,
    interpreter: Path,
    machine: Machine,
    checks: str | None,
    require: tuple[str, ...],
    devices: tuple[str, ...] | None,
    timeout_s: float | None,
) -> SmokeReport:
    from envforge.verify import verify as prove

    wanted = _checks(checks or (environment.checks if environment else None))
    with talk.watching() as emit:
        report = prove(
            interpreter,
            machine,
            wanted,
            prefix=environment.prefix if environment else None,
            expect=expectations(environment.section) if environment else None,
            require=require,
            devices=devices,
            variables=variables_inside(environment) if environment else (),
            deadline_s=timeout_s,
            emit=emit,
        )
    if environment:
        learn(talk, environment.section, report, machine)
    if environment and devices is None and not _says_less(report, wanted, environment):
        keep_report(talk, environment, report, machine, wanted)
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
