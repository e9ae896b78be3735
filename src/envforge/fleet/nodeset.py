"""Names of many nodes in few characters, as Slurm writes them: ``node[001-040,050]``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from envforge.errors import UsageError

MOST_NODES = 100_000
NUMBERED = re.compile(r"(?P<stem>.*?)(?P<number>\d+)")
ENTRY = re.compile(r"[^\[\],]*(?:\[[^\[\]]*\][^\[\],]*)?")


def fold(names: Iterable[str]) -> str:
    """Write names together; those that have no number at their end stand as they are."""
    stems: dict[tuple[str, int], list[int]] = {}
    plain: list[str] = []
    for name in dict.fromkeys(names):
        if found := NUMBERED.fullmatch(name):
            stems.setdefault((found["stem"], len(found["number"])), []).append(int(found["number"]))
        else:
            plain.append(name)
    return ",".join([*plain, *(_folded(stem, width, sorted(numbers)) for (stem, width), numbers in stems.items())])


def _folded(stem: str, width: int, numbers: list[int]) -> str:
    if len(numbers) == 1:
        return f"{stem}{numbers[0]:0{width}}"
    runs = (list(run) for _, run in groupby(enumerate(numbers), key=lambda pair: pair[1] - pair[0]))
    ends = ((run[0][1], run[-1][1]) for run in runs)
    ranges = (f"{first:0{width}}" + (f"-{last:0{width}}" if last > first else "") for first, last in ends)
    return f"{stem}[{','.join(ranges)}]"


def unfold(text: str) -> tuple[str, ...]:
    """Give the names of ``gpu1,node[001-040,050]``, each once. Raises UsageError."""
    entries = [each for each in ENTRY.findall(text.replace(" ", "")) if each]
    if ",".join(entries) != text.replace(" ", "").strip(","):
        raise UsageError(f"`{text}` is not a set of nodes", (), ("write it as `gpu1,node[001-040,050]`",))
    return tuple(dict.fromkeys(name for entry in entries for name in _unfolded(entry, text)))


def _unfolded(entry: str, text: str) -> Iterator[str]:
    stem, bracket, rest = entry.partition("[")
    if not bracket:
        yield stem
        return
    inside, _, tail = rest.partition("]")
    for part in inside.split(","):
        found = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if not found or int(found[2] or found[1]) - int(found[1]) not in range(MOST_NODES):
            raise UsageError(f"`{text}` is not a set of nodes", (), (f"`[{inside}]` has no numbers like `001-040`",))
        width = len(found[1])
        yield from (f"{stem}{at:0{width}}{tail}" for at in range(int(found[1]), int(found[2] or found[1]) + 1))
