"""`envforge export`: what is locked, as a file that another tool installs."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from envforge.cli.asking import read_text
from envforge.cli.common import Answer, Overwrite, Talk, Target, command
from envforge.cli.completing import subjects
from envforge.cli.dirs import find_dirs
from envforge.cli.fitting import lock_path
from envforge.cli.written import Output, write_file
from envforge.errors import Stale, UsageError
from envforge.lock import read_lock
from envforge.model import Environment, Lock, Section
from envforge.report.page import prose


class Form(StrEnum):
    """What can be written."""

    EXPLICIT = "explicit"
    ENVIRONMENT_YML = "environment-yml"
    CONDA_LOCK = "conda-lock"
    PIXI_LOCK = "pixi-lock"
    PIXI_LOCK_V6 = "pixi-lock-v6"
    PYLOCK = "pylock"
    REQUIREMENTS = "requirements"
    SBOM = "sbom"
    DOCKERFILE = "dockerfile"
    APPTAINER = "apptainer"
    MODULEFILE = "modulefile"
    SQUASHFS = "squashfs"


Subject = Annotated[
    str,
    typer.Argument(
        metavar="SPEC|LOCK|ENV",
        envvar="ENVFORGE_EXPORT",
        help="A spec that is locked, a lock, an environment's name, or its prefix.",
        show_default=False,
        autocompletion=subjects,
    ),
]
Format = Annotated[
    Form,
    typer.Option(
        "--format",
        envvar="ENVFORGE_EXPORT_FORMAT",
        metavar="FORMAT",
        help=f"What to write: {', '.join(each.value for each in Form)}.",
    ),
]


@command(
    examples=(
        "envforge export vision.yaml --format explicit > vision.txt",
        "envforge export vision --format sbom -o vision.cdx.json",
        "envforge export vision.lock.yaml --target cluster --format dockerfile -o Dockerfile",
        "envforge export vision --format squashfs -o vision.sqfs",
    )
)
def export(
    talk: Talk, subject: Subject, form: Format, target: Target = None, output: Output = None, yes: Overwrite = False
) -> Answer:
    """Write what is locked for one target as a file of conda, pixi, uv or pip, as a bill of materials, or as an image.

    The file goes to stdout, what it cannot carry to stderr. An existing file is overwritten only with `--yes`. A
    modulefile and a squashfs image, to be mounted at its prefix, are of an environment that stands.
    """
    from envforge.cli.export_standing import export_standing, is_standing
    from envforge.exports import export as written

    if is_standing(form.value):
        return export_standing(talk, subject, form.value, target, output, yes=yes)
    name, section = locked_subject(subject, target)
    found = written(name, section, form.value)
    for each in found.lost:
        talk.warn(each)
    if output:
        write_file(output, found.text, overwrite=yes)
        talk.say((prose(f"wrote `{output}`"),))
    data = {"format": form.value, "target": section.target, "text": found.text, "lost": list(found.lost)}
    return Answer(data={**data, "written": str(output) if output else None}, page=lambda: "" if output else found.text)


def locked_subject(word: str, target: str | None) -> tuple[str, Section]:
    """Find what a word means, a file or an environment, and give its name and its section."""
    path = Path(word)
    if path.is_file():
        lock = lock_of(path)
        return lock.name, pick(lock, target, path)
    if path.suffix in (".yaml", ".yml"):
        read_text(path, "file")
    environment = standing_subject(word, target)
    return environment.name, environment.section


def standing_subject(word: str, target: str | None) -> Environment:
    """Find the environment that a word means. Raises UsageError, also when it was made for another target."""
    from envforge.provision import find_environment

    dirs = find_dirs()
    environment = find_environment(word, dirs.envs, dirs.registry)
    if target and target != environment.section.target:
        raise UsageError(f"`{environment.name}` was made for target `{environment.section.target}`", (word,))
    return environment


def lock_of(path: Path) -> Lock:
    """Read a lock, or the one beside a spec, which must be of the spec as it is. Raises Stale, SpecError."""
    if path.name.endswith((".lock.yaml", ".lock.yml")):
        return read_lock(read_text(path, "lock"), str(path))
    from envforge.cli.asking import read_spec
    from envforge.cli.locking import is_of

    spec, beside, hint = read_spec(path), lock_path(path), (f"make it with `envforge lock {path}`",)
    if not beside.exists():
        raise Stale("there is no lock", (str(beside),), hint)
    lock = read_lock(read_text(beside, "lock"), str(beside))
    if not is_of(lock, spec):
        raise Stale("the spec has changed since the lock was made", (str(beside),), hint)
    return lock


def pick(lock: Lock, target: str | None, path: Path) -> Section:
    """Give the target's section, or the only one. Raises UsageError."""
    known = tuple(each.target for each in lock.sections)
    found = [each for each in lock.sections if target in (None, each.target)]
    if len(found) == 1:
        return found[0]
    said = f"there is no section for target `{target}`" if target else f"the lock has {len(known)} sections"
    hints = (f"choose with `--target`: {', '.join(known)}",) if known else ()
    raise UsageError(said, (str(path),), hints)
