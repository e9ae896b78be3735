"""How a command talks: results on stdout, everything else on stderr, one envelope with ``--json``."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

from envforge.errors import EnvforgeError
from envforge.model import Emit, value
from envforge.report.errors import error_page, error_shapes
from envforge.report.page import Page, prose
from envforge.wire import to_plain

SCHEMA = "envforge/1"


@value
class Talk:
    """The choices of the user on output, and the command that is talking."""

    command: str
    json: bool = False
    quiet: bool = False
    verbose: int = 0
    color: Literal["auto", "always", "never"] = "auto"
    progress: bool = True

    def say(self, said: Page | str) -> None:
        """Tell people something on stderr; silent with ``--quiet``."""
        if not self.quiet:
            self._show((prose(said),) if isinstance(said, str) else said, sys.stderr)

    def warn(self, text: str) -> None:
        """Tell people what they would want to know before going on."""
        from envforge.report.errors import warning_page

        self.say(warning_page(text))

    @contextmanager
    def watching(self) -> Iterator[Emit]:
        """Give an `Emit` whose progress people see: a live line on a terminal, else a plain line every 30 s."""
        if self.quiet or not self.progress:
            yield lambda step: None
            return
        from envforge.report.progress import watch

        with watch(sys.stderr, self.color, os.environ) as emit:
            yield emit

    def print(self, page: Page | str) -> None:
        """Write a result to stdout."""
        if isinstance(page, str):
            sys.stdout.write(page)
            sys.stdout.flush()
        else:
            self._show(page, sys.stdout)

    def fail(self, error: EnvforgeError) -> int:
        """Report an error in the form that was asked for, on GitHub as an annotation too; give its exit code."""
        if self.json:
            self.envelope({}, error.exit, (error,))
        else:
            self._show(error_page(error), sys.stderr)
        if os.environ.get("GITHUB_ACTIONS") == "true":
            from envforge.report.github import error_annotations

            sys.stderr.writelines(f"{line}\n" for line in error_annotations(error))
        return error.exit

    def envelope(self, data: Any, code: int, errors: tuple[EnvforgeError, ...] = ()) -> None:
        """Write the one JSON document."""
        shapes = [shape for error in errors for shape in error_shapes(error)]
        document = {"schema": SCHEMA, "command": self.command, "ok": code == 0, "exit": code}
        text = json.dumps({**document, "data": to_plain(data), "errors": shapes}, indent=2, ensure_ascii=True)
        sys.stdout.write(text + "\n")
        sys.stdout.flush()

    def _show(self, page: Page, stream: Any) -> None:
        from envforge.report.text import show

        show(page, stream, self.color)
        stream.flush()


@value
class Answer:
    """What a command found: plain ``data`` for the envelope, a ``page`` for people, the exit code.

    A page that is a string is written as it stands (a file's text, for a pipe).
    ``errors`` stand in the envelope beside the data, and on stderr after the page.
    """

    data: Any
    page: Callable[[], Page | str] = tuple
    exit: int = 0
    errors: tuple[EnvforgeError, ...] = ()


def give(talk: Talk, answer: Answer) -> int:
    """Write an answer and give its exit code."""
    if talk.json:
        talk.envelope(answer.data, answer.exit, answer.errors)
        return answer.exit
    talk.print(answer.page())
    for error in answer.errors:
        talk.fail(error)
    return answer.exit


def program_name() -> str:
    """Give what starts this program in the user's shell: `envforge` where that is it, else the path that was typed."""
    typed, found = Path(sys.argv[0]), shutil.which("envforge")
    elsewhere = typed.name == "envforge" and not (found and Path(found).samefile(typed))
    return sys.argv[0] if elsewhere and typed.exists() else "envforge"
