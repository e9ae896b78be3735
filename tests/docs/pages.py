"""The pages that people read, and the commands that they show."""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")])
FENCE = re.compile(r"^([ ]*)```(\w*)[ ]?([^\n]*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One command as a page shows it, with the exit code that it promises."""

    text: str
    exit: int = 0
    network: bool = False


def shown_in(page: Path) -> list[Shown]:
    """Give the commands of a page's ``console`` blocks, in order; ``# exit 1`` promises a code."""
    found: list[Shown] = []
    for match in FENCE.finditer(page.read_text()):
        if match[2] == "console":
            body = textwrap.dedent(match[4])
            found += [_shown(text, "network" in match[3]) for text in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]]
    return found


def _shown(text: str, network: bool) -> Shown:
    promised = re.search(r"# exit (\d+)$", text, re.MULTILINE)
    return Shown(text=text.rstrip("\n"), exit=int(promised[1]) if promised else 0, network=network)


def links_of(page: Path) -> list[str]:
    """Give the targets of a page's links and pictures, code blocks left out."""
    text = re.sub(r"`[^`\n]+`", "", FENCE.sub("", page.read_text()))
    return re.findall(r"\]\(([^)\s]+)\)", text)


def anchors_of(page: Path) -> set[str]:
    """Give the anchors that a page's headings make."""
    heads = re.findall(r"^#+ (.+)$", FENCE.sub("", page.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).strip().replace(" ", "-") for head in heads}
