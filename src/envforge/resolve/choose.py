"""Choosing without search: ask every constraint about every candidate, then look at the sets that came out.

Sets are bit masks. In `Judged`, bit *i* of a mask stands for candidate *i*; in broken sets, ways out and cores,
bit *j* stands for constraint *j*. Laws (held by hypothesis against brute force): a candidate is admissible exactly
when its broken set is empty; the ways out are the inclusion-minimal broken sets; the cores are all their minimal
hitting sets; another constraint never helps; order is irrelevant.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from operator import attrgetter

from envforge.model import Candidate, Constraint, value

_READS: dict[str, Callable[[Candidate], object]] = {
    "build": lambda candidate: id(candidate.build),
    "python": attrgetter("python"),
    "candidate": id,
}


@value
class Judged:
    """What every constraint says of every candidate: who is forbidden, and of whom it could not tell."""

    candidates: tuple[Candidate, ...]
    constraints: tuple[Constraint, ...]
    forbids: tuple[int, ...]
    unknown: tuple[int, ...]

    @property
    def admissible(self) -> int:
        """The mask of the candidates that no constraint forbids."""
        return ~union(self.forbids) & ((1 << len(self.candidates)) - 1)

    def among(self, mask: int) -> tuple[Candidate, ...]:
        """Give the candidates of a mask, in their order."""
        return tuple(self.candidates[index] for index in bits(mask))

    def broken(self, index: int) -> int:
        """Give the mask of the constraints that forbid one candidate."""
        return sum(1 << place for place, mask in enumerate(self.forbids) if mask >> index & 1)

    def untold(self, index: int) -> int:
        """Give the mask of the constraints that cannot tell of one candidate."""
        return sum(1 << place for place, mask in enumerate(self.unknown) if mask >> index & 1)

    def by_broken(self) -> dict[int, int]:
        """Group the candidates: broken set -> mask of those that break exactly it."""
        groups = {0: (1 << len(self.candidates)) - 1}
        for place, forbidden in enumerate(self.forbids):
            groups = dict(_split(groups, place, forbidden))
        return groups


def _split(groups: dict[int, int], place: int, forbidden: int) -> Iterator[tuple[int, int]]:
    for broken, mask in groups.items():
        if kept := mask & ~forbidden:
            yield broken, kept
        if lost := mask & forbidden:
            yield broken | 1 << place, lost


class Panel:
    """The candidates, grouped by what rules can tell apart; remembers the answer of every rule it was asked."""

    def __init__(self, candidates: tuple[Candidate, ...]) -> None:
        self.candidates = candidates
        self._groups = {reads: _group(candidates, key) for reads, key in _READS.items()}
        self._answers: dict[Constraint, tuple[int, int]] = {}

    def judge(self, constraints: tuple[Constraint, ...]) -> Judged:
        """Ask every constraint about every candidate, once per group that it can tell apart (its ``reads``)."""
        answers = [self._ask(constraint) for constraint in constraints]
        forbids, unknown = zip(*answers, strict=True) if answers else ((), ())
        return Judged(candidates=self.candidates, constraints=constraints, forbids=forbids, unknown=unknown)

    def _ask(self, constraint: Constraint) -> tuple[int, int]:
        if constraint not in self._answers:
            self._answers[constraint] = _answer(constraint, self._groups[getattr(constraint, "reads", "candidate")])
        return self._answers[constraint]


def judge(candidates: tuple[Candidate, ...], constraints: tuple[Constraint, ...]) -> Judged:
    """Ask every constraint about every candidate."""
    return Panel(candidates).judge(constraints)


def _group(candidates: tuple[Candidate, ...], key: Callable[[Candidate], object]) -> list[tuple[Candidate, int]]:
    masks: dict[object, int] = defaultdict(int)
    firsts: dict[object, Candidate] = {}
    for index, candidate in enumerate(candidates):
        same = key(candidate)
        masks[same] |= 1 << index
        firsts.setdefault(same, candidate)
    return [(firsts[same], mask) for same, mask in masks.items()]


def _answer(constraint: Constraint, groups: list[tuple[Candidate, int]]) -> tuple[int, int]:
    forbids = unknown = 0
    for candidate, mask in groups:
        answer = constraint.allows(candidate)
        if answer is None:
            unknown |= mask
        elif not answer:
            forbids |= mask
    return forbids, unknown


def bits(mask: int) -> Iterator[int]:
    """Give the places of the set bits, lowest first."""
    while mask:
        lowest = mask & -mask
        yield lowest.bit_length() - 1
        mask ^= lowest


def union(masks: Iterable[int]) -> int:
    """Give the mask of everything that is in any of them."""
    joined = 0
    for mask in masks:
        joined |= mask
    return joined


def minimal(sets: Iterable[int]) -> tuple[int, ...]:
    """Keep the sets that contain no other of them; smallest first, then by value."""
    kept: list[int] = []
    for each in sorted(set(sets), key=lambda mask: (mask.bit_count(), mask)):
        if all(smaller & each != smaller for smaller in kept):
            kept.append(each)
    return tuple(kept)


def hitting_sets(sets: Iterable[int], most: int | None = None) -> tuple[int, ...]:
    """Give all inclusion-minimal sets that meet every one of these (Berge's fold).

    With ``most``, all of those up to that size. An empty set among them cannot be met: then there is none.
    """
    found: tuple[int, ...] = (0,)
    for each in sets:
        grown = {hit for hit in found if hit & each}
        grown |= {hit | 1 << place for hit in found if not hit & each for place in bits(each)}
        found = minimal(hit for hit in grown if most is None or hit.bit_count() <= most)
    return found
