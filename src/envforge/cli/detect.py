"""`envforge detect`: what this machine is, and a recording of it."""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from envforge.cli.asking import named_machines
from envforge.cli.common import Answer, OtherMachines, Talk, command
from envforge.errors import DiskFailed
from envforge.model import Machine
from envforge.report.machine import machine_page
from envforge.report.page import join
from envforge.report.shapes import machine_shape

Record = Annotated[
    Path | None,
    typer.Option(
        "--record",
        envvar="ENVFORGE_RECORD",
        metavar="FILE",
        help="Write the raw readings to a file (`-` for stdout), with names, addresses and secrets taken out.",
    ),
]


@command(
    examples=(
        "envforge detect",
        "envforge detect --record my-machine.yaml",
        "envforge detect --machine my-machine.yaml --json",
    )
)
def detect(talk: Talk, machine: OtherMachines = None, record: Record = None) -> Answer:
    """Say what this machine is: driver, GPUs, system, Pythons; and what could not be read, and why.

    With `--machine` it reads a recording or a profile instead. A recording serves wherever a machine is asked for.
    """
    if machine:
        from envforge.cli.overlays import facts_here

        facts = facts_here()
        return _answer(talk, tuple(each for word in machine for each in named_machines(word, facts)))
    from envforge.detect import assemble, find_interpreters, private_words, take_readings, write_recording
    from envforge.detect import record as recorded

    readings = take_readings(os.environ)
    found = replace(assemble(readings, "this machine"), interpreters=find_interpreters(os.environ))
    if record and str(record) == "-" and talk.json:
        return Answer(
            data={"machine": machine_shape(found), "recording": recorded(readings, private_words(os.environ))}
        )
    if record:
        _write(record, write_recording(readings))
        if str(record) == "-":
            return Answer(data={"recorded": "-"})
        talk.say(f"recorded to `{record}`")
    return _answer(talk, (found,))


def _answer(talk: Talk, machines: tuple[Machine, ...]) -> Answer:
    shapes = [machine_shape(each) for each in machines]
    return Answer(
        data={"machine": shapes[0]} if len(shapes) == 1 else {"machines": shapes},
        page=lambda: join(*(machine_page(each, verbose=talk.verbose > 0) for each in machines)),
    )


def _write(path: Path, text: str) -> None:
    if str(path) == "-":
        sys.stdout.write(text)
        return
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DiskFailed(f"the recording cannot be written: {error.strerror}", (str(path),)) from error
