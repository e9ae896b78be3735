"""How pages look: colours for dark and for light terminals, and glyphs for locales that have them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Final

STYLES: Final[Mapping[str, str]] = {
    "title": "bold",
    "good": "green",
    "bad": "bold red",
    "warn": "bold yellow",
    "quiet": "dim",
    "code": "cyan",
    "strong": "bold",
    "rule": "dim",
}
ON_LIGHT: Final[Mapping[str, str]] = {**STYLES, "warn": "bold magenta", "code": "blue"}
LIGHT_GROUNDS: Final = ("7", "15")
ASCII = str.maketrans(
    {
        "•": "-",
        "✓": "+",
        "✗": "x",
        "→": "->",
        "…": "...",
        "—": "-",
        "–": "-",
        "×": "x",
        "≥": ">=",
        "≤": "<=",
        "│": "|",
        "·": "-",
    }
)
COERCED: Final = "C.UTF-8"


def styles_for(environ: Mapping[str, str]) -> Mapping[str, str]:
    """Give the colours: ``ENVFORGE_THEME`` (dark, light), else what ``COLORFGBG`` tells of the ground, else dark.

    Yellow and cyan are hard to read on white; blue is on black.
    """
    told = environ.get("ENVFORGE_THEME", "").lower()
    ground = environ.get("COLORFGBG", "").rpartition(";")[2]
    light = told == "light" or (told != "dark" and ground in LIGHT_GROUNDS)
    return ON_LIGHT if light else STYLES


def speaks_unicode(stream: IO[str], environ: Mapping[str, str]) -> bool:
    """Say whether the stream can carry every glyph that pages use, and the user's locale does not say otherwise.

    Python writes UTF-8 in the locale C too (PEP 538 and 540 set ``LC_CTYPE``), which the terminal may not read.
    """
    try:
        "".join(map(chr, ASCII)).encode(getattr(stream, "encoding", None) or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return bool(environ.get("PYTHONIOENCODING")) or _utf8(_locale(environ))


def _locale(environ: Mapping[str, str]) -> str:
    """Give the locale that the user set; empty where none is."""
    general, letters = environ.get("LANG", ""), environ.get("LC_CTYPE", "")
    chosen = "" if letters == COERCED and general in ("C", "POSIX") else letters
    return environ.get("LC_ALL") or chosen or general


def _utf8(locale: str) -> bool:
    return not locale or locale.lower().replace("-", "").partition(".")[2].startswith("utf8")
