"""What each spec of ``envspecs/`` gets on the twelve machines and on its own targets, and the page that shows it.

``python tests/cases/starting.py`` writes the answers of today into the cases, and the page into the docs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from cases.outcomes import ORDER, SHORT, facts, machine, refused
from envforge.detect import read_machine
from envforge.model import Choice, Machine, Spec
from envforge.resolve import resolve
from envforge.spec import parse_spec
from envforge.wire import read_yaml, write_yaml

HERE = Path(__file__).parent
CASES = HERE / "envspecs.yaml"
PAGE = HERE.parents[1] / "docs" / "reference" / "envspecs.md"
SPECS = sorted(path for path in (HERE.parents[1] / "envspecs").glob("*.yaml") if not path.name.endswith(".lock.yaml"))
PLACES = {"pytorch": "pytorch", "pypi": "PyPI", "conda-forge": "conda-forge"}
HEAD = """\
# Specs to start from

Each file in `envspecs/` answers one question. Copy the nearest, and change it: `envforge plan` says what becomes of it.

This page is written by `tests/cases/starting.py` from the files; a test plans every spec on every machine anew.
"""
WORDS = {
    "no GPU": "refused: the spec asks for a GPU, and there is none; the ways out name what to leave out",
    "asked": "facts cannot know its sources: `plan` asks them",
}
NOTE = """
What each gets on the twelve machines, from facts alone: torch, and the CUDA that it is built for. A plan decides torch,
Python and companions; whether the other packages of a spec exist for a platform shows when it is locked.
"""


@cache
def expected() -> dict[str, dict[str, list[str]]]:
    """Read the cases: by spec, by answer, the machines."""
    plain: dict[str, dict[str, list[str]]] = read_yaml(CASES.read_text(), str(CASES)).plain
    return plain


def by_machine(answers: Mapping[str, list[str]]) -> dict[str, str]:
    """Turn a table of machines by answer around."""
    return {name: answer for answer, names in answers.items() for name in names}


def answers_of(path: Path) -> dict[str, str]:
    """Plan a spec on the twelve machines, then on each of its own targets."""
    spec = parse_spec(path.read_text(), str(path))
    there = {name: machine(name) for name in ORDER} | dict(_targets(path))
    return {name: _answer(spec, each) for name, each in there.items()}


def _targets(path: Path) -> Iterator[tuple[str, Machine]]:
    plain = read_yaml(path.read_text(), str(path)).plain
    for name, profile in plain.get("targets", {}).items():
        yield f"its {name}", read_machine(write_yaml(profile), name, facts())


def _answer(spec: Spec, there: Machine) -> str:
    if not set(spec.sources) & set(PLACES):
        return "asked"
    outcome = resolve(spec, (there,), facts())
    if not isinstance(outcome, Choice):
        return SHORT[refused(outcome, has_gpu=True)][0] if there.gpus else "no GPU"
    build = outcome.best.build
    cuda = "cpu" if build.cuda is None else build.cuda
    pairs = "".join(f", {name} {version}" for name, version in outcome.best.companions)
    return f"{build.torch} {cuda} {PLACES[build.source]} py{outcome.best.python}{pairs}"


def question(path: Path) -> str:
    """Give the head comment of a spec."""
    lines = [line[2:] for line in path.read_text().splitlines() if line.startswith("# ")]
    return " ".join(lines)


def page() -> str:
    """Write the page from the files and the cases."""
    return "\n".join([HEAD, *_questions(), NOTE, *_table(), "", *_targets_table(), "", *_legend(), ""])


def _questions() -> Iterator[str]:
    yield "| spec | which question it answers |"
    yield "|---|---|"
    for path in SPECS:
        asked, mark, answer = question(path).partition("?")
        yield f"| [{path.stem}](#{path.stem}) | **{asked}{mark}**{answer} |"


def _table() -> Iterator[str]:
    yield "| spec | " + " | ".join(ORDER) + " |"
    yield "|---" * (len(ORDER) + 1) + "|"
    for path in SPECS:
        told = by_machine(expected()[path.stem])
        yield f"| {path.stem} | " + " | ".join(_cell(told[name]) for name in ORDER) + " |"


def _targets_table() -> Iterator[str]:
    yield "| spec | on its own target | gets |"
    yield "|---|---|---|"
    for path in SPECS:
        for name, answer in by_machine(expected()[path.stem]).items():
            if name.startswith("its "):
                yield f"| {path.stem} | {name.removeprefix('its ')} | {_cell(answer)} |"


def _cell(answer: str) -> str:
    torch, *rest = answer.split()
    return f"{torch} {rest[0]}" if len(rest) > 1 else answer


def _legend() -> Iterator[str]:
    shown = {answer for answers in expected().values() for answer in answers}
    words = {**dict(SHORT.values()), **WORDS}
    yield from (f"* **{short}**: {meaning}." for short, meaning in words.items() if short in shown)
    yield "* A version with `cpu` is a build for the CPU."
    yield ""
    yield "## The files"
    for path in SPECS:
        yield f"\n### {path.stem}\n\n```yaml\n{path.read_text().rstrip()}\n```"


def rewritten() -> str:
    """Give the cases with the answers of today."""
    text = re.match(r"(?:#.*\n)*", CASES.read_text())[0]  # type: ignore[index]
    for path in SPECS:
        found: dict[str, list[str]] = {}
        for name, answer in answers_of(path).items():
            found.setdefault(answer, []).append(name)
        text += f"{path.stem}:\n" + "".join(f'  "{key}": [{", ".join(names)}]\n' for key, names in found.items())
    return text


if __name__ == "__main__":
    CASES.write_text(rewritten())
    expected.cache_clear()
    PAGE.write_text(page())
