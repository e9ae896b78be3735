"""What the doctor found: its JSON shape, and a page by chapters, causes first, what follows folded under its cause."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

from envforge.model import Crashed, Finding, Remedy, Skipped, Undetermined
from envforge.report.page import Line, Page, Style, command, item, join, prose, spans
from envforge.report.sections import NOTED, UNKNOWN, Section
from envforge.wire import to_plain

Answer = Finding | Skipped | Crashed | Undetermined
MARKS: Final[dict[str, tuple[Style, str]]] = {
    "blocker": ("bad", "[✗]"),
    "degraded": ("warn", "[!]"),
    "advisory": ("quiet", "[!]"),
    "info": ("quiet", "[i]"),
}
LOOKED_AT = ("GPUs", "Driver")
FAULTS = ("blocker", "degraded")
MOST_REMEDIES = 3
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


def doctor_page(
    verdict: str,
    answers: Sequence[Answer],
    *,
    chapters: Sequence[Section] = (),
    distro: str | None = None,
    verbose: bool = False,
) -> Page:
    """Say the verdict, then each chapter with its causes and their remedies for a distribution (``debian``).

    ``verbose`` adds evidence, references, every distribution's remedies and what was skipped. A finding that
    stands in no chapter comes after them.
    """
    findings = [each for each in answers if isinstance(each, Finding)]
    placed = {each.id for chapter in chapters for each in chapter.findings}
    bare = any(chapter.name == "GPUs" and chapter.mark == NOTED for chapter in chapters)
    unseen = [chapter.name for chapter in chapters if chapter.name in LOOKED_AT and chapter.mark == UNKNOWN]
    known = None if verbose else distro
    return join(
        _verdict(verdict, findings, bare, unseen),
        tuple(line for chapter in chapters for line in _chapter(chapter, known, verbose)),
        *(tuple(_finding(each, known, verbose)) for each in findings if each.id not in placed),
        *(tuple(_undetermined(each)) for each in answers if isinstance(each, Undetermined)),
        tuple(_unasked(answers, verbose)),
    )


def _verdict(verdict: str, findings: Sequence[Finding], bare: bool, unseen: Sequence[str]) -> Page:
    """Say the verdict; nobody is told healthy whose GPUs or driver could not be seen."""
    style, words = VERDICTS[verdict]
    if unseen and verdict == "healthy":
        style, words = "warn", f"no fault was found in what could be seen; not seen: {', '.join(unseen)}"
    counts: Counter[str] = Counter(each.severity for each in findings)
    counted = ", ".join(f"{counts[name]} {name}" for name in MARKS if counts[name])
    none = "; no NVIDIA GPU is here" if bare and verdict == "healthy" else ""
    return (Line(body=((style, words + none), ("quiet", f"  ({counted})" if counted else ""))),)


def _chapter(chapter: Section, distro: str | None, verbose: bool) -> Iterator[Line]:
    """Name the chapter with the mark of its heaviest finding, or with how it stands without one."""
    weights = list(MARKS)
    worst = min((each.severity for each in chapter.findings), key=weights.index, default=None)
    mark = MARKS[worst] if worst and worst != "info" else chapter.mark
    label: tuple[tuple[Style, str], ...] = (mark, ("strong", f"{' ' * (5 - len(mark[1]))}{chapter.name}"))
    yield Line(label=label, body=spans(chapter.about), width=18)
    for each in chapter.findings:
        yield from _finding(each, distro, verbose, indent=5)


def _finding(finding: Finding, distro: str | None, verbose: bool, indent: int = 0) -> Iterator[Line]:
    style, mark = MARKS[finding.severity]
    head: tuple[tuple[Style, str], ...] = (
        ("strong", finding.title),
        ("quiet", f"  {finding.certainty}, "),
        ("rule", finding.id),
    )
    inner = indent + 4
    yield Line(label=((style, mark),), body=head, width=4, indent=indent)
    yield prose(finding.says, indent=inner)
    for line in finding.evidence if verbose else ():
        yield item(line, indent=inner, body="quiet")
    yield from _remedies(finding, distro, verbose, inner)
    if finding.explains:
        ids: list[tuple[Style, str]] = [("quiet", "also explains: ")]
        for name in finding.explains:
            ids += [("quiet", ", "), ("rule", name)] if len(ids) > 1 else [("rule", name)]
        yield Line(body=tuple(ids), indent=inner)
    for reference in finding.references if verbose else ():
        yield Line(body=(("quiet", reference),), indent=inner)


def _remedies(finding: Finding, distro: str | None, verbose: bool, indent: int) -> Iterator[Line]:
    """Give what to do; one step for what is no fault, and a few for what is, unless all are asked for."""
    found = remedies_for(finding, distro)
    most = len(found) if verbose else MOST_REMEDIES if finding.severity in FAULTS else 1
    for remedy in found[:most]:
        yield item(remedy.text, mark="→", style="good", indent=indent)
        if remedy.run:
            yield command(remedy.run, indent=indent + 4)
    if len(found) > most:
        yield prose(f"{len(found) - most} more with `-v`", "quiet", indent=indent + 2)


def remedies_for(finding: Finding, distro: str | None) -> tuple[Remedy, ...]:
    """Give the remedies that fit a distribution; all when none is made for it."""
    fitting = tuple(each for each in finding.remedy if not each.distro or distro in each.distro)
    return fitting if distro and fitting else finding.remedy


def _undetermined(each: Undetermined) -> Iterator[Line]:
    yield Line(label=(("warn", "[?]"),), body=spans(f"seen: {', '.join(each.codes)}"), width=5)
    yield from (item(question, mark="?", indent=5) for question in each.questions)


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
