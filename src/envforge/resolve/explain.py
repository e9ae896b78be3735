"""Why this one, why not the others, and what to know before going on: values, no layout."""

from __future__ import annotations

from collections.abc import Iterable

from envforge.model import Build, Owner, Reason, Rejected, RejectedRange
from envforge.resolve.choose import bits
from envforge.resolve.constraints import Ruled, named
from envforge.resolve.inquiry import Inquiry, Ruling
from envforge.resolve.rank import WHY
from envforge.resolve.ways import reason_of

MOST_TELLING: tuple[Owner, ...] = ("card", "driver", "source", "system", "spec")


def better(ruling: Ruling, best: int) -> tuple[int, ...]:
    """Give the forbidden candidates that would rank above the best if they were allowed; one per build, best first."""
    wish = ruling.ranking.wish
    bar = wish(ruling.judged.candidates[best])
    served = {id(ruling.judged.candidates[index].build) for index in bits(ruling.judged.admissible)}
    forbidden = ~ruling.judged.admissible & ((1 << len(ruling.judged.candidates)) - 1)
    above = (
        index
        for index in nearest(ruling, forbidden)
        if id(ruling.judged.candidates[index].build) not in served and wish(ruling.judged.candidates[index]) > bar
    )
    return _by_wish(ruling, above)


def wished(ruling: Ruling, mask: int) -> tuple[int, ...]:
    """Give one candidate for each build of a mask, the one first that would be best if the machine ran it."""
    return _by_wish(ruling, nearest(ruling, mask))


def _by_wish(ruling: Ruling, indexes: Iterable[int]) -> tuple[int, ...]:
    wish, candidates = ruling.ranking.wish, ruling.judged.candidates
    return tuple(sorted(indexes, key=lambda index: wish(candidates[index]), reverse=True))


def nearest(ruling: Ruling, mask: int) -> Iterable[int]:
    """Give one candidate for each build: the one that breaks fewest rules, then the best Python."""
    fewest = {
        index: broken.bit_count()
        for broken, members in ruling.judged.by_broken().items()
        for index in bits(members & mask)
    }
    return ruling.one_of_each(mask, fewest.__getitem__)


def rejected(ruling: Ruling, indexes: Iterable[int]) -> tuple[Rejected, ...]:
    """Say of each candidate which rules forbid it, the most telling first."""
    return tuple(
        Rejected(
            candidate=ruling.candidate(index),
            reasons=tuple(
                reason_of(rule, ruling.candidate(index)) for rule in sorted(ruling.broken(index), key=_telling)
            ),
        )
        for index in indexes
    )


def _telling(rule: Ruled) -> tuple[int, str]:
    return MOST_TELLING.index(rule.owner), rule.rule


def ranges(ruling: Ruling, indexes: Iterable[int]) -> tuple[RejectedRange, ...]:
    """Group candidates that the same rule forbids with the same remedy into runs of neighbouring releases."""
    order = sorted({candidate.build.torch for candidate in ruling.judged.candidates})
    place = {version: at for at, version in enumerate(order)}
    groups: dict[tuple[str, str], list[tuple[int, Ruled]]] = {}
    for index in indexes:
        rule = min(ruling.broken(index), key=_telling)
        same = "" if rule.owner == "spec" else rule.fix(ruling.candidate(index))
        groups.setdefault((rule.rule, same), []).append((index, rule))
    return tuple(
        _range(ruling, run)
        for members in groups.values()
        for run in _runs([(place[ruling.judged.candidates[index].build.torch], index, rule) for index, rule in members])
    )


_Member = tuple[int, int, Ruled]


def _runs(members: list[_Member]) -> list[list[_Member]]:
    """Cut members, newest first, wherever a release between two of them is missing."""
    runs: list[list[_Member]] = []
    for member in members:
        if runs and runs[-1][-1][0] - member[0] <= 1:
            runs[-1].append(member)
        else:
            runs.append([member])
    return runs


def _range(ruling: Ruling, run: list[_Member]) -> RejectedRange:
    builds = [ruling.judged.candidates[index].build for _, index, _ in run]
    _, newest, rule = run[0]
    told = rule.why_all([ruling.candidate(index) for _, index, _ in run])
    first, last = min(build.torch for build in builds), max(build.torch for build in builds)
    return RejectedRange(
        torch=str(last) if first == last else f"{first}-{last}",
        variants=tuple(sorted({build.variant for build in builds})),
        sources=tuple(sorted({build.source for build in builds})),
        reason=reason_of(rule, ruling.candidate(newest), told),
    )


def differing(ruling: Ruling, best: int, other: int) -> str:
    """Name in words the first field of the rank in which one admissible candidate beats another."""
    one, two = ruling.rank(best), ruling.rank(other)
    return next(WHY[name] for name in one._fields if getattr(one, name) != getattr(two, name))


def reasons(inquiry: Inquiry, ruling: Ruling, best: int, runner_up: int | None) -> tuple[Reason, ...]:
    """Say why the best is the best: what the machine allows, how the GPU runs it, what it was preferred to and why."""
    found = [
        reason_of(rule, ruling.candidate(best), told)
        for rule in ruling.rules
        if (told := rule.praise(ruling.candidate(best)))
    ]
    if runner_up is not None:
        other = ruling.candidate(runner_up).build
        told = _preferred(other, differing(ruling, best, runner_up))
        found.append(Reason(rule="rank", text=told, owner="system"))
    return tuple(found)


def _preferred(other: Build, differs: str) -> str:
    next_one = f"{named(other)} of {other.source}"
    if differs == WHY["torch"]:
        return f"the newest torch that serves here; the next is {next_one}"
    return f"preferred to {next_one}: {differs}"
