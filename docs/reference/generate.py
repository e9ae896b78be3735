"""Write the pages that the code knows best: commands, spec keys, changelog. Run by `nox -s docs`; a test holds them.

``python docs/reference/generate.py`` writes; with ``--check`` it only says which pages of the reference are out of date
(exit 1). The changelog grows with every fragment, and is written when the site is built.
"""

from __future__ import annotations

import html
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from library import library_page
from manual import manual
from materials import bill

from envforge.cli.app import COMMANDS, click_command
from envforge.facts import Architecture, load_facts
from envforge.facts.matrix import Entry, newest_by_capability
from envforge.spec import json_schema

DOCS = Path(__file__).resolve().parent.parent
KINDS = {"added": "Added", "changed": "Changed", "fixed": "Fixed", "removed": "Removed"}
TABLE = ("| flag | variable | |", "|---|---|---|")
SHARED = frozenset({"json", "quiet", "verbose", "color", "no_progress"})
NOTE = "<!-- Written by docs/reference/generate.py -->"


def main() -> int:
    pages = {
        DOCS / "reference/cli.md": cli_page(),
        DOCS / "reference/spec.md": spec_page(json_schema()),
        DOCS / "reference/library.md": library_page(NOTE),
        DOCS / "reference/envforge.1": manual(),
        DOCS / "packaging/envforge.cdx.json": bill(),
        DOCS / "reference/facts.md": facts_page(),
        DOCS / "changelog.md": changelog_page(DOCS / "changes"),
    }
    old = [path for path, text in pages.items() if not path.is_file() or path.read_text() != text]
    if "--check" in sys.argv[1:]:
        old = [path for path in old if path.parent.name != "docs"]
        print("".join(f"out of date: {path.relative_to(DOCS)}\n" for path in old), end="")
        return 1 if old else 0
    for path in old:
        path.write_text(pages[path])
    return 0


def cli_page() -> str:
    """Write every command with its flags, their variables and examples."""
    head = (
        f"# Commands\n\n{NOTE}\n\nEvery flag has a variable that sets it. `-h` shows a command's help, `--version` the "
        "version. Exit codes have [their own page](exit-codes.md), and so has [`--json`](json.md). "
        "`ENVFORGE_THEME` is `light` or `dark`, where the terminal does not say; `FORCE_HYPERLINK` is `1` or `0`.\n"
    )
    command = click_command("schema")
    ctx = command.make_context("envforge schema", [], resilient_parsing=True)
    shared = ["", "## Flags of every command", "", *TABLE, *flag_rows(command, ctx, shared=True), ""]
    return head + "\n".join(shared) + "".join(command_section(name) for name in COMMANDS)


def command_section(name: str) -> str:
    """Write one command."""
    command = click_command(name)
    ctx = command.make_context(f"envforge {name}", [], resilient_parsing=True)
    text, _, examples = (command.help or "").partition("\n\nExamples:\n\n\b\n")
    usage = " ".join(command.get_usage(ctx).removeprefix("Usage:").split()).replace("[OPTIONS]", "[FLAGS]")
    shown = [line.strip() for line in examples.splitlines()]
    lines = [f"\n## envforge {name}\n", text, "", "```sh", usage, "```", "", "Examples:", "", "```sh", *shown, "```"]
    rows = list(flag_rows(command, ctx))
    return "\n".join([*lines, "", *([*TABLE, *rows, ""] if rows else [])])


def flag_rows(command: Any, ctx: Any, *, shared: bool = False) -> Iterator[str]:
    """Write a table row for each option: the command's own, or those that all commands share."""
    for param in command.params:
        if param.param_type_name == "option" and param.name != "help" and (param.name in SHARED) is shared:
            flags = param.get_help_record(ctx)[0]
            yield f"| {_in_cell(flags)} | `{param.envvar}` | {param.help} |".replace("\n", " ")


def _in_cell(code: str) -> str:
    """Write code in a table; a bar in it would end the cell, or be shown with what escapes it."""
    return f"<code>{html.escape(code).replace('|', '&#124;')}</code>" if "|" in code else f"`{code}`"


def spec_page(schema: dict[str, Any]) -> str:
    """Write every key of a spec, from its schema."""
    lines = ["# Spec", "", NOTE, "", "YAML, one environment per file. `envforge schema` prints the JSON Schema.", ""]
    lines += ["| key | takes | default | |", "|---|---|---|---|", *key_rows(schema["properties"])]
    lines += ["", "## Under `needs`", "", "| key | takes | default | |", "|---|---|---|---|"]
    lines += key_rows(schema["properties"]["needs"]["properties"])
    profile = next(
        each for each in schema["properties"]["targets"]["additionalProperties"]["anyOf"] if "properties" in each
    )
    lines += ["", "## A machine's profile", "", "Under `targets`, and in files for `--machine`.", ""]
    lines += ["| key | takes | default | |", "|---|---|---|---|", *key_rows(profile["properties"])]
    return "\n".join(lines) + "\n"


def key_rows(properties: dict[str, Any]) -> Iterator[str]:
    """Write a table row for each key."""
    for name, shape in properties.items():
        default = "" if shape.get("default") in (None, [], {}) else f"`{_yaml(shape['default'])}`"
        yield f"| `{name}` | {takes(shape)} | {default} | {shape.get('description', '')} |"


def takes(shape: dict[str, Any]) -> str:
    """Say in words what a key takes."""
    if "enum" in shape:
        return " \\| ".join(f"`{word}`" for word in shape["enum"])
    if "anyOf" in shape:
        return ", or ".join(dict.fromkeys(takes(each) for each in shape["anyOf"]))
    if shape.get("type") == "array":
        return f"a list: {takes(shape['items'])}"
    if shape.get("examples"):
        return ", ".join(f'`"{each}"`' if _numeric(each) else f"`{each}`" for each in shape["examples"])
    words = {"boolean": "`true`, `false`", "integer": "a number", "null": "nothing", "object": "a mapping"}
    return words.get(str(shape.get("type")), "text")


def _numeric(text: str) -> bool:
    return str(text).replace(".", "", 1).isdigit()


def _yaml(item: Any) -> str:
    shown = f"[{', '.join(item)}]" if isinstance(item, list) else str(item)
    return shown.lower() if isinstance(item, bool) else shown


def facts_page() -> str:
    """Write the newest torch for each generation of GPUs, and where to ask for more."""
    known = load_facts()
    head = [
        f"# What runs where\n\n{NOTE}\n",
        "[**Ask for a GPU, a driver and a torch**](runs.html): a page that needs no server, and lists every build",
        "that envforge knows. In a terminal, `envforge facts --gpu 7.0 --driver 535.104.05`.\n",
        "![`envforge facts` for a card and a driver](../pictures/facts.svg)\n\n## The newest torch for each GPU\n",
        f"On linux-64, with machine code for the card. Facts of {known.dated}.\n",
    ]
    rows = [newest_row(each, entry) for each, entry in newest_by_capability(known, "linux-64")]
    table = ["| GPUs | capability | newest torch | CUDA | driver ≥ | from |", "|---|---|---|---|---|---|", *rows, ""]
    return "\n".join([*head, *table])


def newest_row(architecture: Architecture, entry: Entry | None) -> str:
    """Write a table row for one compute capability."""
    named = f"| {architecture.name} | {architecture.capability} "
    if entry is None:
        return f"{named}| none | | | |"
    build = entry.build
    source = f"channel {build.source.rpartition('/')[2]}" if "://" in build.source else build.source
    return f"{named}| {build.torch} | {build.cuda} | {entry.floor} | {source} |"


def changelog_page(folder: Path) -> str:
    """Gather the fragments, ``<slug>.<kind>.md``, by kind."""
    lines = ["# Changelog", "", NOTE, "", "## Unreleased"]
    for kind, heading in KINDS.items():
        fragments = sorted(folder.glob(f"*.{kind}.md"))
        lines += ["", f"### {heading}", ""] if fragments else []
        lines += ["* " + " ".join(path.read_text().split()) for path in fragments]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
