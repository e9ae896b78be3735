"""Check results -> JUnit XML, as CI systems read it."""

from __future__ import annotations

from collections import Counter
from xml.etree import ElementTree

from envforge.model import CheckResult, SmokeReport


def junit(report: SmokeReport) -> str:
    """Write one suite; an inconclusive check is an error, since it proves nothing."""
    counts = Counter(result.outcome for result in report.results)
    suite = ElementTree.Element(
        "testsuite",
        name="envforge verify",
        tests=str(len(report.results)),
        failures=str(counts["fail"]),
        errors=str(counts["inconclusive"]),
        skipped=str(counts["skip"]),
        time=f"{sum(result.took_s for result in report.results):.3f}",
        hostname=report.machine,
    )
    if report.when:
        suite.set("timestamp", report.when)
    for result in report.results:
        _case(suite, result)
    ElementTree.indent(suite)
    return ElementTree.tostring(suite, encoding="unicode", xml_declaration=True) + "\n"


def _case(suite: ElementTree.Element, result: CheckResult) -> None:
    where = f"envforge.verify.{result.device or 'host'}"
    case = ElementTree.SubElement(suite, "testcase", classname=where, name=result.check, time=f"{result.took_s:.3f}")
    tag = {"fail": "failure", "inconclusive": "error", "skip": "skipped"}.get(result.outcome)
    if tag:
        ElementTree.SubElement(case, tag, message=_printable(result.detail), type=result.code or result.outcome)


def _printable(text: str) -> str:
    """Take out what XML 1.0 cannot carry."""
    return "".join(letter for letter in text if letter in "\t\n" or letter >= " ")
