"""The flags that several commands share, as annotated types: one spelling, one variable, one sentence each."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from envforge.cli.completing import environment_names, spec_files, target_names


class Color(StrEnum):
    """When to colour."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class EngineName(StrEnum):
    """Who solves and installs conda packages."""

    AUTO = "auto"
    RATTLER = "rattler"
    MICROMAMBA = "micromamba"
    MAMBA = "mamba"
    CONDA = "conda"


SPEC = typer.Argument(
    metavar="SPEC",
    envvar="ENVFORGE_SPEC",
    help="The spec, a YAML file.",
    show_default=False,
    autocompletion=spec_files,
)
SpecFile = Annotated[Path, SPEC]
MaybeSpecFile = Annotated[Path | None, SPEC]
SpecFiles = Annotated[
    list[Path],
    typer.Argument(metavar="SPEC...", help="Specs, YAML files.", show_default=False, autocompletion=spec_files),
]
MaybeEnvironment = Annotated[
    str | None,
    typer.Argument(
        metavar="ENV",
        envvar="ENVFORGE_ENV",
        help="An environment's name, or the path of its prefix.",
        autocompletion=environment_names,
    ),
]


def _name(text: str) -> Any:
    return typer.Option(
        "-n", "--name", envvar="ENVFORGE_NAME", metavar="NAME", help=text, autocompletion=environment_names
    )


def _prefix(text: str) -> Any:
    return typer.Option("-p", "--prefix", envvar="ENVFORGE_PREFIX", metavar="DIR", help=text)


def _machine(text: str) -> Any:
    return typer.Option("--machine", envvar="ENVFORGE_MACHINE", metavar="FILE", autocompletion=spec_files, help=text)


Name = Annotated[str | None, _name("Name of the environment; default: the spec's.")]
Prefix = Annotated[Path | None, _prefix("Where the environment goes.")]
GivenName = Annotated[str | None, _name("The environment of this name.")]
GivenPrefix = Annotated[Path | None, _prefix("The environment at this prefix.")]
Machines = Annotated[
    list[str] | None,
    _machine("Decide for this machine (a recording, a profile, or an inline profile); may be given several times."),
]
OtherMachines = Annotated[list[str] | None, _machine("Read another machine, not this one: a recording or a profile.")]
Target = Annotated[
    str | None,
    typer.Option(
        "--target",
        envvar="ENVFORGE_TARGET",
        metavar="NAME",
        help="Use this target of the spec, not this machine.",
        autocompletion=target_names,
    ),
]
Engine = Annotated[
    EngineName, typer.Option("--engine", envvar="ENVFORGE_ENGINE", help="Who solves and installs conda packages.")
]
Channels = Annotated[
    list[str] | None,
    typer.Option(
        "--channel",
        envvar="ENVFORGE_CHANNEL",
        metavar="URL",
        help="Conda channel, instead of the spec's; repeat it for more.",
    ),
]
Indexes = Annotated[
    list[str] | None,
    typer.Option(
        "--index-url",
        envvar="ENVFORGE_INDEX_URL",
        metavar="URL",
        help="Wheel index, instead of the spec's; repeat it for more.",
    ),
]
FindLinks = Annotated[
    list[str] | None,
    typer.Option(
        "--find-links",
        envvar="ENVFORGE_FIND_LINKS",
        metavar="DIR",
        help="Look for wheels here too, in a directory or on a page; repeat it for more.",
    ),
]
Locked = Annotated[
    bool, typer.Option("--locked", envvar="ENVFORGE_LOCKED", help="Fail (exit 4) if the lock does not fit the spec.")
]
Frozen = Annotated[
    bool, typer.Option("--frozen", envvar="ENVFORGE_FROZEN", help="Use the lock as it is; do not look whether it fits.")
]
Offline = Annotated[bool, typer.Option("--offline", envvar="ENVFORGE_OFFLINE", help="Use no network.")]
DryRun = Annotated[bool, typer.Option("--dry-run", envvar="ENVFORGE_DRY_RUN", help="Say what would happen, and stop.")]
Yes = Annotated[bool, typer.Option("-y", "--yes", envvar="ENVFORGE_YES", help="Ask nothing.")]
Overwrite = Annotated[bool, typer.Option("-y", "--yes", envvar="ENVFORGE_YES", help="Overwrite a file that is there.")]
NoVerify = Annotated[
    bool,
    typer.Option(
        "--no-verify", envvar="ENVFORGE_NO_VERIFY", help="Run no checks; `verify` proves it where it belongs."
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option("--timeout", envvar="ENVFORGE_TIMEOUT", metavar="SECONDS", min=0.1, help="Give up after so long."),
]

Junit = Annotated[
    Path | None, typer.Option("--junit", envvar="ENVFORGE_JUNIT", metavar="FILE", help="Write JUnit XML too.")
]
GitHub = Annotated[
    bool,
    typer.Option("--github", envvar="ENVFORGE_GITHUB", help="Write GitHub annotations to stderr, as on GitHub itself."),
]
Json = Annotated[bool, typer.Option("--json", envvar="ENVFORGE_JSON", help="Print one JSON document.")]
Quiet = Annotated[bool, typer.Option("-q", "--quiet", envvar="ENVFORGE_QUIET", help="Say only errors and results.")]
Verbose = Annotated[
    int,
    typer.Option(
        "-v",
        "--verbose",
        count=True,
        envvar="ENVFORGE_VERBOSE",
        show_default=False,
        help="Say more; also where facts are from.",
    ),
]
ColorWhen = Annotated[Color, typer.Option("--color", envvar="ENVFORGE_COLOR", help="When to colour.")]
NoProgress = Annotated[bool, typer.Option("--no-progress", envvar="ENVFORGE_NO_PROGRESS", help="Show no progress.")]
