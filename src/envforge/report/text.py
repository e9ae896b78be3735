"""Pages -> terminals: width, colour, glyphs. The home of rich, together with `progress.py`."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from textwrap import TextWrapper
from typing import IO, TYPE_CHECKING, Literal

from envforge.report.links import rules_page, speaks_links
from envforge.report.page import Line, Page, Span
from envforge.report.theme import ASCII, STYLES, speaks_unicode, styles_for

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

When = Literal["auto", "always", "never"]

CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
LEAST_WIDTH = 24
ENDLESS_WIDTH = 100_000


def wants_color(when: When, stream: IO[str], environ: Mapping[str, str]) -> bool:
    """Decide on colour: the flag, then NO_COLOR, then FORCE_COLOR or CLICOLOR_FORCE, then the terminal."""
    if when != "auto":
        return when == "always"
    if environ.get("NO_COLOR"):
        return False
    if any(environ.get(name, "0") not in {"", "0"} for name in ("FORCE_COLOR", "CLICOLOR_FORCE")):
        return True
    return environ.get("TERM") != "dumb" and stream.isatty()


def console(stream: IO[str], when: When = "auto", environ: Mapping[str, str] = os.environ) -> Console:
    """Make the console of a stream; a pipe without COLUMNS has no width, for whatever reads it wants whole lines."""
    from rich.console import Console

    color = wants_color(when, stream, environ)
    width = _told_width(environ) or (None if stream.isatty() else ENDLESS_WIDTH)
    return Console(
        file=stream,
        force_terminal=color or None,
        no_color=not color,
        color_system="standard" if color else None,
        width=width,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
        _environ=environ,
    )


def _told_width(environ: Mapping[str, str]) -> int | None:
    columns = environ.get("COLUMNS", "")
    return (int(columns) or None) if columns.isdecimal() else None


def show(page: Page, stream: IO[str], when: When = "auto", environ: Mapping[str, str] = os.environ) -> None:
    """Write a page to a stream, wrapped to its width; rich (20 ms) comes only where there is a width or a colour."""
    plain = not speaks_unicode(stream, environ)
    if not (stream.isatty() or _told_width(environ) or wants_color(when, stream, environ)):
        stream.writelines(f"{text}\n" for line in page for text in flat(line, ascii_only=plain))
        return
    out, styles = console(stream, when, environ), styles_for(environ)
    rules = rules_page() if speaks_links(stream, environ) else None
    for line in page:
        for text in wrap(line, out, ascii_only=plain, rules=rules, styles=styles):
            out.print(text, soft_wrap=True)


def flat(line: Line, *, ascii_only: bool = False) -> Iterator[str]:
    """Write one line out without colour or end: what `wrap` lays out in a width that is never reached."""
    label, body = ("".join(fit(text, ascii_only) for _, text in parts) for parts in (line.label, line.body))
    label = label.ljust(line.width - 1) + " " if line.width else label
    first, *others = body.removesuffix("\n").split("\n")
    yield (" " * line.indent + label + first).rstrip()
    yield from ((" " * (line.indent + max(line.width, len(label))) + each).rstrip() for each in others)


def wrap(
    line: Line,
    out: Console,
    *,
    ascii_only: bool = False,
    rules: str | None = None,
    styles: Mapping[str, str] = STYLES,
) -> list[Text]:
    """Lay one line out: label at the indent, body beside it, a word longer than the line left whole.

    ``rules`` is the page that ids of rules link to.
    """
    from rich.text import Text

    label = styled(line.label, ascii_only=ascii_only, styles=styles)
    label.pad_right(max(line.width - label.cell_len, 1 if line.width else 0))
    left = line.indent + max(line.width, label.cell_len)
    body = styled(line.body, ascii_only=ascii_only, rules=rules, styles=styles)
    width = max(LEAST_WIDTH, out.width - left)
    pieces = [piece for each in body.split() for piece in ([each] if line.whole else broken(each, width))]
    laid = [Text.assemble(" " * line.indent, label, pieces[0])]
    laid += [Text.assemble(" " * left, piece) for piece in pieces[1:]]
    for text in laid:
        text.rstrip()
    return laid


def broken(text: Text, width: int) -> list[Text]:
    """Break one line between words; rich's own wrap would also cut words, and so paths and addresses."""
    wrapper = TextWrapper(
        width, break_long_words=False, break_on_hyphens=False, expand_tabs=False, replace_whitespace=False
    )
    plain = text.plain.replace("≥ ", "≥\N{NO-BREAK SPACE}")
    offsets, place = [], 0
    for piece in wrapper.wrap(plain)[:-1]:
        place = plain.index(piece, place) + len(piece)
        place += len(text.plain[place:]) - len(text.plain[place:].lstrip())
        offsets.append(place)
    return list(text.divide(offsets))


def styled(
    parts: tuple[Span, ...],
    *,
    ascii_only: bool,
    rules: str | None = None,
    styles: Mapping[str, str] = STYLES,
) -> Text:
    """Turn spans into rich's text."""
    from rich.text import Text

    def look(style: str, text: str) -> str:
        return f"{styles[style]} link {rules}#{text}" if rules and style == "rule" else styles.get(style, "")

    return Text.assemble(*((fit(text, ascii_only), look(style, text)) for style, text in parts))


def fit(text: str, ascii_only: bool) -> str:
    """Take out what would steer a terminal, and what the stream's encoding cannot say."""
    text = CONTROL.sub("", text)
    return text.translate(ASCII).encode("ascii", "replace").decode() if ascii_only else text
