"""Links in terminals (OSC 8): where they are understood, and the page that a rule's id leads to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import IO

SPEAKERS = ("WT_SESSION", "KITTY_WINDOW_ID", "KONSOLE_VERSION", "WEZTERM_PANE", "GHOSTTY_RESOURCES_DIR")
PROGRAMS = {"iTerm.app", "WezTerm", "vscode", "Hyper", "ghostty", "rio", "Tabby"}
TERMS = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "wezterm", "contour")
VTE_SINCE = 5000  # 0.50: older ones print the address


def speaks_links(stream: IO[str], environ: Mapping[str, str]) -> bool:
    """Tell whether a terminal is known to show links; ``FORCE_HYPERLINK`` (0 or 1) decides where it is set."""
    if forced := environ.get("FORCE_HYPERLINK"):
        return forced != "0"
    if not stream.isatty() or environ.get("TERM", "dumb") == "dumb" or environ.get("CI"):
        return False
    version = environ.get("VTE_VERSION", "")
    known = any(environ.get(name) for name in SPEAKERS) or environ.get("TERM_PROGRAM") in PROGRAMS
    return known or environ.get("TERM", "").startswith(TERMS) or (version.isdigit() and int(version) >= VTE_SINCE)


@cache
def documented() -> tuple[str, ...]:
    """Give the addresses that the installed package names, as ``Documentation, https:...``; none where it has none."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        return tuple(metadata("envforge").get_all("Project-URL") or ())
    except PackageNotFoundError:
        return ()


def rules_page(urls: Iterable[str] | None = None) -> str | None:
    """Give the address of the reference of rules, below the documentation; None where nobody says where that stands."""
    for url in documented() if urls is None else urls:
        label, _, address = url.partition(", ")
        if label.lower() == "documentation" and address.startswith(("https://", "http://")):
            return f"{address.rstrip('/')}/reference/rules/"
    return None
