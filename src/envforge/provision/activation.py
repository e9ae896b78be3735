"""What it takes to be inside an environment: variables to set and to drop, and the scripts that packages bring."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from envforge.model import Environment, value

FOREIGN = ("PYTHONHOME", "__PYVENV_LAUNCHER__")
CONDA = ("CONDA_PREFIX", "CONDA_DEFAULT_ENV", "CONDA_SHLVL", "CONDA_PROMPT_MODIFIER")
VENV = ("VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT")


@value
class Activation:
    """Set these, drop those, put ``folder`` before the rest of PATH, and source the scripts in their order."""

    variables: tuple[tuple[str, str], ...]
    dropped: tuple[str, ...]
    folder: Path
    scripts: tuple[Path, ...]


def activation(environment: Environment) -> Activation:
    """Say how to be inside an environment, as conda and venv do it; the spec's variables come last."""
    prefix = environment.prefix
    venv = (prefix / "pyvenv.cfg").is_file()
    own = _venv(environment) if venv else _conda(environment)
    return Activation(
        variables=(*own, *environment.section.variables),
        dropped=(*FOREIGN, *(CONDA if venv else VENV)),
        folder=prefix / "bin",
        scripts=tuple(sorted((prefix / "etc/conda/activate.d").glob("*.sh"))),
    )


def _venv(environment: Environment) -> tuple[tuple[str, str], ...]:
    return ("VIRTUAL_ENV", str(environment.prefix)), ("VIRTUAL_ENV_PROMPT", environment.name)


def _conda(environment: Environment) -> tuple[tuple[str, str], ...]:
    names = ("CONDA_PREFIX", str(environment.prefix)), ("CONDA_DEFAULT_ENV", environment.name)
    return (*names, ("CONDA_SHLVL", "1"))


def activated(active: Activation, environ: Mapping[str, str]) -> dict[str, str]:
    """Give the environment variables of a program inside."""
    kept = {name: text for name, text in environ.items() if name not in active.dropped}
    path = ":".join(filter(None, (str(active.folder), environ.get("PATH", ""))))
    return {**kept, "PATH": path, **dict(active.variables)}


def activation_script(active: Activation) -> str:
    """Write the lines that a POSIX shell evaluates to be inside."""
    return "\n".join(_lines(active)) + "\n"


def _lines(active: Activation) -> Iterator[str]:
    yield f"unset {' '.join(active.dropped)}"
    yield f'export PATH={shlex.quote(str(active.folder))}"${{PATH:+:$PATH}}"'
    for name, text in active.variables:
        yield f"export {name}={shlex.quote(text)}"
    for script in active.scripts:
        yield f". {shlex.quote(str(script))}"


def modulefile(active: Activation, about: str) -> str:
    """Write a modulefile in Tcl, which Environment Modules and Lmod both read.

    ``source-sh``, for the scripts that packages bring, came with Environment Modules 4.6 and Lmod 8.6.
    """
    return "\n".join(_module_lines(active, about)) + "\n"


def _module_lines(active: Activation, about: str) -> Iterator[str]:
    yield "#%Module1.0"
    yield f"module-whatis {_tcl(about)}"
    yield from (f"unsetenv {name}" for name in active.dropped)
    yield f"prepend-path PATH {_tcl(str(active.folder))}"
    yield from (f"setenv {name} {_tcl(text)}" for name, text in active.variables)
    yield from (f"source-sh bash {_tcl(str(script))}" for script in active.scripts)


def _tcl(text: str) -> str:
    """Quote a word for Tcl: within quotes, these letters mean something."""
    for letter in ("\\", '"', "$", "[", "]"):
        text = text.replace(letter, f"\\{letter}")
    return f'"{text}"'
