"""What `create` did, or would do, and how to use it, as a page."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from envforge.model import Environment, SmokeReport, Warned
from envforge.report.page import Line, Page, command, item, join, prose, row, title
from envforge.report.plan import candidate_text, warnings_page
from envforge.report.verify import VERDICTS

LABELS = 8


def created_page(
    environment: Environment,
    lock: Path,
    *,
    changed: bool,
    inside: bool,
    program: str = "envforge",
    tries: tuple[tuple[str, str], ...] = (),
    warnings: tuple[Warned, ...] = (),
) -> Page:
    """Say what stands where, whether it is proven, and how to be in it.

    ``inside``: it stands among the environments that are found by name. ``program`` is what starts envforge.
    ``tries`` are the candidates whose checks failed, and why; ``warnings`` those of a choice that was just made.
    """
    report = environment.verified
    style, words = VERDICTS[report.verdict] if report else ("warn", "not checked on this machine")
    done = "stands" if report is None else "is ready" if report.verdict == "pass" else "stands, but is not ready"
    head = Line(
        body=(("title", environment.name), ("", f" {done}{'' if changed else ' (nothing changed)'}: "), (style, words))
    )
    rows = (
        row("torch", candidate_text(environment.section.candidate), width=LABELS),
        row("prefix", str(environment.prefix), width=LABELS),
        row("lock", str(lock), width=LABELS),
    )
    failed = [line for what, why in tries for line in (item(what, mark="✗", style="bad"), prose(why, indent=4))]
    use = (title("Use it"), *(command(line) for line in uses(environment, inside=inside, program=program)))
    failures = (title("Failed here"), *failed) if tries else ()
    return join((head, *rows), failures, warnings_page(warnings), use if _serves(report) else ())


def _serves(report: SmokeReport | None) -> bool:
    return report is None or report.verdict != "fail"


def uses(environment: Environment, *, inside: bool, program: str) -> tuple[str, ...]:
    """Give the command lines that lead into an environment."""
    where = f"-n {environment.name}" if inside else f"-p {quote(str(environment.prefix))}"
    start = quote(program)
    return f"{start} run {where} python ...", f"{start} shell {where}", f'eval "$({start} shell {where} --print)"'


def would_create_page(prefix: Path, lock: Path | None, packages: int) -> Page:
    """Say what would be written."""
    first = (prose(f"would write `{lock}`"),) if lock else ()
    return (*first, prose(f"would install {packages} packages at `{prefix}`"), prose("nothing was written", "quiet"))
