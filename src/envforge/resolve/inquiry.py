"""One question, asked as often as needed: spec and machines against the same candidates, answers remembered."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from copy import copy
from dataclasses import replace

from envforge.facts import Facts
from envforge.model import Candidate, Machine, Offer, Spec, value
from envforge.resolve.candidates import candidates
from envforge.resolve.choose import Judged, Panel, bits
from envforge.resolve.constraints import Ruled, constraints_of
from envforge.resolve.rank import Rank, Ranking, of_python

Builds = tuple[tuple[int, tuple[int, ...]], ...]
ANY_SUBDIR = ("linux-64", "linux-aarch64", "osx-arm64", "win-64")


@value
class Ruling:
    """What came of asking once: every rule's answers, and how candidates rank.

    ``builds`` gives of each build the mask of its candidates, and their places, the best Python first; ``doubts`` the
    masks of those of whom some rule cannot tell.
    """

    spec: Spec
    machines: tuple[Machine, ...]
    rules: tuple[Ruled, ...]
    judged: Judged
    ranking: Ranking
    builds: Builds
    doubts: tuple[int, ...]

    def unknown(self, index: int) -> int:
        """Count the rules that cannot tell of one candidate."""
        return sum([mask >> index & 1 for mask in self.doubts])

    def rank(self, index: int) -> Rank:
        """Rank one candidate, unknown rules counted."""
        return self.ranking.rank(self.judged.candidates[index], self.unknown(index))

    def ranked(self, mask: int | None = None) -> tuple[int, ...]:
        """Give the admissible candidates (or those of a mask), best first, one for each build: its best Python."""
        return tuple(sorted(self.one_of_each(self._admissible(mask)), key=self.rank, reverse=True))

    def best(self, mask: int | None = None) -> int:
        """Give the first of `ranked`, without ranking the others. There must be one."""
        return max(self.one_of_each(self._admissible(mask)), key=self.rank)

    def wished(self, mask: int) -> int:
        """Give the candidate of a mask that would be best if the machine ran it perfectly."""
        wish, candidates = self.ranking.wish, self.judged.candidates
        return max(self.one_of_each(mask), key=lambda index: wish(candidates[index]))

    def _admissible(self, mask: int | None) -> int:
        return self.judged.admissible if mask is None else mask

    def one_of_each(self, mask: int, misses: Callable[[int], int] | None = None) -> Iterator[int]:
        """Give of each build in a mask the candidate that misses least, then the best known, then the best Python."""
        for same, places in self.builds:
            if both := same & mask:
                there = (at for at in places if both >> at & 1)
                if misses is not None:
                    yield min(there, key=lambda at: (misses(at), self.unknown(at)))
                else:
                    yield min(there, key=self.unknown) if self._tells_apart(both) else next(there)

    def _tells_apart(self, mask: int) -> bool:
        """Say whether some rule cannot tell of some candidates of a mask, and can of others."""
        return any(0 != mask & doubt != mask for doubt in self.doubts)

    def candidate(self, index: int) -> Candidate:
        """Give one candidate, with the companions that this spec asks for."""
        found = self.judged.candidates[index]
        kept = tuple(pair for pair in found.companions if pair[0] in self.spec.companions)
        return found if kept == found.companions else replace(found, companions=kept)

    def broken(self, index: int) -> tuple[Ruled, ...]:
        """Give the rules that forbid one candidate."""
        return self.named(self.judged.broken(index))

    def named(self, mask: int) -> tuple[Ruled, ...]:
        """Give the rules of a mask."""
        return tuple(self.rules[place] for place in bits(mask))


class Inquiry:
    """Facts and offers as candidates; `ask` it for a spec and machines, as they are or as they could be."""

    def __init__(self, spec: Spec, machines: tuple[Machine, ...], facts: Facts, offers: tuple[Offer, ...]) -> None:
        self.spec, self.machines, self.facts, self.offers = spec, machines, facts, offers
        self.panel = Panel(candidates(subdirs(machines), facts, offers, spec.companions))
        self._builds = _by_build(self.panel.candidates, facts)

    def about(self, machines: tuple[Machine, ...]) -> Inquiry:
        """Put the same question for other machines of the same platforms; answers already given are kept."""
        other = copy(self)
        other.machines = machines
        return other

    def ask(
        self,
        spec: Spec | None = None,
        machines: tuple[Machine, ...] | None = None,
        offers: tuple[Offer, ...] | None = None,
    ) -> Ruling:
        """Judge every candidate; what is left out is as the question was put first."""
        spec = self.spec if spec is None else spec
        machines = self.machines if machines is None else machines
        rules = constraints_of(spec, machines, self.facts, self.offers if offers is None else offers)
        judged = self.panel.judge(rules)
        return Ruling(
            spec=spec,
            machines=machines,
            rules=rules,
            judged=judged,
            ranking=Ranking(spec, machines, self.facts),
            builds=self._builds,
            doubts=tuple(filter(None, judged.unknown)),
        )


def _by_build(candidates: tuple[Candidate, ...], facts: Facts) -> Builds:
    found: dict[int, list[int]] = {}
    for place, candidate in enumerate(candidates):
        found.setdefault(id(candidate.build), []).append(place)
    best_first = (
        sorted(places, key=lambda at: of_python(candidates[at], facts), reverse=True) for places in found.values()
    )
    return tuple((sum(1 << at for at in places), tuple(places)) for places in best_first)


def subdirs(machines: Iterable[Machine]) -> tuple[str, ...]:
    """Give the platforms of some machines, each once; every one for a machine of an unknown platform."""
    found = [machine.subdir for machine in machines]
    return tuple(dict.fromkeys(each for subdir in found for each in ((subdir,) if subdir else ANY_SUBDIR)))
