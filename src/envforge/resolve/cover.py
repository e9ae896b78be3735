"""Several machines: one environment where one serves all, else the fewest that together serve every machine.

A thousand machines of a fleet are a handful of kinds: machines with equal rules are one, and each rule is judged once.
"""

from __future__ import annotations

from collections.abc import Iterator

from envforge.facts import Facts
from envforge.model import Cover, Machine, Offer, Spec, value
from envforge.resolve.choose import minimal
from envforge.resolve.constraints import Ruled, constraints_of
from envforge.resolve.decide import answer
from envforge.resolve.inquiry import Inquiry


@value
class Kind:
    """Machines that the rules cannot tell apart, one of them to speak for all; ``allowed`` is a mask of candidates."""

    names: tuple[str, ...]
    sample: Machine
    allowed: int


def cover(spec: Spec, machines: tuple[Machine, ...], facts: Facts, offers: tuple[Offer, ...] = ()) -> tuple[Cover, ...]:
    """Give the fewest environments that serve these machines, each with its choice; then those that nothing serves.

    One cover with all machines when one environment does. A conflict names a machine that is an obstacle by itself.
    """
    inquiry = Inquiry(spec, machines, facts, offers)
    kinds = tuple(_kinds(inquiry))
    served = tuple(kind for kind in kinds if kind.allowed)
    teams = _fewest(served)
    order = sorted(teams, key=lambda team: -sum(len(kind.names) for kind in team))
    stuck = _by_obstacle(inquiry, tuple(kind for kind in kinds if not kind.allowed))
    return (*(_cover(inquiry, team) for team in order), *(_cover(inquiry, team, team[:1]) for team in stuck))


def _kinds(inquiry: Inquiry) -> Iterator[Kind]:
    groups: dict[frozenset[Ruled], list[Machine]] = {}
    for machine in inquiry.machines:
        rules = constraints_of(inquiry.spec, (machine,), inquiry.facts, inquiry.offers)
        groups.setdefault(frozenset(rules), []).append(machine)
    for distinct, members in groups.items():
        judged = inquiry.panel.judge(tuple(distinct))
        yield Kind(names=tuple(each.name for each in members), sample=members[0], allowed=judged.admissible)


def _by_obstacle(inquiry: Inquiry, kinds: tuple[Kind, ...]) -> tuple[tuple[Kind, ...], ...]:
    """Put the kinds together that nothing serves for the very same reasons."""
    teams: dict[frozenset[frozenset[Ruled]], list[Kind]] = {}
    for kind in kinds:
        ruling = inquiry.about((kind.sample,)).ask()
        ways = minimal(ruling.judged.by_broken())
        teams.setdefault(frozenset(frozenset(ruling.named(way)) for way in ways), []).append(kind)
    return tuple(map(tuple, teams.values()))


def _fewest(kinds: tuple[Kind, ...]) -> tuple[tuple[Kind, ...], ...]:
    """Split the kinds into the fewest teams whose members share a candidate, by exact search: deeper only if needed.

    Only the most demanding kinds are searched: one that allows all that another allows goes wherever that one goes.
    """
    demanding = minimal(kind.allowed for kind in kinds)
    found = next((each for most in range(len(kinds) + 1) if (each := _split(demanding, (), most)) is not None), ())
    homes: dict[int, list[Kind]] = {team: [] for team in found}
    for kind in kinds:
        homes[next(team for team in found if team & ~kind.allowed == 0)].append(kind)
    return tuple(map(tuple, homes.values()))


def _split(left: tuple[int, ...], teams: tuple[int, ...], most: int) -> tuple[int, ...] | None:
    """Put the first mask that is left into a team that still shares a candidate with it, or into a new one."""
    if not left:
        return teams
    mask, rest = left[0], left[1:]
    for place, shared in enumerate(teams):
        if both := shared & mask:
            found = _split(rest, (*teams[:place], both, *teams[place + 1 :]), most)
            if found is not None:
                return found
    return _split(rest, (*teams, mask), most) if len(teams) < most else None


def _cover(inquiry: Inquiry, team: tuple[Kind, ...], told_by: tuple[Kind, ...] | None = None) -> Cover:
    """Answer for one team, by a sample of each kind (or of those of ``told_by``); names of all its machines."""
    samples = tuple(kind.sample for kind in told_by or team)
    names = tuple(name for kind in team for name in kind.names)
    return Cover(machines=names, outcome=answer(inquiry.about(samples)))
