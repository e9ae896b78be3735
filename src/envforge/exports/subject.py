"""What is exported: a section without credentials, and what every format asks of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit, urlunsplit

from packaging.utils import canonicalize_name

from envforge.errors import SpecError
from envforge.model import Locked, Section, in_order, value

_TOKEN = re.compile(r"/t/[^/]+(?=/)")
_PLAIN = re.compile(r"[!-~]+")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
TORCH_INDEX = "https://download.pytorch.org/whl"
PLATFORMS = {
    "linux-64": ("linux", "x86_64"),
    "linux-aarch64": ("linux", "aarch64"),
    "osx-64": ("darwin", "x86_64"),
    "osx-arm64": ("darwin", "arm64"),
    "win-64": ("win32", "AMD64"),
}


@value
class Exported:
    """A file for another tool, and what the format could not carry, one sentence each."""

    text: str
    lost: tuple[str, ...] = ()


def without_secrets(address: str) -> str:
    """Take user, password, conda token, query and fragment out of a URL; a path of this computer stays as it is."""
    parts = urlsplit(address)
    if "://" not in address or parts.scheme == "file":
        return address
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, _TOKEN.sub("", parts.path), "", ""))


def bared(name: str, section: Section) -> Section:
    """Give the section in one order and without credentials. Raises SpecError for text that breaks out of a line."""
    clean = (replace(each, url=without_secrets(each.url)) for each in section.artefacts)
    found = replace(
        section,
        artefacts=tuple(sorted(clean, key=lambda each: (each.kind, each.name, each.url))),
        channels=tuple(map(without_secrets, section.channels)),
        indexes=tuple(map(without_secrets, section.indexes)),
    )
    for text in _words(name, found):
        if not _PLAIN.fullmatch(text):
            raise SpecError(f"{text!r} cannot be written into a file", (section.target,))
    for variable, text in section.variables:
        if not _VARIABLE.fullmatch(variable) or any(ord(letter) < 32 for letter in text):
            raise SpecError(f"variable {variable!r} cannot be written into a file", (section.target,))
    return found


def _words(name: str, section: Section) -> Iterator[str]:
    yield from (name, section.candidate.python, section.floor.subdir)
    yield from (*section.channels, *section.indexes, *filter(None, (section.candidate.build.local,)))
    for each in section.artefacts:
        yield from (each.url, each.name, each.version, each.sha256, *filter(None, (each.build, each.subdir, each.md5)))


def conda_of(section: Section) -> tuple[Locked, ...]:
    """Give the conda packages, each after what it depends on, else by name: an explicit file is linked in order."""
    return in_order(each for each in section.artefacts if each.kind == "conda")


def wheels_of(section: Section) -> tuple[Locked, ...]:
    """Give the wheels by name."""
    found = (each for each in section.artefacts if each.kind == "wheel")
    return tuple(sorted(found, key=lambda each: canonicalize_name(each.name)))


def python_minor(section: Section) -> str:
    return section.candidate.python


def index_urls(section: Section) -> tuple[str, ...]:
    """Give the wheel indexes by URL, without the public one, which every tool has by itself."""
    page = f"{TORCH_INDEX}/{section.candidate.build.local or ''}".rstrip("/")
    named = (page if each == "pytorch" else each for each in section.indexes if each != "pypi")
    return tuple(dict.fromkeys(each for each in named if "://" in each))


def losses(section: Section, **carried: bool) -> Iterator[str]:
    """Say what a format leaves out. ``carried`` names the parts that it has: conda, wheels, python, variables."""
    parts = {
        "conda": [each.name for each in section.artefacts if each.kind == "conda"],
        "wheels": [each.name for each in section.artefacts if each.kind == "wheel"],
        "variables": [name for name, _ in section.variables],
    }
    words = {"conda": "conda packages", "wheels": "wheels", "variables": "variables"}
    for part, names in parts.items():
        if names and not carried.get(part, False):
            yield f"{words[part]} are left out: {some(names)}"
    if section.interpreter and not carried.get("python", False):
        yield f"the environment stands on a Python {python_minor(section)} at hand, which is not in the file"
    local = [each.name for each in section.artefacts if each.url.startswith("file:") and _has(each, carried)]
    if local:
        yield f"the file serves only where these lie, on this computer: {some(local)}"


def _has(artefact: Locked, carried: dict[str, bool]) -> bool:
    return carried.get("conda" if artefact.kind == "conda" else "wheels", False)


def some(names: list[str]) -> str:
    """Name a few."""
    more = f" and {len(names) - 5} more" if len(names) > 5 else ""
    return ", ".join(f"`{name}`" for name in names[:5]) + more
