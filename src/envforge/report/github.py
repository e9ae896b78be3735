"""Results -> GitHub's workflow commands: annotations on the run, and a step summary in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from envforge.errors import EnvforgeError
from envforge.model import CheckResult, SmokeReport
from envforge.report.errors import every

LEVELS = {"fail": "error", "inconclusive": "warning"}


def result_annotations(report: SmokeReport) -> Iterator[str]:
    """Give one annotation for each check that failed or could not tell."""
    for result in report.results:
        if level := LEVELS.get(result.outcome):
            place = f" on {result.device}" if result.device else ""
            yield _annotation(level, f"envforge: {result.check}{place}", result.detail or result.outcome)


def error_annotations(error: EnvforgeError) -> Iterator[str]:
    """Give one annotation for each error, on the line of the file that it names."""
    for each in every(error):
        text = "\n".join((each.message, *each.where, *(f"hint: {hint}" for hint in each.hints)))
        yield _annotation("error", "envforge", text, each.where[0] if each.where else "")


def summary(report: SmokeReport) -> str:
    """Write the step summary: the verdict, and a table of the checks."""
    torch = f"torch {report.torch or 'absent'}, CUDA {report.cuda or 'none'}"
    rows = "".join(f"| {_row(result)} |\n" for result in report.results)
    head = f"### envforge verify: {report.verdict}\n\n{torch}, on {report.machine}\n\n"
    return f"{head}| check | device | outcome | detail |\n|---|---|---|---|\n{rows}"


def _row(result: CheckResult) -> str:
    cells = (result.check, result.device or "", result.outcome, result.detail)
    return " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells)


def _annotation(level: str, title: str, text: str, where: str = "") -> str:
    """Write a workflow command, escaped as GitHub wants it (``%``, line ends; ``:`` and ``,`` in properties)."""
    path, _, place = where.partition(":")
    line = place.partition(":")[0]
    properties = {"file": path, "line": line, "title": title} if line.isdigit() else {"title": title}
    shown = ",".join(f"{key}={_escaped(value, ':,')}" for key, value in properties.items())
    return f"::{level} {shown}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    text = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    for letter in more:
        text = text.replace(letter, f"%{ord(letter):02X}")
    return text
