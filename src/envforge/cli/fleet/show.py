"""`envforge fleet`: a report again, and no node asked."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envforge.cli.common import command
from envforge.cli.fleet.kept_report import read_kept
from envforge.cli.talk import Answer, Talk
from envforge.report.fleet import fleet_page
from envforge.report.page import join

Kept = Annotated[Path, typer.Argument(metavar="DIR", envvar="ENVFORGE_REPORT", help="The report's folder.")]


@command(examples=("envforge fleet /shared/fleet", "envforge fleet /shared/fleet --json | jq '.data.steps[].counts'"))
def fleet(talk: Talk, report: Kept) -> Answer:
    """Show what a fleet's report holds, each step; ask no node.

    `fleet detect`, `fleet plan`, `fleet create`, `fleet verify` and `fleet doctor` make it.
    """
    shapes = read_kept(report)
    verbose = talk.verbose > 0
    return Answer(data={"steps": shapes}, page=lambda: join(*(fleet_page(each, verbose=verbose) for each in shapes)))
