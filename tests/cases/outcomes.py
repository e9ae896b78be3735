"""The classes of what a resolver can answer, and the table of the hundred real files.

``python tests/cases/outcomes.py`` writes the answers of today into the cases, and the table into the docs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from envforge.detect import read_machine
from envforge.facts import Facts, load_facts
from envforge.model import Choice, Conflict, Machine
from envforge.resolve import resolve
from envforge.spec import parse_spec
from envforge.wire import read_yaml, write_yaml

HERE = Path(__file__).parent
CASES = HERE / "specs.yaml"
TABLE = HERE.parents[1] / "docs" / "reference" / "outcomes.md"
PROFILES = HERE.parent / "machines" / "profiles"
ORDER = (
    "a100-535.104",
    "h100-550.54",
    "rtx3090-470.57",
    "rtx4090-545.23",
    "rtx5090-570.86",
    "v100-450.80",
    "t4-525.60",
    "gtx1080ti-580.65",
    "b200-580.65",
    "h200-580.159",
    "laptop-nogpu",
    "apple-m3",
)
SHORT = {
    "accept": ("runs", "a build whose CUDA the driver speaks itself"),
    "minor-compat": (
        "minor",
        "runs by minor-version compatibility; what is compiled at run time may need a newer driver",
    ),
    "cpu": ("cpu", "a build for the CPU, on a machine without an NVIDIA GPU or because the file asks for it"),
    "cpu-on-request": (
        "cpu?",
        "refused, since the file asks for CUDA where no NVIDIA GPU is; a way out is the CPU build",
    ),
    "needs-another-source": (
        "other",
        "refused as asked; a way out is another CUDA or another source, torch's version kept",
    ),
    "reject-by-arch": (
        "card",
        "refused: no torch within the pins has code for the card, or a driver's branch serves it not",
    ),
    "reject-by-driver": ("driver", "refused: the driver is too old for every CUDA within the pins"),
    "needs": ("needs", "refused: the project needs a capability that the machine has not"),
    "no-build": ("none", "refused: no source has what the pins ask for"),
}


@cache
def document() -> dict[str, Any]:
    """Read the cases."""
    plain: dict[str, Any] = read_yaml(CASES.read_text(), str(CASES)).plain
    return plain


@cache
def facts() -> Facts:
    return load_facts()


@cache
def machine(name: str) -> Machine:
    """Read one of the twelve machines."""
    path = PROFILES / f"{name}.yaml"
    return read_machine(path.read_text(), str(path), facts())


def by_machine(classes: Mapping[str, Any]) -> dict[str, str]:
    """Turn a table of machines by class around."""
    return {name: key for key, names in classes.items() for name in (ORDER if names == "all" else names)}


def answer(case: Mapping[str, Any], name: str) -> str:
    """Resolve one case on one machine and give the class of what came of it."""
    spec = parse_spec(write_yaml(case["spec"]), f"{case['id']}.yaml")
    outcome = resolve(spec, (machine(name),), facts())
    return _chosen(outcome) if isinstance(outcome, Choice) else refused(outcome, has_gpu=bool(machine(name).gpus))


def _chosen(choice: Choice) -> str:
    if choice.best.build.cuda is None:
        return "cpu"
    return "minor-compat" if choice.native is False else "accept"


def refused(conflict: Conflict, *, has_gpu: bool) -> str:
    """Give the class of a refusal."""
    if {"needs"} in ({reason.rule for reason in core} for core in conflict.cores):
        return "needs"
    ways = [({reason.rule for reason in way.gives_up}, way.gets.build.cuda is not None) for way in conflict.ways_out]
    if not has_gpu:
        return (
            "cpu-on-request"
            if any(rules <= {"cuda", "gpu", "sources"} and not gpu for rules, gpu in ways)
            else "no-build"
        )
    if any(rules <= {"cuda", "sources"} and gpu for rules, gpu in ways):
        return "needs-another-source"
    owners = {reason.owner for core in conflict.cores for reason in core}
    return "reject-by-arch" if "card" in owners else "reject-by-driver" if "driver" in owners else "no-build"


def table() -> str:
    """Write the page of the docs from the cases."""
    cases = document()["cases"]
    return "\n".join([*_head(cases), *(_row(case) for case in cases), "", *_legend(), *_reasons(), ""])


def _head(cases: list[Any]) -> Iterator[str]:
    differing = sum(len(by_machine(case.get("better", {}))) for case in cases)
    yield "# A hundred real files on twelve machines"
    yield ""
    yield (
        f"What envforge answers for what {len(cases)} public environment files ask of torch, on {len(ORDER)} machines, from facts"
        f" alone. Of {len(cases) * len(ORDER)} answers, {len(cases) * len(ORDER) - differing} are what whoever collected the"
        f" files expected; {differing} are not, and carry the letter of the reason why."
    )
    yield ""
    yield "This page is written by `tests/cases/outcomes.py`; a test resolves every case anew."
    yield ""
    yield "| file | " + " | ".join(ORDER) + " |"
    yield "|---" * (len(ORDER) + 1) + "|"


def _row(case: Mapping[str, Any]) -> str:
    answers, better = by_machine(case["answers"]), by_machine(case.get("better", {}))
    cells = (
        SHORT[answers[name]][0] + (f" <sup>{_letter(better[name])}</sup>" if name in better else "") for name in ORDER
    )
    repository, _, path = case["from"].partition(" ")
    shown = (
        f"[{repository.split('@')[0]}](https://github.com/{repository.replace('@', '/blob/')}/{path}) {Path(path).name}"
    )
    return f"| {shown} | " + " | ".join(cells) + " |"


def _letter(reason: str) -> str:
    return "abcdefghijklmnopqrstuvwxyz"[list(document()["reasons"]).index(reason)]


def _legend() -> Iterator[str]:
    yield "## The words"
    yield ""
    yield from (f"* **{short}**: {meaning}." for short, meaning in SHORT.values())
    yield ""


def _reasons() -> Iterator[str]:
    yield "## Why an answer differs from what was expected"
    yield ""
    yield from (f"* **{_letter(name)}** {' '.join(text.split())}" for name, text in document()["reasons"].items())


def rewrite(text: str) -> str:
    """Put the answers of today into the text of the cases."""
    for case in document()["cases"]:
        classes: dict[str, list[str]] = {}
        for name in ORDER:
            classes.setdefault(answer(case, name), []).append(name)
        lines = "".join(f"    {key}: {_names(names)}\n" for key, names in classes.items())
        block = rf"(- id: {re.escape(case['id'])}\n(?:  .*\n)*?  answers:\n)(?:    .*\n)+"
        text = re.sub(block, lambda match, lines=lines: match[1] + lines, text)  # type: ignore[misc]
    return text


def _names(names: list[str]) -> str:
    return "all" if len(names) == len(ORDER) else f"[{', '.join(names)}]"


if __name__ == "__main__":
    CASES.write_text(rewrite(CASES.read_text()))
    document.cache_clear()
    TABLE.write_text(table())
