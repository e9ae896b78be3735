"""What checks saw, as a page: one line per check, failures with what they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final

from envforge.model import CheckResult, SmokeReport
from envforge.report.page import Line, Page, Style, join, spans

MARKS: Final[dict[str, tuple[Style, str]]] = {
    "pass": ("good", "✓"),
    "fail": ("bad", "✗"),
    "skip": ("quiet", "–"),
    "inconclusive": ("warn", "?"),
}
VERDICTS: Final[dict[str, tuple[Style, str]]] = {
    "pass": ("good", "proven to run here"),
    "fail": ("bad", "does not run here"),
    "inconclusive": ("warn", "could not be proven"),
}


def verify_page(report: SmokeReport, *, verbose: bool = False) -> Page:
    """Say the verdict and every result; ``verbose`` adds what was measured."""
    return join(_head(report), tuple(line for each in report.results for line in _result(each, verbose)), _foot(report))


def _head(report: SmokeReport) -> Page:
    torch = f"torch {report.torch}" if report.torch else "no torch"
    build = f" with CUDA {report.cuda}" if report.cuda else " for the CPU" if report.torch else ""
    return (Line(body=(("title", f"{torch}{build}"), ("quiet", f"  on {report.machine}, {report.python}"))),)


def _result(result: CheckResult, verbose: bool) -> Iterator[Line]:
    style, mark = MARKS[result.outcome]
    place = f" on {result.device}" if result.device else ""
    took = f"  {result.took_s:.2f} s" if result.took_s >= 0.005 else ""
    name: Style = "" if result.outcome == "pass" else style
    yield Line(label=((style, mark),), body=((name, f"{result.check}{place}"), ("quiet", took)), width=2, indent=2)
    if result.detail and (verbose or result.outcome != "pass"):
        code = f" (`{result.code}`)" if result.code else ""
        yield Line(body=spans(result.detail + code), indent=6)
    for name_, amount in result.measured.items() if verbose else ():
        yield Line(body=(("quiet", f"{name_} = {amount}"),), indent=6)


def _foot(report: SmokeReport) -> Page:
    counts = Counter(result.outcome for result in report.results)
    counted = ", ".join(f"{count} {outcome}" for outcome, count in counts.items())
    style, words = VERDICTS[report.verdict]
    return (Line(body=((style, words), ("quiet", f"  ({counted})"))),)
