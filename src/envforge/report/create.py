"""What `create` did, or would do, and how to use it, as a page."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from envforge.model import Environment
from envforge.report.page import Line, Page, command, join, prose, row, title
from envforge.report.plan import candidate_text
from envforge.report.verify import VERDICTS

LABELS = 8


def created_page(
    environment: Environment, lock: Path, *, changed: bool, inside: bool, program: str = "envforge"
) -> Page:
    """Say what stands where, whether it is proven, and how to be in it.

    ``inside``: it stands among the environments that are found by name. ``program`` is what starts envforge.
    """
    report = environment.verified
    style, words = VERDICTS[report.verdict] if report else ("warn", "not checked on this machine")
    done = "is ready" if report and report.verdict == "pass" else "stands, but is not ready"
    head = Line(
        body=(("title", environment.name), ("", f" {done}{'' if changed else ' (nothing changed)'}: "), (style, words))
    )
    rows = (
        row("torch", candidate_text(environment.section.candidate), width=LABELS),
        row("prefix", str(environment.prefix), width=LABELS),
        row("lock", str(lock), width=LABELS),
    )
    return join(
        (head, *rows), (title("Use it"), *(command(line) for line in uses(environment, inside=inside, program=program)))
    )


def uses(environment: Environment, *, inside: bool, program: str) -> tuple[str, ...]:
    """Give the command lines that lead into an environment."""
    where = f"-n {environment.name}" if inside else f"-p {quote(str(environment.prefix))}"
    start = quote(program)
    return f"{start} run {where} python ...", f"{start} shell {where}", f'eval "$({start} shell {where} --print)"'


def would_create_page(prefix: Path, lock: Path | None, packages: int) -> Page:
    """Say what would be written."""
    first = (prose(f"would write `{lock}`"),) if lock else ()
    return (*first, prose(f"would install {packages} packages at `{prefix}`"), prose("nothing was written", "quiet"))
