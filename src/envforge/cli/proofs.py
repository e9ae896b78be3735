"""Environments in words and in JSON: what is in them, where they were proven, how they have drifted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

from envforge.cli.asking import this_machine
from envforge.cli.locking import Staleness
from envforge.cli.mending import cache_text
from envforge.cli.proving import passed_here
from envforge.model import Environment, SmokeReport
from envforge.provision import Damage, Drift
from envforge.report.facts import table
from envforge.report.page import Line, Page, item, join, prose, row, title
from envforge.report.plan import candidate_text
from envforge.report.verify import place_text

WIDTH = 10
MOST_FILES = 10
STATES = {
    "clean": "as its lock made it, and verified here",
    "unverified": "as its lock made it, but not verified here",
    "drifted": "drifted: no longer as it was installed",
    "stale": "stale: the spec or its lock has moved on",
}


def proven_here(found: tuple[Environment, ...]) -> frozenset[Path]:
    """Give those that were proven on this very hardware; it is looked at only where there is a proof."""
    if not any(each.verified and each.verified.verdict == "pass" for each in found):
        return frozenset()
    machine = this_machine()
    return frozenset(each.prefix for each in found if passed_here(each, machine))


def environment_shape(environment: Environment, *, here: bool) -> dict[str, Any]:
    """Give an environment as JSON tells it; ``here``: its checks passed on the hardware that is here now."""
    build, report = environment.section.candidate.build, environment.verified
    proof = report and {
        "verdict": report.verdict,
        "machine": report.machine,
        "devices": list(report.devices),
        "driver": report.driver,
        "when": report.when,
        "here": here,
    }
    return {
        "name": environment.name,
        "prefix": str(environment.prefix),
        "python": environment.section.candidate.python,
        "torch": str(build.torch),
        "cuda": None if build.cuda is None else str(build.cuda),
        "source": build.source,
        "engine": environment.engine,
        "created": environment.created,
        "spec": environment.spec_origin,
        "verified": proof,
    }


def list_page(found: tuple[Environment, ...], here: frozenset[Path]) -> Page:
    if not found:
        return (prose("There is no environment yet; `envforge create SPEC` makes one."),)
    head = ("name", "torch", "cuda", "python", "proven on", "prefix")
    return table(head, [_cells(each, here=each.prefix in here) for each in found])


def _cells(environment: Environment, *, here: bool) -> tuple[str, ...]:
    build = environment.section.candidate.build
    cuda = "cpu" if build.cuda is None else str(build.cuda)
    python = environment.section.candidate.python
    proven = _proof(environment, here=here)
    return environment.name, str(build.torch), cuda, python, proven, str(environment.prefix)


def _proof(environment: Environment, *, here: bool) -> str:
    report = environment.verified
    if report is None:
        return "never"
    if report.verdict != "pass":
        return {"fail": "failed", "inconclusive": "could not tell"}[report.verdict]
    return f"{_short(report)}{'' if here else ' (not here)'}"


def _short(report: SmokeReport) -> str:
    """Name the hardware of a proof in few letters."""
    if not report.devices:
        return report.machine
    return place_text(replace(report, driver=None)).replace("NVIDIA ", "") if report.driver else "CPU"


def status_page(
    environment: Environment,
    state: str,
    drifted: Drift,
    stale: Staleness | None,
    damage: Damage | None,
    *,
    here: bool,
) -> Page:
    made = f"{_day(environment.created)} by {environment.engine}"
    rows = (
        row("state", STATES[state], "good" if state == "clean" else "warn", width=WIDTH),
        row("checks", _checked(environment, here=here), "" if here else "warn", width=WIDTH),
        row("torch", candidate_text(environment.section.candidate), width=WIDTH),
        row("prefix", str(environment.prefix), width=WIDTH),
        row("made", made, width=WIDTH),
        *_files(damage),
    )
    head = (prose(environment.name, "title"), *rows)
    return join(head, _drifted(drifted), _damaged(damage), _stale(stale), _advice(state, environment))


def _files(damage: Damage | None) -> Iterator[Line]:
    if damage and damage.flaws:
        yield row("files", f"{len(damage.flaws)} of {damage.files} are not as they were installed", "warn", width=WIDTH)
    elif damage:
        yield row("files", f"all {damage.files} are as they were installed", width=WIDTH)


def _damaged(damage: Damage | None) -> Iterator[Line]:
    """Name the files that are wrong, and where the shared caches have the same change."""
    flaws = damage.flaws if damage else ()
    if flaws:
        yield title("Files that are not as they were installed")
    for each in flaws[:MOST_FILES]:
        yield item(f"{each.what}: {each.path} ({each.package})")
    if len(flaws) > MOST_FILES:
        yield item(f"and {len(flaws) - MOST_FILES} more, which `--json` tells")
    for entry in damage.entries if damage else ():
        yield prose(
            f"the package cache was edited too, and may have spoilt other environments: {cache_text(entry)}", "warn"
        )


def _checked(environment: Environment, *, here: bool) -> str:
    """Say what is proven, and where that holds."""
    report = environment.verified
    if report is None:
        return "never run"
    asked = environment.verified_on.partition(" ")[2]
    told = f"on {place_text(report)}, {_day(report.when)}" + (f" ({asked})" if asked else "")
    if report.verdict == "pass":
        return f"verified {told}" if here else f"unverified here: verified {told}, and this is other hardware"
    first = next((each.check for each in report.results if each.outcome == report.verdict), "")
    return f"{'failed' if report.verdict == 'fail' else 'could not tell'} {told}: `{first}`"


def _day(moment: str) -> str:
    return moment[:10]


def _drifted(drifted: Drift) -> Iterator[Line]:
    """Give one line for each package that is not as it was installed."""
    lost, found = (dict(each.partition(" ")[::2] for each in part) for part in (drifted.missing, drifted.added))
    if drifted.missing or drifted.added:
        yield title("Differs from what was installed")
    for name in sorted({*lost, *found}):
        yield item(_change(name, lost.get(name), found.get(name)))


def _stale(stale: Staleness | None) -> Iterator[Line]:
    if stale:
        yield prose(stale.why, "warn")
    for each in stale.changes if stale else ():
        yield item(_change(each.name, each.before, each.after))


def _change(name: str, before: str | None, after: str | None) -> str:
    if before is None:
        return f"{name} {after} is added"
    return f"{name} {before} → {after}" if after else f"{name} {before} is gone"


def _advice(state: str, environment: Environment) -> Iterator[Line]:
    if state == "unverified":
        yield prose(f"`envforge verify {quote(str(environment.prefix))}` checks it here", "quiet")
    elif state in ("drifted", "stale") and environment.spec_origin:
        where = f"{quote(environment.spec_origin)} -p {quote(str(environment.prefix))}"
        yield prose(f"`envforge create {where}` puts it right", "quiet")
