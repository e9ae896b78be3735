"""The pages that people read, and the commands that they show.

Commands stand in ``console`` blocks and are run in the order of the page. A block titled "needs a network" (a GPU, ...)
is run with a small real channel and index in place of conda-forge and PyPI; ``substitutes.yaml`` names every other
exception.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from envforge.wire import read_yaml

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
GENERATED = ("docs/reference/", "docs/changelog.md", "docs/changes/")
FENCE = re.compile(r"^([ ]*)```(\w*)[ ]?([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
SUBSTITUTES = Path(__file__).parent / "substitutes.yaml"
NEEDS = re.compile(r'title="needs [^"]+"')


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One command as a page shows it, with the exit code that it promises."""

    text: str
    exit: int = 0
    network: bool = False


@dataclass(frozen=True, kw_only=True)
class Substitute:
    """What a test runs in place of a shown command, and why."""

    page: str
    shown: str
    runs: str
    why: str


@cache
def substitutes() -> tuple[Substitute, ...]:
    """Read which commands are run otherwise."""
    plain: dict[str, list[dict[str, Any]]] = read_yaml(SUBSTITUTES.read_text(), str(SUBSTITUTES)).plain
    return tuple(Substitute(page=page, **each) for page, found in plain.items() for each in found)


def name_of(page: Path) -> str:
    """Name a page as people do: its path in the repository."""
    return str(page.relative_to(ROOT))


def shown_in(page: Path) -> list[Shown]:
    """Give the commands of a page's ``console`` blocks, in order; ``# exit 1`` promises a code."""
    found: list[Shown] = []
    for match in FENCE.finditer(page.read_text()):
        if match[2] == "console":
            body = textwrap.dedent(match[4])
            found += [
                _shown(text, bool(NEEDS.fullmatch(match[3])))
                for text in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]
            ]
    return found


def _shown(text: str, network: bool) -> Shown:
    promised = re.search(r"# exit (\d+)$", text, re.MULTILINE)
    return Shown(text=text.rstrip("\n"), exit=int(promised[1]) if promised else 0, network=network)


def to_run(page: Path) -> list[Shown]:
    """Give what a test runs for a page: its commands, some replaced."""
    instead = {each.shown: each.runs for each in substitutes() if each.page == name_of(page)}
    return [
        Shown(text=instead.get(shown.text, shown.text), exit=shown.exit, network=shown.network)
        for shown in shown_in(page)
    ]


def languages_of(page: Path) -> set[str]:
    """Give the languages of a page's blocks."""
    return {match[2] for match in FENCE.finditer(page.read_text())}


def infos_of(page: Path) -> set[str]:
    """Give what stands behind the language of a page's blocks."""
    return {match[3] for match in FENCE.finditer(page.read_text())} - {""}


def inline_in(page: Path) -> list[str]:
    """Give the commands of envforge that stand in a page's sentences and tables."""
    return [
        text.replace("\\|", "|")
        for text in re.findall(r"(?<!`)`(envforge [^`\n]+)`(?!`)", FENCE.sub("", page.read_text()))
    ]


def links_of(page: Path) -> list[str]:
    """Give the targets of a page's links and pictures, code blocks left out."""
    text = re.sub(r"`[^`\n]+`", "", FENCE.sub("", page.read_text()))
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors_of(page: Path) -> set[str]:
    """Give the anchors that a page's headings make."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}
