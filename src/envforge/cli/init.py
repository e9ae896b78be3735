"""`envforge init`: a spec to start from, asked for or given by flags, checked against this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from envforge.cli.asking import read_machines, this_machine
from envforge.cli.common import Answer, Machines, Offline, Talk, Yes, command
from envforge.cli.deciding import decide
from envforge.cli.overlays import facts_here
from envforge.cli.questions import Asked, ask, may_ask
from envforge.errors import DiskFailed, UsageError
from envforge.facts import Facts
from envforge.model import Dotted, Driver, Gpu, Machine
from envforge.report.page import Page, join, prose
from envforge.report.page import command as to_copy
from envforge.report.plan import plan_page
from envforge.report.shapes import plan_shape
from envforge.spec import parse_spec
from envforge.wire import write_yaml

USUAL_SUBDIR = "linux-64"
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
    list[str] | None,
    typer.Option(
        "--with",
        envvar="ENVFORGE_WITH",
        metavar="NAME",
        help="A companion of torch, `torchvision`; repeat it for more.",
    ),
]
Wheel = Annotated[
    list[str] | None,
    typer.Option(
        "--wheel", envvar="ENVFORGE_WHEEL", metavar="REQUIREMENT", help="A wheel, `timm>=1`; repeat it for more."
    ),
]
Conda = Annotated[
    list[str] | None,
    typer.Option(
        "--conda", envvar="ENVFORGE_CONDA", metavar="SPEC", help="A conda package, `ffmpeg`; repeat it for more."
    ),
]


Here = Annotated[
    str | None,
    typer.Option(
        "--here", envvar="ENVFORGE_HERE", metavar="NAME", help="Put this machine down as a target of this name."
    ),
]


@command(
    examples=(
        "envforge init vision.yaml",
        "envforge init vision.yaml --with torchvision --wheel timm",
        "envforge init vision.yaml --here workstation",
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
    here: Here = None,
    machine: Machines = None,
    offline: Offline = False,
    yes: Yes = False,
) -> Answer:
    """Write a small spec and show what it would choose; an existing file is never touched.

    What is not asked for is left out of the spec, so that envforge goes on choosing it. On a terminal, and without
    flags that say what the spec should have, it asks.
    """
    _refuse_existing(spec)
    asked: Asked = {
        "torch": torch,
        "python": python_version,
        "with": companion,
        "cuda": cuda,
        "conda": conda,
        "wheels": wheel,
    }
    if not any(asked.values()) and not here and not yes and may_ask(talk):
        asked = ask()
    facts = facts_here()
    targets = {"targets": {here: _profile(this_machine(), facts)}} if here else {}
    text = write_yaml({**{key: given for key, given in asked.items() if given}, **targets} or {"cuda": "auto"})
    parsed = parse_spec(text, str(spec))
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


def _refuse_existing(path: Path) -> None:
    """Raise UsageError when a file is there: before anybody is asked anything."""
    if path.exists():
        raise UsageError(f"`{path}` is there already", (str(path),), ("choose another name",))


def _profile(machine: Machine, facts: Facts) -> dict[str, Any]:
    """Write a machine as people write one under `targets`; what could not be told is left out."""
    driver = str(machine.driver.version) if isinstance(machine.driver, Driver) else None
    told = {
        "driver": driver,
        "gpus": None if machine.gpus is None else [_card(gpu, facts) for gpu in machine.gpus],
        "glibc": str(machine.glibc) if isinstance(machine.glibc, Dotted) else None,
        "subdir": machine.subdir if machine.subdir != USUAL_SUBDIR else None,
    }
    return {key: each for key, each in told.items() if each is not None}


def _card(gpu: Gpu, facts: Facts) -> Any:
    if gpu.name and facts.card(gpu.name):
        return gpu.name
    named = {"name": gpu.name, "capability": str(gpu.compute_capability) if gpu.compute_capability else None}
    return {key: each for key, each in named.items() if each}


def _write(path: Path, text: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise DiskFailed(f"`{path}` cannot be written: {error.strerror}", (str(path),)) from error


def _next(path: Path, *, well: bool) -> Page:
    said = prose(f"wrote `{path}`")
    return (said, to_copy(f"envforge create {path}")) if well else (said,)
