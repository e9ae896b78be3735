"""Ways out and what would unlock more: give these up and get that, each one tried before it is said."""

from __future__ import annotations

from collections.abc import Iterator

from envforge.model import Candidate, Dotted, Driver, Owner, Reason, WayOut, value
from envforge.resolve.changes import applied
from envforge.resolve.choose import bits, minimal
from envforge.resolve.constraints import Change, Ruled
from envforge.resolve.constraints.driver import DriverFloor
from envforge.resolve.inquiry import Inquiry, Ruling

WHO_CAN_ACT: tuple[Owner, ...] = ("spec", "source", "driver", "system", "card")


@value
class Way:
    """A surrender: the rules given up for a candidate, and what it gives.

    ``changes`` are what was tried to get it; empty when no edit can make it (another card, another platform).
    """

    rules: tuple[Ruled, ...]
    aimed_at: Candidate
    gets: Candidate
    changes: tuple[Change, ...]

    @property
    def order(self) -> tuple[int, int]:
        """Sort by who can act, then by how much is to be done."""
        return max(WHO_CAN_ACT.index(rule.owner) for rule in self.rules), len(self.rules)

    def told(self) -> WayOut:
        """Say it."""
        return WayOut(
            gives_up=tuple(reason_of(rule, self.aimed_at) for rule in self.rules),
            gets=self.gets,
            hint=" and ".join(dict.fromkeys(rule.fix(self.aimed_at) for rule in self.rules)),
        )


def ways(inquiry: Inquiry, ruling: Ruling, mask: int | None = None) -> tuple[Way, ...]:
    """Give every inclusion-minimal surrender that admits a candidate (of a mask), by who can act.

    Each that an edit of spec or machine can make was tried; one that did not help then is left out.
    """
    groups = ruling.judged.by_broken()
    if mask is not None:
        groups = {broken: kept for broken, members in groups.items() if (kept := members & mask)}
    sets = ((ruling.named(broken), groups[broken]) for broken in minimal(groups) if broken)
    found = (_way(inquiry, ruling, rules, aim) for rules, members in sets for aim in _aims(ruling, rules, members))
    return tuple(sorted((way for way in found if way), key=lambda way: way.order))


def _aims(ruling: Ruling, rules: tuple[Ruled, ...], members: int) -> Iterator[Candidate]:
    """Give what a surrender would be made for: the least newer driver that helps, and the best of all."""
    runs_well = all(rule.owner in ("spec", "source") for rule in rules)
    best = ruling.candidate(ruling.best(members) if runs_well else ruling.wished(members))
    floor = next((rule for rule in rules if isinstance(rule, DriverFloor)), None)
    if floor is not None and isinstance(floor.driver, Driver):
        steps = {index: _step(floor, ruling.judged.candidates[index]) for index in bits(members)}
        least = min(steps.values())
        if least < _step(floor, best):
            yield ruling.candidate(ruling.wished(sum(1 << index for index, step in steps.items() if step == least)))
    yield best


def _step(floor: Ruled, candidate: Candidate) -> Dotted:
    change = floor.change(candidate)
    return Dotted(change.to) if change and change.to else Dotted("0")


def _way(inquiry: Inquiry, ruling: Ruling, rules: tuple[Ruled, ...], candidate: Candidate) -> Way | None:
    changes = tuple(change for rule in rules if (change := rule.change(candidate)))
    if len(changes) < len(rules):
        return Way(rules=rules, aimed_at=candidate, gets=candidate, changes=())
    after = tried(inquiry, ruling, changes)
    if not after.judged.admissible:
        return None
    return Way(rules=rules, aimed_at=candidate, gets=after.candidate(after.best()), changes=changes)


def ways_out(inquiry: Inquiry, ruling: Ruling) -> tuple[WayOut, ...]:
    """Give every smallest way out of a conflict; two that are one action with one result are said once."""
    said: dict[tuple[str, Candidate], WayOut] = {}
    for way in ways(inquiry, ruling):
        told = way.told()
        said.setdefault((told.hint, told.gets), told)
    return tuple(said.values())


def unlocks(inquiry: Inquiry, ruling: Ruling, best: int, mask: int) -> tuple[WayOut, ...]:
    """Give the edits that lead to a candidate of a mask, and to something better than the best."""
    wish = ruling.ranking.wish
    bar = wish(ruling.candidate(best))[:-1]
    return tuple(way.told() for way in ways(inquiry, ruling, mask) if way.changes and wish(way.gets)[:-1] > bar)


def tried(inquiry: Inquiry, ruling: Ruling, changes: tuple[Change, ...]) -> Ruling:
    """Ask again with the changes made."""
    return inquiry.ask(*applied(changes, (ruling.spec, ruling.machines, inquiry.offers)))


def reason_of(rule: Ruled, candidate: Candidate, text: str | None = None) -> Reason:
    """Say why a rule forbids a candidate (or ``text`` of it), with its owner and where its facts stand."""
    told = rule.why(candidate) if text is None else text
    return Reason(rule=rule.rule, text=told, owner=rule.owner, where=(*rule.where, *rule.provenance(candidate)))
