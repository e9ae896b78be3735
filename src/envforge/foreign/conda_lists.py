"""Plain lists of conda's: of ``conda list --explicit`` (conda-lock's ``*.lock`` too), and ``--export``."""

from __future__ import annotations

import re
from collections.abc import Iterator

from envforge.errors import SpecError
from envforge.foreign.conda_env import conda_package
from envforge.foreign.nouns import Foreign, Remark, Wanted

_EXPORTED = re.compile(r"([A-Za-z0-9_][\w.-]*)=([^=\s]+)=([^=\s]+)\s*$")
_FILE = re.compile(r"[a-z][a-z0-9+]*://\S+/([\w-]+)/([^/\s#]+)-([^-/\s]+)-([^-/\s]+?)\.(?:conda|tar\.bz2)(?:#\S*)?$")
_MADE_BY_PIP = "pypi_0"
_HEADING = "List of packages in environment: "  # mamba's, which writes no `@EXPLICIT`
SOLVED = "a list names what was installed: packages are carried from that version on, torch and Python as they are"


def is_list(text: str) -> bool:
    """Tell whether a text is one of these lists: by its mark, or by its first line that is not a comment."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    first = next(lines, "").strip()
    return first == "@EXPLICIT" or first.startswith(_HEADING) or _EXPORTED.match(first) is not None


def read_list(text: str, origin: str) -> Foreign:
    """Read a list. Raises SpecError with the place of a line that is none of it."""
    wanted = tuple(_packages(text, origin))
    return Foreign(
        origin=origin,
        name="",
        wanted=tuple(each for each in wanted if each.name != "python"),
        python=next((each for each in wanted if each.name == "python"), None),
        channels=tuple(dict.fromkeys(each.channel for each in wanted if each.channel)),
        taken=(Remark(text=SOLVED, where=origin),),
    )


def _packages(text: str, origin: str) -> Iterator[Wanted]:
    for number, line in enumerate(text.splitlines(), start=1):
        plain, where = line.strip(), f"{origin}:{number}"
        if not plain or plain.startswith(("#", "@", _HEADING)):
            continue
        if found := _FILE.match(plain):
            channel = plain[: found.start(1) - 1]
            yield conda_package(f"{found[2]}={found[3]}={found[4]}", where, channel)
        elif found := _EXPORTED.match(plain):
            yield _exported(found[1], found[2], found[3], where)
        else:
            raise SpecError(f"`{plain}` is no package of a list of conda's", (where,))


def _exported(name: str, version: str, build: str, where: str) -> Wanted:
    if build.startswith(_MADE_BY_PIP):
        return Wanted(kind="wheel", name=name.lower(), text=f"{name}=={version}", version=f"=={version}", where=where)
    return conda_package(f"{name}={version}={build}", where)
