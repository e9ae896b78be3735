"""`envforge run` and `envforge shell`: be inside an environment."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from envforge.cli.common import Answer, GivenName, GivenPrefix, MaybeEnvironment, Talk, command
from envforge.cli.dirs import find_dirs, find_one
from envforge.errors import UsageError
from envforge.model import Environment
from envforge.provision import Activation, activated, activation, activation_script

Words = Annotated[list[str], typer.Argument(metavar="COMMAND...", help="The program and its arguments.")]
Print = Annotated[
    bool,
    typer.Option("--print", envvar="ENVFORGE_SHELL_PRINT", help="Print what a shell evaluates, and start none."),
]


@command(examples=("envforge run -n vision python train.py", "envforge run -p ./env -- pytest -q"))
def run(talk: Talk, words: Words, name: GivenName = None, prefix: GivenPrefix = None) -> Answer | int:
    """Run a program inside an environment; its exit code is passed on."""
    environment = find_one(find_dirs(), name, prefix)
    if environment is None:
        hint = "`envforge run -n NAME COMMAND...`, or `-p DIR`"
        raise UsageError("which environment is not said", (), (hint, "see them all with `envforge list`"))
    active = activation(environment)
    inside = activated(active, os.environ)
    argv = _argv(words, inside, active)
    return _report(environment, argv, inside) if talk.json else _become(argv, inside)


def _report(environment: Environment, argv: list[str], inside: dict[str, str]) -> Answer:
    """Run the program with its output on stderr, so that stdout holds one document."""
    code = subprocess.run(argv, env=inside, stdout=sys.stderr, check=False).returncode
    code = 128 - code if code < 0 else code
    return Answer(data={"name": environment.name, "prefix": str(environment.prefix), "exit": code}, exit=code)


def _argv(words: list[str], inside: dict[str, str], active: Activation) -> list[str]:
    program = shutil.which(words[0], path=inside["PATH"])
    if program is None:
        raise UsageError(f"`{words[0]}` is neither in the environment nor on PATH", (str(active.folder),))
    if not active.scripts:
        return [program, *words[1:]]
    sourcing = "".join(f". {shlex.quote(str(script))}; " for script in active.scripts)
    return [shutil.which("bash") or "/bin/sh", "-c", f'{sourcing}exec "$@"', "envforge", *words]


def _become(argv: list[str], inside: dict[str, str]) -> NoReturn:
    sys.stdout.flush()
    sys.stderr.flush()
    try:
        os.execve(argv[0], argv, inside)  # noqa: S606 - the program that the user asked for
    except OSError as error:
        raise UsageError(f"`{argv[0]}` cannot be started: {error.strerror}", (argv[0],)) from error


@command(examples=("envforge shell vision", 'eval "$(envforge shell vision --print)"'))
def shell(
    talk: Talk,
    environment: MaybeEnvironment = None,
    name: GivenName = None,
    prefix: GivenPrefix = None,
    only_print: Print = False,
) -> Answer:
    """Start a shell inside an environment; leave it with `exit`."""
    found = _find(environment, name, prefix)
    active = activation(found)
    script = activation_script(active)
    if only_print or talk.json:
        data = {"name": found.name, "prefix": str(found.prefix), "script": script}
        return Answer(data=data, page=lambda: script)
    _become(_interactive(script, found), activated(active, os.environ))


def _find(environment: str | None, name: str | None, prefix: Path | None) -> Environment:
    dirs = find_dirs()
    found = find_one(dirs, name, prefix, environment)
    if found is None:
        raise UsageError("which environment is not said", (), ("see them all with `envforge list`",))
    return found


def _interactive(script: str, environment: Environment) -> list[str]:
    """Start the user's shell. Bash reads our lines after its own start-up file, which may reorder PATH."""
    program = os.environ.get("SHELL") or shutil.which("bash") or "/bin/sh"
    if Path(program).name != "bash":
        return [program, "-i"]
    reading, writing = os.pipe()
    text = f'[ -f ~/.bashrc ] && . ~/.bashrc\n{script}PS1="({environment.name}) $PS1"\n'
    with os.fdopen(writing, "w") as pipe:
        pipe.write(text)
    os.set_inheritable(reading, True)
    return [program, "--rcfile", f"/dev/fd/{reading}", "-i"]
