"""When checks fail: which layer is at fault, what came of each candidate, and which one is next."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from envforge.cli.deciding import Decision, decide
from envforge.cli.footing import Footing, footing_of
from envforge.cli.job import Job
from envforge.cli.locking import Made, first_that_locks
from envforge.model import Build, Candidate, CheckResult, Choice, Environment, Reason, SmokeReport, value
from envforge.report.plan import candidate_text
from envforge.report.shapes import candidate_shape

LAYERS = {
    "driver": "the driver",
    "build": "the torch build",
    "libraries": "the libraries beside torch",
    "hardware": "the card or its connections",
    "system": "this system, not the environment",
}
BEYOND_BUILDS = frozenset({"hardware", "system"})


@value
class Try:
    """One candidate with what its checks said; ``report`` is None where they were not run."""

    candidate: Candidate
    report: SmokeReport | None = None

    @property
    def failed(self) -> CheckResult | None:
        """The first check that failed: those after it may fail for its sake."""
        results = self.report.results if self.report else ()
        return next((each for each in results if each.outcome == "fail"), None)

    @property
    def layer(self) -> str | None:
        """Where the fault lies, by the code of the check; None where the code does not tell."""
        from envforge.verify import explain

        found = explain(self.failed.code) if self.failed else None
        return found.layer if found else None

    @property
    def may_yield(self) -> bool:
        """True when it failed, and another build may do better: none mends a card, or installs a compiler."""
        return self.failed is not None and self.layer not in BEYOND_BUILDS

    def __str__(self) -> str:
        if self.failed is None:
            return "its checks pass" if self.report else "not checked"
        said = (self.failed.detail.strip().splitlines() or [self.failed.outcome])[-1].removesuffix(".")
        layer = f"at fault is {LAYERS[self.layer]}: " if self.layer else ""
        return f"{layer}`{self.failed.check}` failed, {said}"


def try_of(environment: Environment) -> Try:
    """Give what came of an environment's candidate."""
    return Try(candidate=environment.section.candidate, report=environment.verified)


def find_next(job: Job, footing: Footing, tries: Sequence[Try]) -> tuple[Decision, Choice] | None:
    """Decide without the builds that failed here; None when another build would not help, or none is left."""
    if not tries[-1].may_yield:
        return None
    decision = footing.made.decision if footing.made else _decide_again(job)
    left = _left(decision, [_key(each.candidate.build) for each in tries])
    if not left:
        return None
    best, *others = left
    reasons = tuple(Reason(rule="proof", text=_why(each)) for each in tries)
    choice = Choice(best=best, native=None, reasons=reasons, others=tuple(others))
    return decision, choice


def take_next(job: Job, footing: Footing, found: tuple[Decision, Choice]) -> Footing:
    """Lock the next candidate in the place of the one that failed. Raises what comes of the first that cannot be."""
    decision, choice = found
    target = footing.section.target
    with job.clock("lock"), job.talk.watching() as emit:
        section, locked = first_that_locks(job, target, decision, choice, emit)
    made = Made(target=target, decision=replace(decision, outcome=locked), section=section)
    return footing_of(job, made, footing.lock.sections)


def tries_shape(tries: Iterable[Try]) -> list[dict[str, Any]]:
    """Give every candidate that was tried, as JSON tells it."""
    return [_shape(each) for each in tries]


def _shape(tried: Try) -> dict[str, Any]:
    failed = tried.failed
    return {
        **candidate_shape(tried.candidate),
        "build": tried.candidate.build.local or tried.candidate.build.variant,
        "verdict": tried.report and tried.report.verdict,
        "layer": tried.layer,
        "check": failed and failed.check,
        "code": failed and failed.code,
        "detail": failed and failed.detail,
    }


def _decide_again(job: Job) -> Decision:
    return decide(
        job.talk, job.spec, job.machines, job.facts, ask_all=True, offline=job.offline, timeout_s=job.timeout_s
    )


def _left(decision: Decision, failed: list[tuple[object, ...]]) -> list[Candidate]:
    """Give what ranks behind the last that failed: a lock may stand on one that others failed before."""
    outcome = decision.outcome
    if not isinstance(outcome, Choice):
        return []
    ranked = (outcome.best, *outcome.others)
    last = next((at for at, each in enumerate(ranked) if _key(each.build) == failed[-1]), -1)
    return [each for each in ranked[last + 1 :] if _key(each.build) not in failed]


def _key(build: Build) -> tuple[object, ...]:
    """Tell builds apart; a lock and an index may know more or less of the same one."""
    return build.torch, build.cuda, build.source, build.kind


def _why(tried: Try) -> str:
    return f"{candidate_text(tried.candidate)} ranks higher and failed its checks here: {tried}"
