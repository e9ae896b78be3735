"""`envforge import`: a spec from a file of another tool."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from envforge.cli.asking import read_text
from envforge.cli.common import Answer, Overwrite, Talk, command
from envforge.cli.overlays import facts_here
from envforge.errors import DiskFailed, UsageError
from envforge.foreign import Imported, Remark, import_file
from envforge.report.page import Page, item, join, title
from envforge.spec import write_spec
from envforge.wire import read_yaml, to_plain

MANY = 4
ForeignFile = Annotated[
    Path,
    typer.Argument(
        metavar="FILE",
        help="environment.yml, requirements.txt, pyproject.toml, pixi.toml, conda-lock.yml or pixi.lock.",
        show_default=False,
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "-o", "--output", envvar="ENVFORGE_OUTPUT", metavar="FILE", help="Write the spec here, not to stdout."
    ),
]
Environment = Annotated[
    str | None,
    typer.Option(
        "--environment",
        envvar="ENVFORGE_ENVIRONMENT",
        metavar="NAME",
        help="Which of pixi's; default: the first with torch for CUDA.",
    ),
]
Extra = Annotated[
    list[str] | None,
    typer.Option(
        "--extra",
        envvar="ENVFORGE_EXTRA",
        metavar="NAME",
        help="Optional dependencies or a group of a pyproject.toml, too; repeat it for more.",
    ),
]


@command(
    examples=(
        "envforge import environment.yml -o vision.yaml",
        "envforge import pixi.toml --environment cuda > vision.yaml",
        "envforge import requirements.txt --json | jq .data.left_out",
    )
)
def import_(
    talk: Talk,
    file: ForeignFile,
    output: Output = None,
    environment: Environment = None,
    extra: Extra = None,
    yes: Overwrite = False,
) -> Answer:
    """Make a spec of a file of conda, pip, uv, poetry or pixi, and say what could not be carried over.

    The spec goes to stdout, what is said about it to stderr. An existing file is overwritten only with `--yes`.
    """
    found = import_file(
        read_text(file, "file"),
        str(file),
        facts_here(),
        lambda path: read_text(Path(path), "included file"),
        environment=environment,
        extras=tuple(extra or ()),
    )
    text = write_spec(found.spec)
    if output:
        _write(output, text, overwrite=yes)
    talk.say(_page(found, output))
    return Answer(
        data={
            "spec": to_plain(read_yaml(text, str(file)).plain),
            "text": text,
            "taken": to_plain(found.taken),
            "left_out": to_plain(found.left_out),
            "written": str(output) if output else None,
        },
        page=lambda: "" if output else text,
    )


def _write(path: Path, text: str, *, overwrite: bool) -> None:
    try:
        with path.open("w" if overwrite else "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"`{path}` is there already", (str(path),), ("`--yes` overwrites it",)) from None
    except OSError as error:
        raise DiskFailed(f"`{path}` cannot be written: {error.strerror}", (str(path),)) from error


def _page(found: Imported, output: Path | None) -> Page:
    written = (title(f"wrote `{output}`"),) if output else ()
    return join(written, _listed("Taken", found.taken), _listed("Not carried over", found.left_out))


def _listed(head: str, remarks: tuple[Remark, ...]) -> Page:
    """List remarks below a head; nothing for none. Many that say the same of different things are one."""
    groups: dict[str, list[Remark]] = {}
    for each in remarks:
        same = each.text.partition("` ")[2] or each.text
        groups.setdefault(same, []).append(each)
    return (title(head), *(item(said) for same in groups for said in _said(groups[same]))) if remarks else ()


def _said(same: list[Remark]) -> Iterator[str]:
    if len(same) < MANY:
        yield from (f"{each.text} ({each.where})" for each in same)
        return
    named = ", ".join(each.text.split("` ", 1)[0] + "`" for each in same)
    yield f"{named}: each {same[0].text.split('` ', 1)[1]} ({same[0].where} and on)"
