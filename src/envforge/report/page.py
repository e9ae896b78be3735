"""What people read, before a terminal is known: lines of styled spans that wrap under themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Literal

from envforge.model import value

Style = Literal["", "title", "good", "bad", "warn", "quiet", "code", "strong", "rule"]
Span = tuple[Style, str]


@value
class Line:
    """One paragraph: ``label`` stands in its own column of ``width``, and ``body`` wraps to its right.

    What is ``whole`` never wraps, because it is there to be copied.
    """

    body: tuple[Span, ...] = ()
    label: tuple[Span, ...] = ()
    width: int = 0
    indent: int = 0
    whole: bool = False


Page = tuple[Line, ...]
BLANK = Line()


def spans(text: str, style: Style = "") -> tuple[Span, ...]:
    """Split a sentence so that `literals in backticks` stand out."""
    parts = re.split(r"(`[^`]+`)", text)
    return tuple(("code" if part.startswith("`") and len(part) > 1 else style, part) for part in parts if part)


def prose(text: str, style: Style = "", *, indent: int = 0) -> Line:
    """Make a plain paragraph."""
    return Line(body=spans(text, style), indent=indent)


def title(text: str) -> Line:
    """Make a heading."""
    return Line(body=(("title", text),))


def row(label: str, text: str, style: Style = "", *, width: int, indent: int = 2) -> Line:
    """Make a row of a list of names and values."""
    return Line(label=(("quiet", label),), body=spans(text, style), width=width, indent=indent)


def item(text: str, *, mark: str = "•", style: Style = "quiet", indent: int = 2, body: Style = "") -> Line:
    """Make an entry of a list; ``mark`` is its bullet."""
    return Line(label=((style, mark),), body=spans(text, body), width=len(mark) + 1, indent=indent)


def command(text: str, *, indent: int = 4) -> Line:
    """Make a line that people copy into a shell."""
    return Line(body=(("code", text),), indent=indent, whole=True)


def join(*parts: Iterable[Line]) -> Page:
    """Put groups of lines below each other, one blank line between those that say something."""
    page: list[Line] = []
    for part in parts:
        group = tuple(part)
        page += ([BLANK] if page and group else []) + list(group)
    return tuple(page)
