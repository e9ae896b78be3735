"""`envforge export`: what is locked, as a file that another tool installs."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from envforge.cli.common import Answer, Overwrite, Talk, Target, command
from envforge.cli.completing import subjects
from envforge.cli.subject import locked_subject
from envforge.cli.written import Output, write_file
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
