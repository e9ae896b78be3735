"""The table of commands; each is imported only when it is asked for.

A command module registers itself by one line of `COMMANDS`: the name people type, and where the function is,
``module:function`` below `envforge.cli`. The function is made with `common.command`, takes a `Talk` first and
gives an `Answer`. Functions whose name is a builtin's or another command's module end in ``_``. Commands share
`asking` (words -> specs, machines) and `deciding` (spec and machines -> `Decision`, as `plan` shows it).
"""

from __future__ import annotations

import inspect
import os
import re
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import CompletionItem, TyperCommand, TyperGroup  # type: ignore[attr-defined]

from envforge.cli.common import guarded
from envforge.cli.talk import Talk
from envforge.errors import UsageError

COMMANDS = {
    "create": "create:create",
    "init": "init:init",
    "plan": "plan:plan",
    "lock": "lock:lock",
    "verify": "verify:verify",
    "doctor": "doctor:doctor",
    "detect": "detect:detect",
    "list": "environments:list_",
    "status": "environments:status",
    "run": "run:run",
    "shell": "run:shell",
    "remove": "environments:remove",
    "rollback": "environments:rollback",
    "clean": "environments:clean",
    "export": "export:export",
    "pack": "pack:pack",
    "matrix": "matrix:matrix",
    "import": "import_:import_",
    "fleet": "fleet.show:fleet",
    "fleet detect": "fleet.detect:fleet_detect",
    "fleet plan": "fleet.plan:fleet_plan",
    "fleet create": "fleet.create:fleet_create",
    "fleet verify": "fleet.verify:fleet_verify",
    "fleet doctor": "fleet.doctor:fleet_doctor",
    "facts": "facts:facts",
    "facts verify": "facts_verify:facts_verify",
    "facts update": "facts_update:facts_update",
    "schema": "schema:schema",
}
SETTINGS = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
USAGE_ERROR: Any = typer.BadParameter.__mro__[1]  # typer bundles click, and exports only the subclass
KEEPS_WORDS = frozenset({"run"})
OUTPUT = frozenset({"json", "quiet", "verbose", "color", "no_progress", "help"})
HARD_SPACE = "\N{NO-BREAK SPACE}"


class LazyGroup(TyperGroup):
    """Commands by name, each imported when asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment]  # what typer suggests from
            return None
        return click_command(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Find a command of two words before one of its first word."""
        pair = " ".join(args[:2])
        if len(args) > 1 and pair in COMMANDS:
            return pair, self.get_command(ctx, pair), args[2:]
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Offer one word at a time: the second word of a command is offered by its first."""
        return [each for each in super().shell_complete(ctx, incomplete) if " " not in each.value]


class Command(TyperCommand):
    """A command whose help keeps variables and limits whole, and its flags of output below its own."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], "Options": [], "Output": []}
        for param in self.get_params(ctx):
            if record := param.get_help_record(ctx):
                name = "Output" if param.name in OUTPUT else param.param_type_name.capitalize() + "s"
                groups[name].append((record[0], _whole(record[1])))
        for name, rows in groups.items():
            if rows:
                with formatter.section(name):
                    formatter.write_dl(rows)

    def get_help(self, ctx: Any) -> str:
        return super().get_help(ctx).replace(HARD_SPACE, " ")


def _whole(text: str) -> str:
    """Let no line end inside what the brackets that close a flag's help list."""
    head, bracket, tail = text.rpartition("[")
    parts = (part.replace(" ", HARD_SPACE) for part in tail.split("; "))
    return f"{head}{bracket}{'; '.join(parts)}" if bracket else text


class FirstWord(Command):
    """A command whose name is also the first word of others."""

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        words = (name.removeprefix(f"{self.name} ") for name in COMMANDS if name.startswith(f"{self.name} "))
        seconds = [each for each in words if each.startswith(incomplete)]
        told = [CompletionItem(each, help=_first_clause(load(f"{self.name} {each}"))) for each in seconds]
        return [*told, *super().shell_complete(ctx, incomplete)]


def load(name: str) -> Callable[..., int]:
    """Import a command's function."""
    module, function = COMMANDS[name].split(":")
    return getattr(import_module(f"envforge.cli.{module}"), function)  # type: ignore[no-any-return]


def click_command(name: str) -> Any:
    """Make typer's command of one function. A command in KEEPS_WORDS passes every word after its first on."""
    single = typer.Typer(rich_markup_mode=None, add_completion=False, pretty_exceptions_enable=False)
    settings = SETTINGS | ({"allow_interspersed_args": False} if name in KEEPS_WORDS else {})
    function = load(name)
    leads = any(each.startswith(f"{name} ") for each in COMMANDS)
    kind = FirstWord if leads else Command
    single.command(name, cls=kind, context_settings=settings, short_help=_first_clause(function))(function)
    return typer.main.get_command(single)


def _first_clause(function: Callable[..., int]) -> str:
    """Give what the list of commands says of one: its first sentence, up to a colon."""
    return re.split(r"[:;.](?:\s|$)", inspect.getdoc(function) or "", maxsplit=1)[0]


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=SETTINGS,
)


def _version(wanted: bool) -> None:
    if wanted:
        from envforge import __version__

        typer.echo(f"envforge {__version__}")
        raise typer.Exit


@app.callback(epilog="`envforge COMMAND --help` shows a command's flags and examples.")
def envforge(
    version: Annotated[
        bool, typer.Option("-V", "--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """PyTorch environments that are proven to run on the GPU in front of you."""


def run(words: Sequence[str]) -> int:
    """Run the command line and give the exit code; a usage error is told like every other error."""
    asked = words[: list(words).index("--")] if "--" in words else words
    wants_json = "--json" in asked or os.environ.get("ENVFORGE_JSON", "").lower() in {"1", "true", "yes", "on"}
    return guarded(Talk(command="", json=wants_json), lambda: _invoke(words, wants_json))


def _invoke(words: Sequence[str], wants_json: bool) -> int:
    try:
        return typer.main.get_command(app)(args=list(words), prog_name="envforge", standalone_mode=False) or 0
    except typer.Abort as error:
        raise KeyboardInterrupt from error
    except USAGE_ERROR as error:
        if not words and not wants_json:
            sys.stderr.write(error.format_message() + "\n")
            return 2
        return _tell(error, wants_json, bare=not words)


def _tell(error: Any, wants_json: bool, *, bare: bool) -> int:
    """Report typer's usage error in our form: lower case, literals in backticks, no full stop."""
    path = error.ctx.command_path if error.ctx else "envforge"
    message, hints = ("no command given", ()) if bare else _reworded(error.format_message(), path)
    wrong = UsageError(message, (), (*hints, f"`{path} --help` shows what it takes"))
    return Talk(command=path.removeprefix("envforge").strip(), json=wants_json).fail(wrong)


def _reworded(text: str, path: str) -> tuple[str, tuple[str, ...]]:
    """Put typer's sentence into our form, and what it offers into hints."""
    plain = re.sub(r" \(env var: \S+\)", "", text.strip().replace("'", "`").replace("Value error, ", ""))
    message, _, choices = plain.partition(". Choose from:")
    message, *closest = re.split(r"\. Did you mean | \(Possible options: ", message.removesuffix("."))
    message = re.sub(r"^No such option: (\S+)", r"no such option `\1`", message)
    message = re.sub(r"^Got unexpected extra argument(?:\(s\)|s)? \((.*)\)", r"unexpected words: `\1`", message)
    message = re.sub(r"is not a valid int(eger)?( range)?$", "is not a whole number", message)
    message = re.sub(r"is not a valid float( range)?$", "is not a number", message)
    message = re.sub(r"(\S+) is not in the range x>=(\S+)$", r"`\1` is less than \2", message)
    hints = tuple(f"did you mean {_literal(each.rstrip('?)'))}?" for each in closest)
    if flag := re.fullmatch(r"no such option `--?([a-z-]+)`", message):
        own = path == "envforge" and flag[1].replace("-", "_") in OUTPUT
        hints = (f"write it after the command: `envforge COMMAND --{flag[1]}`",) if own else hints
    if choices:
        hints = (f"there are {', '.join(_literal(each.strip()) for each in choices.split(','))}",)
    return message[:1].lower() + message[1:], hints or _nearest(message)


def _literal(words: str) -> str:
    return words if "`" in words else ", ".join(f"`{each.strip()}`" for each in words.split(","))


def _nearest(message: str) -> tuple[str, ...]:
    """Name the choice that may have been meant by a word that is none."""
    from difflib import get_close_matches

    word, wrong, known = message.partition("` is not one of ")
    choices = re.findall(r"`([^`]+)`", known) if wrong else []
    return tuple(f"did you mean `{near}`?" for near in get_close_matches(word.rpartition("`")[2], choices, n=1))
