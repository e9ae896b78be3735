"""Ask every rule about a patient, put causes before consequences, and say the verdict. Pure."""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from envforge.doctor.chart import Chart, Missing
from envforge.doctor.common import common_values
from envforge.doctor.known import Known
from envforge.doctor.rulebook import load_known
from envforge.doctor.signs import SIGNS, Sign
from envforge.doctor.undetermined import undetermined
from envforge.model import (
    Answer,
    Certainty,
    Crashed,
    Evidence,
    Finding,
    Patient,
    Remedy,
    Rule,
    Severity,
    Skipped,
    Verdict,
)

WEIGHTS: dict[Severity, int] = {"info": 0, "advisory": 1, "degraded": 2, "blocker": 3}
SURENESS: dict[Certainty, int] = {"possible": 0, "likely": 1, "certain": 2}
MOST_LINES = 8
MOSTLY = 0.9


def examine(
    patient: Patient,
    rules: Sequence[Rule],
    opened: frozenset[str] = frozenset(),
    known: Known | None = None,
    signs: Mapping[str, Sequence[Sign]] = SIGNS,
) -> Iterator[Answer]:
    """Give the findings, causes first, then what could not be asked, what is broken, and what stays undetermined.

    ``opened`` are the purposes (build, train, multi-gpu, container) whose checks are silent otherwise. A finding
    that another one of at least its severity explains is folded under that one. ``known`` are the packaged facts
    and tables when it is left out.
    """
    chart = Chart(patient, known or load_known())
    answers = [ask(rule, chart, signs.get(rule.id, ()), opened) for rule in rules]
    found = {answer.id: answer for answer in answers if isinstance(answer, Finding)}
    folded = fold(found, rules)
    yield from folded
    yield from (answer for answer in answers if isinstance(answer, Skipped | Crashed))
    if not any(WEIGHTS[finding.severity] > 1 for finding in folded):
        yield from undetermined(chart)


def verdict(answers: Iterable[Answer], asked: int | None = None) -> Verdict:
    """Say the worst; ``asked`` is the number of rules: when nearly all were skipped, nothing could be told."""
    given = list(answers)
    worst = max((WEIGHTS[answer.severity] for answer in given if isinstance(answer, Finding)), default=0)
    if worst > 1:
        return "blocked" if worst > 2 else "degraded"
    blind = asked is not None and sum(isinstance(answer, Skipped) for answer in given) >= MOSTLY * asked
    if blind or any(not isinstance(answer, Finding | Skipped | Crashed) for answer in given):
        return "undetermined"
    return "advisory" if worst else "healthy"


def ask(rule: Rule, chart: Chart, signs: Sequence[Sign], opened: frozenset[str]) -> Answer | None:
    """Ask one rule: a finding, nothing, or why it could not be told."""
    seen: list[Evidence] = []
    missing: dict[str, None] = {}
    looked = False
    looks = [sign.look for sign in signs if sign.group is None or sign.group in opened]
    looks += [lambda p: printed(rule, p)] if rule.prints else []
    try:
        for look in looks:
            try:
                evidence = look(chart)
                looked = True
            except Missing as gap:
                missing.update(dict.fromkeys(gap.sources))
                continue
            if evidence:
                seen.append(evidence)
        if seen:
            return finding(rule, seen, chart)
    except Exception as error:
        return Crashed(id=rule.id, error=f"{type(error).__name__}: {error}")
    return Skipped(id=rule.id, missing=tuple(missing)) if missing and not looked else None


def printed(rule: Rule, chart: Chart) -> Evidence | None:
    """Look for the messages that programs print when this rule is the cause."""
    lines = [line for pattern in rule.prints if (line := chart.said(pattern))]
    return Evidence(lines=tuple(lines), certainty=rule.certainty) if lines else None


def finding(rule: Rule, seen: Sequence[Evidence], chart: Chart) -> Finding:
    """Put the evidence into the rule's words; the heaviest severity and the greatest certainty count."""
    values = {**common_values(chart), **{name: item for one in reversed(seen) for name, item in one.values.items()}}
    severities = [one.severity or rule.severity for one in seen]
    return Finding(
        id=rule.id,
        severity=max(severities, key=WEIGHTS.__getitem__),
        certainty=max((one.certainty for one in seen), key=SURENESS.__getitem__),
        title=rule.title,
        says=say(rule.says, values),
        place=rule.place,
        evidence=tuple(dict.fromkeys(line for one in seen for line in one.lines))[:MOST_LINES],
        remedy=tuple(fitted(step, values) for step in rule.remedy),
        references=rule.references,
    )


def fitted(step: Remedy, values: Mapping[str, str]) -> Remedy:
    """Fill the driver's version and its branch into a command, where they are known."""
    driver = values.get("driver", "")
    if not step.run or not re.fullmatch(r"\d+(\.\d+)+", driver):
        return step
    run = step.run.replace("<driver version>", driver).replace("<branch>", driver.partition(".")[0])
    return replace(step, run=run)


def say(sentences: Sequence[str], values: Mapping[str, str]) -> str:
    """Fill the first sentence whose values are all known."""
    for sentence in sentences:
        if {name for _, name, _, _ in string.Formatter().parse(sentence) if name} <= values.keys():
            return sentence.format_map(values)
    raise KeyError(f"no sentence can be filled from {sorted(values)}")


def fold(found: Mapping[str, Finding], rules: Sequence[Rule]) -> list[Finding]:
    """Keep the findings that no other one explains, each with what it explains, in the order of the rules."""
    first = {rule.id: rule.rule_out_first for rule in rules}
    causes = {name: _causes(name, found, first) for name in found}
    roots = {name for name in found if not causes[name]}
    explained: dict[str, tuple[str, ...]] = dict.fromkeys(roots, ())
    for name in (rule.id for rule in rules if rule.id in found):
        for cause in causes[name] & roots:
            explained[cause] += (name,)
    return [replace(found[rule.id], explains=explained[rule.id]) for rule in rules if rule.id in roots]


def _causes(name: str, found: Mapping[str, Finding], first: Mapping[str, tuple[str, ...]]) -> set[str]:
    """Give the findings that explain this one, through others too; one of less weight explains nothing."""
    seen: set[str] = set()
    waiting = list(first[name])
    while waiting:
        cause = waiting.pop()
        if cause in found and cause not in seen:
            seen.add(cause)
            waiting.extend(first[cause])
    return {cause for cause in seen if WEIGHTS[found[cause].severity] >= WEIGHTS[found[name].severity]}
