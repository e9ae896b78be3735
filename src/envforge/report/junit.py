"""Check results and the doctor's answers -> JUnit XML, as CI systems read it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from xml.etree import ElementTree

from envforge.model import Answer, CheckResult, Crashed, Finding, Rule, Skipped, SmokeReport, Undetermined

FAULTS = ("blocker", "degraded")


def junit(report: SmokeReport, deferred: str | None = None) -> str:
    """Write one suite; an inconclusive check is an error, since it proves nothing.

    ``deferred`` says why no check was run: one case, skipped.
    """
    counts = Counter(result.outcome for result in report.results)
    suite = ElementTree.Element(
        "testsuite",
        name="envforge verify",
        tests=str(len(report.results) + bool(deferred)),
        failures=str(counts["fail"]),
        errors=str(counts["inconclusive"]),
        skipped=str(counts["skip"] + bool(deferred)),
        time=f"{sum(result.took_s for result in report.results):.3f}",
        hostname=report.machine,
    )
    if report.when:
        suite.set("timestamp", report.when)
    for result in report.results:
        _case(suite, result)
    if deferred:
        case = ElementTree.SubElement(
            suite, "testcase", classname="envforge.verify.host", name="deferred", time="0.000"
        )
        ElementTree.SubElement(case, "skipped", message=_printable(deferred), type="deferred")
    return _written(suite)


def doctor_junit(answers: Sequence[Answer], rules: Sequence[Rule], machine: str) -> str:
    """Write one case for each rule: a fault fails it, what was found beside is its output; undetermined is an error."""
    by_id: Mapping[str, Answer] = {each.id: each for each in answers if not isinstance(each, Undetermined)}
    suite = ElementTree.Element("testsuite", name="envforge doctor", hostname=machine)
    for rule in rules:
        case = ElementTree.SubElement(suite, "testcase", classname=f"envforge.doctor.{rule.area}", name=rule.id)
        _answered(case, by_id.get(rule.id))
    for each in answers:
        if isinstance(each, Undetermined):
            case = ElementTree.SubElement(suite, "testcase", classname="envforge.doctor", name="undetermined")
            text = f"{', '.join(each.codes)}: {' '.join(each.questions)}"
            ElementTree.SubElement(case, "error", message=_printable(text), type="undetermined")
    counts = Counter(child.tag for case in suite for child in case)
    suite.set("tests", str(len(suite)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(counts[tag]))
    return _written(suite)


def _answered(case: ElementTree.Element, answer: Answer | None) -> None:
    if isinstance(answer, Finding) and answer.severity in FAULTS:
        tag = ElementTree.SubElement(case, "failure", message=_printable(answer.says), type=answer.severity)
        tag.text = _printable("\n".join(answer.evidence))
    elif isinstance(answer, Finding):
        ElementTree.SubElement(case, "system-out").text = _printable(answer.says)
    elif isinstance(answer, Skipped):
        ElementTree.SubElement(case, "skipped", message=f"no reading of {', '.join(answer.missing)}")
    elif isinstance(answer, Crashed):
        ElementTree.SubElement(case, "error", message=_printable(answer.error), type="crashed")


def _written(suite: ElementTree.Element) -> str:
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, result: CheckResult) -> None:
    where = f"envforge.verify.{result.device or 'host'}"
    case = ElementTree.SubElement(suite, "testcase", classname=where, name=result.check, time=f"{result.took_s:.3f}")
    tag = {"fail": "failure", "inconclusive": "error", "skip": "skipped"}.get(result.outcome)
    if tag:
        ElementTree.SubElement(case, tag, message=_printable(result.detail), type=result.code or result.outcome)
    elif result.code:
        ElementTree.SubElement(case, "system-out").text = _printable(f"{result.code}: {result.detail}")


def _printable(text: str) -> str:
    """Take out what XML 1.0 cannot carry."""
    return re.sub("[^\t\n\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", text)
