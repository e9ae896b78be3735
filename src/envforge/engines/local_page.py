"""Links of an index page that lies on this computer (PEP 503), read with the standard library alone.

pypi-simple takes half a second to load, which is more than a whole `plan` may; of a local page only the links count,
what they are relative to, and which are yanked (PEP 592). Sizes and dates stand in JSON pages alone (PEP 700).
"""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin

from envforge.errors import Unreachable

MAJOR = "1"


def read_links(path: Path) -> tuple[str, ...]:
    """Give the URLs that a page links to, without fragments and without yanked ones. Raises Unreachable."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Unreachable(f"`{path}` cannot be read: {getattr(error, 'strerror', error)}", (str(path),)) from error
    page = _Links(path.as_uri())
    page.feed(text)
    if page.version.split(".")[0] != MAJOR:
        raise Unreachable(f"`{path}` is an index of version {page.version}, not {MAJOR}.x", (str(path),))
    return tuple(page.urls)


class _Links(HTMLParser):
    """Collects links; ``version`` is the index's own (PEP 629)."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base, self.version = base, f"{MAJOR}.0"
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        told = dict(attrs)
        href = told.get("href") or ""
        if tag == "base":
            self.base = urljoin(self.base, href)
        elif tag == "a" and href and "data-yanked" not in told:
            self.urls.append(urljoin(self.base, href).partition("#")[0])
        elif tag == "meta" and told.get("name") == "pypi:repository-version":
            self.version = told.get("content") or self.version
