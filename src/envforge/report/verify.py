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
NOTED: Final[tuple[Style, str]] = ("warn", "!")
VERDICTS: Final[dict[str, tuple[Style, str]]] = {
    "pass": ("good", "proven to run here"),
    "fail": ("bad", "does not run here"),
    "inconclusive": ("warn", "could not be proven"),
}


def verify_page(report: SmokeReport, *, verbose: bool = False) -> Page:
    """Say the verdict and every result; checks that were skipped for one reason share a line.

    ``verbose`` shows each of them, and adds what was measured.
    """
    folded = {} if verbose else _folded(report)
    shown = (each for each in report.results if _reason(each) not in folded)
    lines = (line for each in shown for line in _result(each, verbose))
    skipped = (line for reason, names in folded.items() for line in _skipped(reason, names))
    return join(_head(report), (*lines, *skipped), _foot(report))


def place_text(report: SmokeReport) -> str:
    """Say what the checks ran on, ``2 × NVIDIA H100 80GB HBM3, driver 580.65.06``; the machine's name if unknown."""
    counted = Counter(report.devices)
    named = [f"{count} × {name}" if count > 1 else name for name, count in counted.items()]
    return ", ".join([*named, *([f"driver {report.driver}"] if report.driver else [])]) or report.machine


def _reason(result: CheckResult) -> tuple[str, str] | None:
    return (result.code or "", result.detail) if result.outcome == "skip" else None


def _folded(report: SmokeReport) -> dict[tuple[str, str], list[str]]:
    """Give the reasons that several checks were skipped for, with the checks."""
    found: dict[tuple[str, str], list[str]] = {}
    for result in report.results:
        if reason := _reason(result):
            found.setdefault(reason, []).append(result.check)
    return {reason: list(dict.fromkeys(names)) for reason, names in found.items() if len(names) > 1}


def _skipped(reason: tuple[str, str], names: list[str]) -> Iterator[Line]:
    style, mark = MARKS["skip"]
    code = f" (`{reason[0]}`)" if reason[0] else ""
    text = spans(f"{len(names)} checks skipped: {reason[1]}{code}", "quiet")
    yield Line(label=((style, mark),), body=text, width=2, indent=2)
    if reason[0] != "S_NO_TORCH":
        yield Line(body=(("quiet", ", ".join(names)),), indent=6)


def _head(report: SmokeReport) -> Page:
    torch = f"torch {report.torch}" if report.torch else _what_lacks(report)
    build = f" with CUDA {report.cuda}" if report.cuda else " for the CPU" if report.torch else ""
    python = f", Python {report.python}" if report.python[:1].isdigit() else f", `{report.python}`"
    return (Line(body=(("title", f"{torch}{build}"), ("quiet", f"  on {place_text(report)}{python}"))),)


def _what_lacks(report: SmokeReport) -> str:
    """Say how far it came where no torch answered."""
    codes = {each.code for each in report.results}
    if "E_NO_PYTHON" in codes:
        return "no Python"
    return "no torch" if "E_NO_TORCH" in codes or not report.results else "a torch that does not import"


def _result(result: CheckResult, verbose: bool) -> Iterator[Line]:
    style, mark = NOTED if result.outcome == "pass" and result.code else MARKS[result.outcome]
    place = f" on {result.device}" if result.device else ""
    took = f"  {result.took_s:.2f} s" if result.took_s >= 0.005 else ""
    name: Style = "" if style == "good" else style
    yield Line(label=((style, mark),), body=((name, f"{result.check}{place}"), ("quiet", took)), width=2, indent=2)
    if result.detail and (verbose or result.outcome != "pass" or result.code):
        code = f" (`{result.code}`)" if result.code else ""
        yield Line(body=spans(result.detail + code), indent=6)
    for name_, amount in result.measured.items() if verbose else ():
        yield Line(body=(("quiet", f"{name_} = {amount}"),), indent=6)


def _used_gpu(report: SmokeReport) -> bool:
    return not any(result.device in ("cpu", "mps") for result in report.results)


def _foot(report: SmokeReport) -> Page:
    counts = Counter(result.outcome for result in report.results)
    noted = sum(1 for result in report.results if result.outcome == "pass" and result.code)
    words = [f"{count} {outcome}" for outcome, count in counts.items()]
    counted = ", ".join([*words, *([f"{noted} with a warning"] if noted else [])])
    style, verdict = VERDICTS[report.verdict]
    if report.verdict == "pass" and report.cuda and not _used_gpu(report):
        verdict = f"{verdict}, on the CPU alone"
    return (Line(body=((style, verdict), ("quiet", f"  ({counted})"))),)
