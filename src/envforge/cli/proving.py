"""Verify what was made, remember it, and know when that has been done already."""

from __future__ import annotations

from envforge.cli.talk import Talk
from envforge.errors import EnvforgeError
from envforge.model import ABSENT, CheckResult, Driver, Environment, Machine, Section, SmokeReport, Spec
from envforge.provision import store_report
from envforge.wire import digest, to_plain

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
            variables=environment.section.variables,
            deadline_s=timeout_s,
            emit=emit,
        )
    return store_report(environment, report, bench(machine, spec))


def is_proven(environment: Environment, machine: Machine, spec: Spec) -> bool:
    """Say whether these checks have passed in this environment, with this driver and these GPUs."""
    report = environment.verified
    return report is not None and report.verdict == "pass" and environment.verified_on == bench(machine, spec)


def bench(machine: Machine, spec: Spec) -> str:
    """Give the digest of what a proof holds for: driver, GPUs (in any order), glibc, and the checks."""
    driver = machine.driver.version if isinstance(machine.driver, Driver) else machine.driver is ABSENT
    cards = sorted((gpu.name, str(gpu.compute_capability), gpu.memory_bytes, gpu.mig) for gpu in machine.gpus or ())
    return digest((driver, machine.gpus is None, [to_plain(card) for card in cards], machine.glibc, spec.checks))


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


def _line(detail: str) -> str:
    return (detail.strip().splitlines() or ["no detail"])[-1].removesuffix(".")
