"""What a report says, in the form that tests compare."""

from envforge.model import SmokeReport


def said(report: SmokeReport) -> dict[str, tuple[str, str | None]]:
    """Give outcome and code by check."""
    return {result.check: (result.outcome, result.code) for result in report.results}
