"""What the doctor found: its JSON shape, and a page in causal order with what follows folded under its cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from envforge.model import Crashed, Finding, Skipped, Undetermined
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
    "healthy": ("good", "healthy: nothing stands in the way of GPU work"),
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


def doctor_page(verdict: str, answers: Sequence[Answer], *, verbose: bool = False) -> Page:
    """Say the verdict, then each cause with its remedy; ``verbose`` adds evidence, references and what was skipped."""
    findings = [each for each in answers if isinstance(each, Finding)]
    folded = {name for each in findings for name in each.explains}
    named = {each.id: each for each in findings}
    causes = [each for each in findings if each.id not in folded]
    return join(
        _verdict(verdict, findings),
        *(tuple(_finding(each, named, verbose)) for each in causes),
        *(tuple(_undetermined(each)) for each in answers if isinstance(each, Undetermined)),
        tuple(_unasked(answers, verbose)),
    )


def _verdict(verdict: str, findings: Sequence[Finding]) -> Page:
    style, words = VERDICTS[verdict]
    counts: Counter[str] = Counter(each.severity for each in findings)
    counted = ", ".join(f"{counts[name]} {name}" for name in MARKS if counts[name])
    return (Line(body=((style, words), ("quiet", f"  ({counted})" if counted else ""))),)


def _finding(finding: Finding, named: dict[str, Finding], verbose: bool) -> Iterator[Line]:
    style, mark = MARKS[finding.severity]
    head: tuple[tuple[Style, str], ...] = (("strong", finding.title), ("quiet", f"  {finding.certainty}, {finding.id}"))
    yield Line(label=((style, mark),), body=head, width=4)
    yield prose(finding.says, indent=4)
    for line in finding.evidence if verbose else ():
        yield item(line, indent=4, body="quiet")
    for remedy in finding.remedy:
        yield item(remedy.text, mark="→", style="good", indent=4)
        if remedy.run:
            yield command(remedy.run, indent=8)
    if follows := [named[name].title for name in finding.explains if name in named]:
        yield prose(f"explains: {'; '.join(follows)}", "quiet", indent=4)
    for reference in finding.references if verbose else ():
        yield Line(body=(("quiet", reference),), indent=4)


def _undetermined(each: Undetermined) -> Iterator[Line]:
    yield Line(label=(("warn", "[?]"),), body=spans(f"seen: {', '.join(each.codes)}"), width=4)
    yield from (item(question, mark="?", indent=4) for question in each.questions)


def _unasked(answers: Iterable[Answer], verbose: bool) -> Iterator[Line]:
    """Count what was not asked and what broke: silence would read as health."""
    skipped = [each for each in answers if isinstance(each, Skipped)]
    if skipped and not verbose:
        yield prose(f"{len(skipped)} rules could not be asked: their readings are missing (`-v` names them)", "quiet")
    for each in skipped if verbose else ():
        yield prose(f"not asked: {each.id}, for want of {', '.join(each.missing)}", "quiet")
    for broken in (each for each in answers if isinstance(each, Crashed)):
        yield prose(f"a rule of envforge is broken: {broken.id}: {broken.error}", "warn")
