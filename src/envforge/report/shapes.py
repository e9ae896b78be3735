"""Values -> the JSON shapes that the contract fixes. Pure: what goes in comes out, under its public name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envforge.model import (
    ABSENT,
    Candidate,
    CheckResult,
    Choice,
    Conflict,
    Cover,
    Machine,
    Reason,
    Rejected,
    SmokeReport,
    Warned,
    WayOut,
)
from envforge.report.machine import stated
from envforge.wire import to_plain


def plan_shape(
    spec: str,
    machines: Sequence[str],
    outcome: Choice | Conflict,
    *,
    covers: Sequence[Cover] = (),
    warnings: Sequence[Warned] = (),
    download_bytes: int | None = None,
    unpacked_bytes: int | None = None,
) -> dict[str, Any]:
    """Give ``plan``'s data. ``covers`` when several machines need more than one environment."""
    choice = outcome if isinstance(outcome, Choice) else None
    conflict = outcome if isinstance(outcome, Conflict) else None
    return {
        "spec": spec,
        "machines": list(machines),
        "choice": choice and choice_shape(choice),
        "rejected": [entry for each in outcome.rejected for entry in rejected_shape(each)],
        "ranges": to_plain(outcome.ranges),
        "unlocks": [way_out_shape(way) for way in choice.unlocks] if choice else [],
        "conflict": conflict and conflict_shape(conflict),
        "covers": [cover_shape(cover) for cover in covers],
        "warnings": [{"code": each.code, "text": each.text} for each in (*outcome.warnings, *warnings)],
        "download_bytes": download_bytes,
        "unpacked_bytes": unpacked_bytes,
    }


def choice_shape(choice: Choice) -> dict[str, Any]:
    """Give a choice: the best candidate, how the driver serves it, and why."""
    best = choice.best
    return {
        **candidate_shape(best),
        "build": best.build.local or best.build.variant,
        "kind": best.build.kind,
        "companions": dict(best.companions),
        "native": choice.native,
        "reasons": [reason_shape(reason) for reason in choice.reasons],
    }


def candidate_shape(candidate: Candidate) -> dict[str, Any]:
    """Give what names a candidate."""
    build = candidate.build
    return {
        "python": candidate.python,
        "torch": str(build.torch),
        "cuda": None if build.cuda is None else str(build.cuda),
        "source": build.source,
    }


def reason_shape(reason: Reason) -> dict[str, Any]:
    """Give one sentence of an explanation."""
    return {"rule": reason.rule, "owner": reason.owner, "text": reason.text, "where": list(reason.where)}


def rejected_shape(rejected: Rejected) -> list[dict[str, Any]]:
    """Give one entry for each rule that forbids the candidate."""
    named = {**candidate_shape(rejected.candidate), "build": rejected.candidate.build.variant}
    return [{**named, **reason_shape(reason)} for reason in rejected.reasons]


def missed_shape(rejected: Rejected) -> dict[str, Any]:
    """Give one build that was asked after, with every rule that stands against it; none for the chosen one."""
    named = {**candidate_shape(rejected.candidate), "build": rejected.candidate.build.variant}
    return {**named, "reasons": [reason_shape(reason) for reason in rejected.reasons]}


def way_out_shape(way: WayOut) -> dict[str, Any]:
    """Give what to give up, what one gets, and the action."""
    gives_up = [reason.text for reason in way.gives_up]
    return {"gives_up": gives_up, "gets": candidate_shape(way.gets), "hint": way.hint}


def conflict_shape(conflict: Conflict) -> dict[str, Any]:
    """Give every core and every way out."""
    return {
        "cores": [[reason_shape(reason) for reason in core] for core in conflict.cores],
        "ways_out": [way_out_shape(way) for way in conflict.ways_out],
    }


def cover_shape(cover: Cover) -> dict[str, Any]:
    """Give the machines of one environment with its choice, or with the conflict that keeps them out."""
    outcome = cover.outcome
    choice = choice_shape(outcome) if isinstance(outcome, Choice) else None
    conflict = conflict_shape(outcome) if isinstance(outcome, Conflict) else None
    return {"machines": list(cover.machines), "choice": choice, "conflict": conflict}


def verify_shape(report: SmokeReport) -> dict[str, Any]:
    """Give ``verify``'s data."""
    return {
        "python": report.python,
        "torch": report.torch,
        "cuda": report.cuda,
        "machine": report.machine,
        "devices": list(report.devices),
        "driver": report.driver,
        "when": report.when,
        "verdict": report.verdict,
        "results": [result_shape(result) for result in report.results],
    }


def result_shape(result: CheckResult) -> dict[str, Any]:
    """Give one check's result."""
    return {
        "check": result.check,
        "device": result.device,
        "outcome": result.outcome,
        "code": result.code,
        "took_s": round(result.took_s, 3),
        "detail": result.detail,
        "measured": to_plain(result.measured),
    }


def create_shape(
    *,
    name: str,
    prefix: str,
    changed: bool,
    plan: Mapping[str, Any] | None,
    lock: str,
    engine: str,
    verify: SmokeReport | None,
    took_s: Mapping[str, float],
) -> dict[str, Any]:
    """Give ``create``'s data."""
    return {
        "name": name,
        "prefix": prefix,
        "changed": changed,
        "plan": plan,
        "lock": lock,
        "engine": engine,
        "verify": verify and verify_shape(verify),
        "took_s": {phase: round(seconds, 3) for phase, seconds in took_s.items()},
    }


def machine_shape(machine: Machine) -> dict[str, Any]:
    """Give ``detect``'s machine: what is known, ``null`` for what could not be told, and why not."""
    driver = machine.driver
    known = None if driver is None or driver is ABSENT else driver
    return {
        "name": machine.name,
        "subdir": machine.subdir,
        "driver": to_plain(known.version) if known else ("absent" if driver is ABSENT else None),
        "cuda_version": to_plain(machine.cuda_version),
        "module": known.module if known else None,
        "gpus": None if machine.gpus is None else to_plain(machine.gpus),
        "glibc": to_plain(machine.glibc),
        "os": machine.os,
        "platform": machine.platform,
        "container": machine.container,
        "tegra": machine.tegra,
        "cpu": machine.cpu,
        "memory_bytes": machine.memory_bytes,
        "interpreters": to_plain(machine.interpreters),
        "stated": dict(stated(machine)),
        "unread": [
            {"source": each.source, "error": each.error} for each in machine.readings if each.error and not each.value
        ],
    }
