"""Exports of an environment that stands, not of what is locked: a modulefile, and an image to be mounted."""

from __future__ import annotations

from pathlib import Path
from shlex import quote

from envforge.cli.common import Answer, Talk
from envforge.cli.subject import standing_subject
from envforge.cli.written import refuse_existing, write_file
from envforge.errors import UsageError
from envforge.model import Environment
from envforge.provision import activation, modulefile
from envforge.report.page import prose

FORMS = ("modulefile", "squashfs")


def is_standing(form: str) -> bool:
    """True for a format that is made of the files on disk."""
    return form in FORMS


def export_standing(
    talk: Talk, subject: str, form: str, target: str | None, output: Path | None, *, yes: bool
) -> Answer:
    """Write an environment in one of ``FORMS``. Raises UsageError for what is no environment."""
    if Path(subject).is_file():
        hint = f"name the environment, or its prefix: `envforge export {Path(subject).stem} --format {form}`"
        raise UsageError(f"a {form} is made of an environment, and `{subject}` is a file", (subject,), (hint,))
    environment = standing_subject(subject, target)
    if form == "squashfs":
        return _image(talk, environment, output, yes=yes)
    return _module(talk, environment, output, yes=yes)


def _module(talk: Talk, environment: Environment, output: Path | None, *, yes: bool) -> Answer:
    build, python = environment.section.candidate.build, environment.section.candidate.python
    text = modulefile(activation(environment), f"{environment.name}: torch {build.torch}, Python {python}")
    if output:
        write_file(output, text, overwrite=yes)
        talk.say((prose(f"wrote `{output}`"),))
    data = {"format": "modulefile", "target": environment.section.target, "text": text, "lost": []}
    return Answer(data={**data, "written": str(output) if output else None}, page=lambda: "" if output else text)


def _image(talk: Talk, environment: Environment, output: Path | None, *, yes: bool) -> Answer:
    from envforge.exports.squashfs import refuse_without_program, write_image

    if output is None:
        raise UsageError("an image is written to a file", (), ("name it with `-o`",))
    refuse_existing(output, overwrite=yes)
    refuse_without_program()
    with talk.watching():
        size_bytes = write_image(environment.prefix, environment.python, output)
    if environment.section.interpreter:
        talk.warn("the Python that it stands on lies outside, and has to be where it is mounted, too")
    prefix = quote(str(environment.prefix))
    talk.say((prose(f"wrote `{output}`; mount it where it was made: `squashfuse {quote(str(output))} {prefix}`"),))
    data: dict[str, object] = {"format": "squashfs", "target": environment.section.target, "text": None, "lost": []}
    return Answer(data={**data, "written": str(output), "size_bytes": size_bytes}, page=lambda: "")
