"""Verify what was made, remember it, and know when that has been done already."""

from __future__ import annotations

import os
from dataclasses import replace
from shlex import quote

from envforge.cli.measuring import learn
from envforge.cli.talk import Talk
from envforge.errors import EnvforgeError
from envforge.model import ABSENT, CheckResult, Driver, Environment, Machine, Section, SmokeReport, Spec
from envforge.provision import activated, activation, store_report
from envforge.run import run
from envforge.wire import digest

Checks = str | tuple[str, ...]
TIERS = ("quick", "standard", "deep")
SCRIPTS_S = 30.0
SHELLS = frozenset({"_", "PWD", "OLDPWD", "SHLVL"})
EXITS = {"pass": 0, "fail": 1, "inconclusive": 3}


class NotProven(EnvforgeError):
    """A check failed, or could not tell; the environment stays, and is never told as proven."""

    code, exit = "not-proven", EXITS["fail"]


def prove(talk: Talk, environment: Environment, machine: Machine, spec: Spec, timeout_s: float | None) -> Environment:
    """Run the spec's checks in an environment on this machine, and store what they saw beside its marker."""
    from envforge.verify import verify

    with talk.watching() as emit:
        report = verify(
            environment.python,
            machine,
            spec.checks,
            prefix=environment.prefix,
            expect=expectations(environment.section),
            variables=variables_inside(environment),
            deadline_s=timeout_s,
            emit=emit,
        )
    learn(talk, environment.section, report, machine)
    return keep_report(talk, replace(environment, checks=words(spec.checks)), report, machine, spec.checks)


def variables_inside(environment: Environment) -> tuple[tuple[str, str], ...]:
    """Give what being inside sets, scripts of its packages sourced: there alone compilers of the environment are found.

    Without the scripts' part where they do not end, or fail.
    """
    active = activation(environment)
    inside = activated(active, os.environ)
    if active.scripts:
        sourcing = "".join(f". {quote(str(script))}; " for script in active.scripts)
        done = run(("bash", "-c", f"{{ {sourcing}}} >&2; env -0"), deadline_s=SCRIPTS_S, env=inside)
        said = dict(each.split("=", 1) for each in done.stdout.split("\0") if "=" in each) if done.ok else {}
        inside = {**inside, **said}
    return tuple((name, text) for name, text in inside.items() if os.environ.get(name) != text and name not in SHELLS)


def keep_report(
    talk: Talk, environment: Environment, report: SmokeReport, machine: Machine, checks: Checks
) -> Environment:
    """Store a report with the environment, with what it was made on and which checks were asked for.

    An environment that nothing can be written to (a mounted image, another user's) is proven all the same, for now.
    """
    on = f"{bench(machine)} {words(checks)}"
    try:
        return store_report(environment, report, on)
    except OSError as error:
        talk.warn(f"the report is not kept with the environment: {error.strerror}")
        return replace(environment, verified=report, verified_on=on)


def is_proven(environment: Environment, machine: Machine, spec: Spec) -> bool:
    """Say whether these checks, or a tier that holds them, have passed in this environment on this hardware."""
    done = environment.verified_on.partition(" ")[2]
    if done in TIERS and spec.checks in TIERS:
        covered = TIERS.index(done) >= TIERS.index(str(spec.checks))
    else:
        covered = done == words(spec.checks)
    return covered and passed_here(environment, machine)


def passed_here(environment: Environment, machine: Machine) -> bool:
    """Say whether its checks have passed with this driver and these GPUs."""
    report = environment.verified
    on = environment.verified_on.partition(" ")[0]
    return report is not None and report.verdict == "pass" and on == bench(machine)


def bench(machine: Machine) -> str:
    """Give the digest of the hardware that a proof holds for: driver, GPUs (in any order), and glibc."""
    driver = machine.driver.version if isinstance(machine.driver, Driver) else machine.driver is ABSENT
    cards = sorted(f"{gpu.name} {gpu.compute_capability} {gpu.memory_bytes} {gpu.mig}" for gpu in machine.gpus or ())
    return digest((driver, machine.gpus is None, cards, machine.glibc))


def words(checks: Checks) -> str:
    """Write what was asked for as one word: a tier, or names with commas."""
    return checks if isinstance(checks, str) else ",".join(checks)


def expectations(section: Section) -> dict[str, str]:
    """Give what the checks hold the build against: what the lock says of it."""
    candidate, build = section.candidate, section.candidate.build
    expected = {"python": candidate.python, "torch": str(build.torch), "build": build.variant}
    expected["cuda"] = "none" if build.cuda is None else str(build.cuda)
    return expected | ({"sass": " ".join(each.sm for each in build.sass)} if build.sass else {})


def complaints(report: SmokeReport, advice: tuple[str, ...]) -> tuple[NotProven, ...]:
    """Say which checks failed, or could not tell, and what that means; the last one carries the advice."""
    bad = [each for each in report.results if each.outcome == report.verdict and report.verdict != "pass"]
    told = [_complaint(each) for each in bad]
    return tuple(NotProven(*each, advice if each is told[-1] else ()) for each in told)


def _complaint(result: CheckResult) -> tuple[str, tuple[str, ...]]:
    from envforge.verify import codes

    verb = "failed" if result.outcome == "fail" else "could not tell"
    code = codes().get(result.code or "")
    says = code.says if code else result.code
    return f"check `{result.check}` {verb}: {_line(result.detail)}", tuple(filter(None, (result.device, says)))


def notes(report: SmokeReport) -> tuple[str, ...]:
    """Say what passing checks had to remark."""
    return tuple(
        f"check `{each.check}` passes, but {_line(each.detail)}"
        for each in report.results
        if each.outcome == "pass" and each.code
    )


def _line(detail: str) -> str:
    return (detail.strip().splitlines() or ["no detail"])[-1].removesuffix(".")
