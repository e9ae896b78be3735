"""Results -> GitHub's workflow commands: annotations on the run, and a step summary in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from envforge.errors import EnvforgeError
from envforge.model import Answer, CheckResult, Crashed, Finding, SmokeReport, Undetermined
from envforge.report.errors import every

LEVELS = {"fail": "error", "inconclusive": "warning"}

SEVERITIES = {"blocker": "error", "degraded": "warning", "advisory": "notice", "info": "notice"}


def answer_annotations(answers: Iterable[Answer]) -> Iterator[str]:
    """Give one annotation for each finding of the doctor, with its first remedies, and for what stays undetermined."""
    for each in answers:
        if isinstance(each, Finding):
            steps = (step.text + (f": {step.run}" if step.run else "") for step in each.remedy[:2])
            text = "\n".join((each.says, *(f"hint: {step}" for step in steps)))
            yield _annotation(SEVERITIES[each.severity], f"envforge doctor: {each.id} ({each.certainty})", text)
        elif isinstance(each, Undetermined):
            text = "\n".join((", ".join(each.codes), *each.questions))
            yield _annotation("warning", "envforge doctor: undetermined", text)
        elif isinstance(each, Crashed):
            yield _annotation("warning", f"envforge doctor: {each.id} is broken", each.error)


def result_annotations(report: SmokeReport) -> Iterator[str]:
    """Give one annotation for each check that failed, could not tell, or passed with a warning."""
    for result in report.results:
        noted = "warning" if result.outcome == "pass" and result.code else None
        if level := LEVELS.get(result.outcome, noted):
            place = f" on {result.device}" if result.device else ""
            yield _annotation(level, f"envforge: {result.check}{place}", result.detail or result.outcome)


def error_annotations(error: EnvforgeError) -> Iterator[str]:
    """Give one annotation for each error, on the line of the file that it names."""
    for each in every(error):
        text = "\n".join((each.message, *each.where, *(f"hint: {hint}" for hint in each.hints)))
        yield _annotation("error", "envforge", text, each.where[0] if each.where else "")


def deferred_annotation(why: str) -> str:
    """Give the annotation of checks that are left to another machine."""
    return _annotation("notice", "envforge: not verified yet", why)


def summary(report: SmokeReport, deferred: str | None = None) -> str:
    """Write the step summary: the verdict, and a table of the checks; ``deferred`` says why there are none."""
    if deferred:
        return f"### envforge verify: deferred\n\nNot verified on {report.machine}: {deferred}\n"
    torch = f"torch {report.torch or 'absent'}, CUDA {report.cuda or 'none'}"
    rows = "".join(f"| {_row(result)} |\n" for result in report.results)
    head = f"### envforge verify: {report.verdict}\n\n{torch}, on {report.machine}\n\n"
    return f"{head}| check | device | outcome | detail |\n|---|---|---|---|\n{rows}"


def doctor_summary(said: str, answers: Iterable[Answer], machine: str) -> str:
    """Write the step summary of an examination: the verdict, and a table of the findings."""
    found = [each for each in answers if isinstance(each, Finding)]
    rows = "".join(f"| {_cells(each.id, each.severity, each.certainty, each.says)} |\n" for each in found)
    table = f"| finding | severity | certainty | |\n|---|---|---|---|\n{rows}" if found else "No finding.\n"
    return f"### envforge doctor: {said}\n\nOn {machine}\n\n{table}"


def _row(result: CheckResult) -> str:
    return _cells(result.check, result.device or "", result.outcome, result.detail)


def _cells(*cells: str) -> str:
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
