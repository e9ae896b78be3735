"""What the doctor found: its JSON shape, and a page in causal order with what follows folded under its cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from envforge.model import Crashed, Finding, Remedy, Skipped, Undetermined
from envforge.report.page import Line, Page, Style, command, item, join, prose, spans
from envforge.wire import to_plain

Answer = Finding | Skipped | Crashed | Undetermined
MARKS: Final[dict[str, tuple[Style, str]]] = {
    "blocker": ("bad", "[✗]"),
    "degraded": ("warn", "[!]"),
    "advisory": ("quiet", "[!]"),
    "info": ("quiet", "[i]"),
}
VERDICTS: Final[dict[str, tuple[Style, str]]] = {
    "healthy": ("good", "healthy: no fault was found"),
    "advisory": ("good", "healthy, with something to know"),
    "degraded": ("warn", "degraded: GPU work runs, but not as it should"),
    "blocked": ("bad", "blocked: GPU work cannot run"),
    "undetermined": ("warn", "undetermined: something failed, and no rule says why"),
}


def doctor_shape(verdict: str, answers: Sequence[Answer]) -> dict[str, Any]:
    """Give ``doctor``'s data."""
    return {
        "verdict": verdict,
        "findings": [finding_shape(each) for each in answers if isinstance(each, Finding)],
        "undetermined": [to_plain(each) for each in answers if isinstance(each, Undetermined)],
        "skipped": [to_plain(each) for each in answers if isinstance(each, Skipped)],
        "crashed": [to_plain(each) for each in answers if isinstance(each, Crashed)],
    }


def finding_shape(finding: Finding) -> dict[str, Any]:
    """Give one finding; a remedy keeps its text, command and whether it is safe."""
    return dict(to_plain(finding))


def doctor_page(verdict: str, answers: Sequence[Answer], *, distro: str | None = None, verbose: bool = False) -> Page:
    """Say the verdict, then each cause with its remedies for a distribution (``debian``), all where it is not known.

    ``verbose`` adds evidence, references, every distribution's remedies and what was skipped.
    """
    findings = [each for each in answers if isinstance(each, Finding)]
    return join(
        _verdict(verdict, findings),
        *(tuple(_finding(each, None if verbose else distro, verbose)) for each in findings),
        *(tuple(_undetermined(each)) for each in answers if isinstance(each, Undetermined)),
        tuple(_unasked(answers, verbose)),
    )


def _verdict(verdict: str, findings: Sequence[Finding]) -> Page:
    style, words = VERDICTS[verdict]
    counts: Counter[str] = Counter(each.severity for each in findings)
    counted = ", ".join(f"{counts[name]} {name}" for name in MARKS if counts[name])
    return (Line(body=((style, words), ("quiet", f"  ({counted})" if counted else ""))),)


def _finding(finding: Finding, distro: str | None, verbose: bool) -> Iterator[Line]:
    style, mark = MARKS[finding.severity]
    head: tuple[tuple[Style, str], ...] = (("strong", finding.title), ("quiet", f"  {finding.certainty}, {finding.id}"))
    yield Line(label=((style, mark),), body=head, width=4)
    yield prose(finding.says, indent=4)
    for line in finding.evidence if verbose else ():
        yield item(line, indent=4, body="quiet")
    for remedy in remedies_for(finding, distro):
        yield item(remedy.text, mark="→", style="good", indent=4)
        if remedy.run:
            yield command(remedy.run, indent=8)
    if finding.explains:
        yield prose(f"also explains: {', '.join(finding.explains)}", "quiet", indent=4)
    for reference in finding.references if verbose else ():
        yield Line(body=(("quiet", reference),), indent=4)


def remedies_for(finding: Finding, distro: str | None) -> tuple[Remedy, ...]:
    """Give the remedies that fit a distribution; all when none is made for it."""
    fitting = tuple(each for each in finding.remedy if not each.distro or distro in each.distro)
    return fitting if distro and fitting else finding.remedy


def _undetermined(each: Undetermined) -> Iterator[Line]:
    yield Line(label=(("warn", "[?]"),), body=spans(f"seen: {', '.join(each.codes)}"), width=4)
    yield from (item(question, mark="?", indent=4) for question in each.questions)


def _unasked(answers: Iterable[Answer], verbose: bool) -> Iterator[Line]:
    """Count what was not asked and what broke: silence would read as health."""
    skipped = [each for each in answers if isinstance(each, Skipped)]
    if skipped and not verbose:
        rules = "1 rule" if len(skipped) == 1 else f"{len(skipped)} rules"
        yield prose(f"{rules} could not be asked: readings are missing (`-v` names them)", "quiet")
    for each in skipped if verbose else ():
        yield prose(f"not asked: {each.id}, for want of {', '.join(each.missing)}", "quiet")
    for broken in (each for each in answers if isinstance(each, Crashed)):
        yield prose(f"a rule of envforge is broken: {broken.id}: {broken.error}", "warn")
