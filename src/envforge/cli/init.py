"""`envforge init`: a spec to start from, checked against this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from envforge.cli.asking import read_machines
from envforge.cli.common import Answer, Machines, Offline, Talk, command
from envforge.cli.deciding import decide
from envforge.cli.overlays import facts_here
from envforge.errors import DiskFailed, UsageError
from envforge.report.page import Page, join, prose
from envforge.report.page import command as to_copy
from envforge.report.plan import plan_page
from envforge.report.shapes import plan_shape
from envforge.spec import parse_spec
from envforge.wire import write_yaml

File = Annotated[Path, typer.Argument(metavar="SPEC", help="The file to write.")]
Torch = Annotated[
    str | None,
    typer.Option(
        "--torch", envvar="ENVFORGE_TORCH", metavar="VERSIONS", help="Versions of torch, `2.8.*` or `>=2.6,<3`."
    ),
]
Python = Annotated[
    str | None,
    typer.Option("--python-version", envvar="ENVFORGE_PYTHON_VERSION", metavar="VERSIONS", help="Versions of Python."),
]
Cuda = Annotated[
    str | None,
    typer.Option(
        "--cuda",
        envvar="ENVFORGE_CUDA",
        metavar="VERSIONS",
        help="CUDA that torch is built for; `none` for a CPU build.",
    ),
]
With = Annotated[
    list[str] | None, typer.Option("--with", envvar="ENVFORGE_WITH", metavar="NAME", help="A companion of torch.")
]
Wheel = Annotated[
    list[str] | None, typer.Option("--wheel", envvar="ENVFORGE_WHEEL", metavar="REQUIREMENT", help="A wheel.")
]
Conda = Annotated[
    list[str] | None, typer.Option("--conda", envvar="ENVFORGE_CONDA", metavar="SPEC", help="A conda package.")
]


@command(
    examples=(
        "envforge init vision.yaml --with torchvision --wheel timm",
        "envforge init old.yaml --cuda '>=11.8,<13' --machine cluster.yaml",
    )
)
def init(
    talk: Talk,
    spec: File,
    torch: Torch = None,
    python_version: Python = None,
    cuda: Cuda = None,
    companion: With = None,
    wheel: Wheel = None,
    conda: Conda = None,
    machine: Machines = None,
    offline: Offline = False,
) -> Answer:
    """Write a small spec and show what it would choose; an existing file is never touched.

    What is not asked for is left out of the spec, so that envforge goes on choosing it.
    """
    asked = {"torch": torch, "python": python_version, "with": companion, "cuda": cuda, "conda": conda, "wheels": wheel}
    text = write_yaml({key: given for key, given in asked.items() if given} or {"cuda": "auto"})
    parsed, facts = parse_spec(text, str(spec)), facts_here()
    machines = read_machines(machine, parsed, None, facts)
    _write(spec, text)
    decided = decide(talk, parsed, machines, facts, ask_all=False, offline=offline)
    names = [each.name for each in machines]
    plan = plan_shape(str(spec), names, decided.outcome, covers=decided.covers)
    return Answer(
        data={"spec": str(spec), "plan": plan},
        page=lambda: join(
            plan_page(parsed.name, machines, decided.outcome, covers=decided.covers, verbose=talk.verbose > 0),
            _next(spec, well=decided.serves_all),
        ),
        exit=0 if decided.serves_all else 1,
    )


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"`{path}` is there already", (str(path),), ("choose another name",)) from None
    except OSError as error:
        raise DiskFailed(f"`{path}` cannot be written: {error.strerror}", (str(path),)) from error


def _next(path: Path, *, well: bool) -> Page:
    said = prose(f"wrote `{path}`")
    return (said, to_copy(f"envforge create {path}")) if well else (said,)
