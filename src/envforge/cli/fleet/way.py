"""The flags that all fleet commands share: which nodes, how they are reached, how long, and where the report goes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from envforge.cli.common import Answer, Talk, command
from envforge.model import value


class QueueName(StrEnum):
    """Which queue takes jobs, and what each job is."""

    SLURM = "slurm"
    DASK_SLURM = "dask-slurm"
    DASK_PBS = "dask-pbs"
    DASK_LSF = "dask-lsf"


Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler", envvar="ENVFORGE_SCHEDULER", metavar="ADDR", help="Ask the workers of a Dask scheduler."
    ),
]
Local = Annotated[
    int | None,
    typer.Option("--local", envvar="ENVFORGE_LOCAL", metavar="N", min=1, help="Play N nodes on this machine."),
]
Ssh = Annotated[
    str | None,
    typer.Option(
        "--ssh", envvar="ENVFORGE_SSH", metavar="HOSTS", help="Start a worker on hosts over SSH: `node[01-16],gpu1`."
    ),
]
Queue = Annotated[
    QueueName | None,
    typer.Option(
        "--queue",
        envvar="ENVFORGE_QUEUE",
        help="Submit a job for each node: Slurm's own, or one that is a worker of Dask, in Slurm, PBS or LSF.",
    ),
]
Directives = Annotated[
    list[str] | None,
    typer.Option(
        "--directive",
        envvar="ENVFORGE_DIRECTIVE",
        metavar="WORDS",
        help="A line of each job's script, `--partition=gpu`; repeat it for more.",
    ),
]
Interface = Annotated[
    str | None,
    typer.Option(
        "--interface",
        envvar="ENVFORGE_INTERFACE",
        metavar="NAME",
        help="The network by which workers of Dask reach this host, `ib0`.",
    ),
]
Expect = Annotated[
    str | None,
    typer.Option(
        "--expect",
        envvar="ENVFORGE_EXPECT",
        metavar="NODES",
        help="The nodes that must answer, `node[01-16]`; default: those that are there.",
    ),
]
Deadline = Annotated[
    float | None,
    typer.Option(
        "--deadline", envvar="ENVFORGE_DEADLINE", metavar="SECONDS", min=1.0, help="Wait no longer for the nodes."
    ),
]
Retries = Annotated[
    int,
    typer.Option(
        "--retries", envvar="ENVFORGE_RETRIES", metavar="N", min=0, help="Begin again N times, on the same node."
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report",
        envvar="ENVFORGE_REPORT",
        metavar="DIR",
        help="Keep what nodes answer here; run again, only nodes without an answer are asked.",
    ),
]
Again = Annotated[bool, typer.Option("--again", envvar="ENVFORGE_AGAIN", help="Ask the nodes that answered, too.")]
NODE_ENVIRONMENT = typer.Argument(
    metavar="ENV",
    envvar="ENVFORGE_ENV",
    help="The environment on each node, a name or a prefix; `{node}` is its name.",
)
NodeEnvironment = Annotated[str, NODE_ENVIRONMENT]
MaybeNodeEnvironment = Annotated[str | None, NODE_ENVIRONMENT]


@value
class Way:
    """What was said of the nodes and how to ask them."""

    scheduler: str | None
    local: int | None
    ssh: str | None
    queue: QueueName | None
    directives: tuple[str, ...]
    interface: str | None
    expect: str | None
    deadline_s: float | None
    retries: int
    report: Path | None
    again: bool

    @property
    def engines(self) -> tuple[str, ...]:
        """The flags that were given of those that say how nodes are reached, of which one may be."""
        return tuple(name for name in ("scheduler", "local", "ssh", "queue") if getattr(self, name))


def _flags(
    scheduler: Scheduler = None,
    local: Local = None,
    ssh: Ssh = None,
    queue: Queue = None,
    directive: Directives = None,
    interface: Interface = None,
    expect: Expect = None,
    deadline: Deadline = None,
    retries: Retries = 1,
    report: Report = None,
    again: Again = False,
) -> None:
    """Carry the signature of the shared flags."""


def fleet_command(
    name: str, *, examples: Sequence[str] = ()
) -> Callable[[Callable[..., Answer | int]], Callable[..., int]]:
    """Make a fleet's command of a function whose first parameters are its `Talk` and its `Way`."""

    def make(work: Callable[..., Answer | int]) -> Callable[..., int]:
        def run(talk: Talk, **given: Any) -> Answer | int:
            return work(talk, _way(given), **given)

        _show_flags(run, work)
        return command(name=name, examples=examples)(run)

    return make


def _way(given: dict[str, Any]) -> Way:
    """Take the shared flags out of what was given."""
    taken = {name: given.pop(name) for name in inspect.signature(_flags).parameters}
    deadline_s, report, directives = (taken.pop(name) for name in ("deadline", "report", "directive"))
    where = report and report.absolute()
    return Way(**taken, deadline_s=deadline_s, report=where, directives=tuple(directives or ()))


def _show_flags(run: Callable[..., Answer | int], work: Callable[..., Answer | int]) -> None:
    """Give ``run`` the signature that `command` reads: the work's own parameters, then the shared ones."""
    first, _, *own = inspect.signature(work).parameters.values()
    shared = inspect.signature(_flags).parameters.values()
    hints = get_type_hints(work, include_extras=True) | get_type_hints(_flags, include_extras=True)
    listed = [each.replace(annotation=hints[each.name], kind=each.KEYWORD_ONLY) for each in (*own, *shared)]
    run.__signature__ = inspect.Signature([first.replace(annotation=Talk), *listed])  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in listed}
    run.__doc__, run.__name__ = work.__doc__, work.__name__
