"""Write the manual page, `envforge.1`, from the commands themselves. Used by `generate.py`; the wheel carries it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import envforge
from envforge.cli.app import COMMANDS, click_command

NOTE = '.\\" Written by docs/reference/generate.py'
ABOUT = (
    "envforge reads a small YAML file and the machine in front of it (NVIDIA driver, GPUs, glibc), chooses the newest "
    "Python, torch and CUDA that run there, locks every package with its hash, installs them into one environment, "
    "and proves with real kernels that it works. Where nothing can work, it says why, and what would help."
)
VARIABLES = (
    "Every flag has a variable that sets it, named beside it above. ENVFORGE_THEME is light or dark, where the "
    "terminal does not say. NO_COLOR, FORCE_COLOR and FORCE_HYPERLINK are heeded, and so are CONDA_OVERRIDE_CUDA, the "
    "proxies, and the settings of pip and uv."
)
EXITS = (
    ("0", "Done, and well."),
    ("1", "What was examined is not well: a conflict, a failed check, a finding."),
    ("2", "The command line or the spec is wrong."),
    ("3", "Could not tell."),
    ("4", "The environment or the lock is stale or has drifted."),
    ("5", "An engine, the network or the disk failed; nothing half\\-made is left behind."),
    ("70", "A bug in envforge; the report to send is named."),
    ("130", "Interrupted."),
)
FILES = (
    ("SPEC.yaml, SPEC.lock.yaml", "A spec, and beside it what is locked for each of its targets."),
    ("~/.local/share/envforge/envs", "Environments; ENVFORGE_ENVS_DIR."),
    ("~/.cache/envforge", "Downloaded packages; ENVFORGE_CACHE_DIR."),
    ("~/.local/share/envforge/facts", "Facts of your own, over those that come with envforge; ENVFORGE_FACTS_DIR."),
)
SHARED = frozenset({"json", "quiet", "verbose", "color", "no_progress"})


def manual() -> str:
    """Write the page in man's macros."""
    head = f'.TH ENVFORGE 1 "" "envforge {envforge.__version__}" "envforge"'
    lines = [
        NOTE,
        head,
        ".nh",
        ".ad l",
        ".SH NAME",
        "envforge \\- PyTorch environments that are proven to run on the GPU in front of you",
    ]
    lines += [".SH SYNOPSIS", ".B envforge", ".I COMMAND", "[\\fIFLAGS\\fR] [\\fIARGUMENTS\\fR]"]
    lines += [".SH DESCRIPTION", roff(ABOUT), ".SH COMMANDS"]
    for name in COMMANDS:
        lines += section(name)
    shared = click_command("schema")
    ctx = shared.make_context("envforge schema", [], resilient_parsing=True)
    lines += [".SH FLAGS OF EVERY COMMAND", *options(shared, ctx, shared=True)]
    lines += [".SH EXIT STATUS", *entries(EXITS)]
    lines += [".SH ENVIRONMENT", roff(VARIABLES), ".SH FILES", *entries(FILES)]
    return "\n".join(line for line in lines if line) + "\n"


def section(name: str) -> Iterator[str]:
    """Write one command: what it does, its examples, its flags."""
    command = click_command(name)
    ctx = command.make_context(f"envforge {name}", [], resilient_parsing=True)
    text, _, examples = (command.help or "").partition("\n\nExamples:\n\n\b\n")
    usage = " ".join(command.get_usage(ctx).removeprefix("Usage:").split()).replace("[OPTIONS]", "[FLAGS]")
    yield from (f".SS {roff(usage)}", *paragraphs(text))
    yield from (".PP", ".nf", ".RS 4", *(roff(line.strip()) for line in examples.splitlines()), ".RE", ".fi")
    yield from options(command, ctx)


def paragraphs(text: str) -> Iterator[str]:
    for part in text.split("\n\n"):
        yield from (".PP", roff(" ".join(part.split())))


def options(command: Any, ctx: Any, *, shared: bool = False) -> Iterator[str]:
    """Write a paragraph for each flag: the command's own, or those that all commands share."""
    for param in command.params:
        if param.param_type_name == "option" and param.name != "help" and (param.name in SHARED) is shared:
            yield from (".TP", f"\\fB{roff(param.get_help_record(ctx)[0])}\\fR", roff(f"{param.help} ({param.envvar})"))


def entries(rows: tuple[tuple[str, str], ...]) -> Iterator[str]:
    for label, text in rows:
        yield from (".TP", f"\\fB{roff(label)}\\fR", roff(text) if "\\" not in text else text)


def roff(text: str) -> str:
    """Escape text; what stands in backticks is bold."""
    text = text.replace("\\", "\\e").replace("-", "\\-").replace("…", "...")
    text = re.sub(r"(?<=\w)\|(?=\w)", r"|\\:", text)
    text = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", text)
    return "\\&" + text if text.startswith((".", "'")) else text
