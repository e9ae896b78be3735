"""Ways out and what would unlock more: give these up and get that, each one tried before it is said."""

from __future__ import annotations

from collections.abc import Iterator

from envforge.model import Owner, Reason, WayOut
from envforge.resolve.changes import applied
from envforge.resolve.choose import minimal
from envforge.resolve.constraints import Change, Ruled
from envforge.resolve.inquiry import Inquiry, Ruling

WHO_CAN_ACT: tuple[Owner, ...] = ("spec", "source", "driver", "system", "card")


def ways_out(inquiry: Inquiry, ruling: Ruling, mask: int | None = None) -> tuple[WayOut, ...]:
    """Give every inclusion-minimal surrender that admits a candidate (of a mask), by who can act; each was tried.

    A surrender that no edit can make (another card) is said untried; one that was tried and did not help is left out.
    """
    groups = ruling.judged.by_broken()
    if mask is not None:
        groups = {broken: kept for broken, members in groups.items() if (kept := members & mask)}
    found = (_way(inquiry, ruling, broken, groups[broken]) for broken in minimal(groups) if broken)
    return tuple(way for _, way in sorted((each for each in found if each), key=lambda pair: pair[0]))


def _way(inquiry: Inquiry, ruling: Ruling, broken: int, members: int) -> tuple[tuple[int, ...], WayOut] | None:
    rules = ruling.named(broken)
    index = max(members_of(ruling, members), key=lambda each: ruling.ranking.wish(ruling.judged.candidates[each]))
    candidate = ruling.candidate(index)
    changes = [rule.change(candidate) for rule in rules]
    gets = candidate
    if all(changes):
        after = tried(inquiry, ruling, tuple(change for change in changes if change))
        if after is None:
            return None
        gets = after.candidate(after.ranked()[0])
    way = WayOut(
        gives_up=tuple(reason_of(rule, rule.why(candidate)) for rule in rules),
        gets=gets,
        hint=" and ".join(dict.fromkeys(rule.fix(candidate) for rule in rules)),
    )
    return (max(WHO_CAN_ACT.index(rule.owner) for rule in rules), len(rules)), way


def members_of(ruling: Ruling, mask: int) -> Iterator[int]:
    """Give the candidates of a mask, one for each build: its best Python."""
    return iter(ruling.ranked(mask))


def tried(inquiry: Inquiry, ruling: Ruling, changes: tuple[Change, ...]) -> Ruling | None:
    """Ask again with the changes made; None when nothing is admissible even then."""
    spec, machines, offers = applied(changes, (ruling.spec, ruling.machines, inquiry.offers))
    after = inquiry.ask(spec, machines, offers)
    return after if after.judged.admissible else None


def reason_of(rule: Ruled, text: str) -> Reason:
    """Make a rule's sentence a reason, with its owner and sources."""
    return Reason(rule=rule.rule, text=text, owner=rule.owner, where=rule.where)
