"""Errors -> a page and the envelope's entries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from envforge.errors import EnvforgeError
from envforge.report.page import BLANK, Line, Page, join, spans


def every(error: EnvforgeError) -> Iterator[EnvforgeError]:
    """Give an error and the others found in the same pass."""
    yield error
    for other in error.others:
        yield from every(other)


def error_page(error: EnvforgeError) -> Page:
    """Say what is wrong, where, and what helps; the others below."""
    return join(*(_one(each) for each in every(error)))


def _one(error: EnvforgeError) -> Page:
    first, *rest = str(error.message).splitlines() or [""]
    lines = [Line(label=(("bad", "error:"),), body=spans(first), width=7)]
    lines += [Line(body=(("", text),), indent=2) for text in rest]
    lines += [Line(body=(("quiet", place),), indent=2) for place in error.where]
    if error.hints:
        lines.append(BLANK)
        lines += [Line(label=(("good", "hint:"),), body=spans(hint), width=6) for hint in error.hints]
    return tuple(lines)


def error_shapes(error: EnvforgeError) -> list[dict[str, Any]]:
    """Give the envelope's ``errors``."""
    return [
        {"code": each.code, "message": each.message, "where": list(each.where), "hints": list(each.hints)}
        for each in every(error)
    ]


def warning_page(text: str) -> Page:
    """Say what the user would want to know before going on."""
    return (Line(label=(("warn", "warning:"),), body=spans(text), width=9),)
