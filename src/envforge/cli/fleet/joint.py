"""One decision for all nodes: the fewest environments, what forces more than one, what would join them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from envforge.cli.deciding import Decision, decide
from envforge.cli.talk import Talk
from envforge.errors import CouldNotTell
from envforge.facts import Facts
from envforge.fleet.kinds import Kind, kinds_of
from envforge.fleet.nodeset import fold
from envforge.model import Candidate, Choice, Conflict, Cover, Machine, Section, Spec, value
from envforge.report.plan import candidate_text
from envforge.report.shapes import candidate_shape, choice_shape, conflict_shape


@value
class Group:
    """The nodes of one environment, or those that none serves. ``section`` is what is locked for them."""

    kinds: tuple[Kind, ...]
    outcome: Choice | Conflict
    section: Section | None = None

    @property
    def nodes(self) -> tuple[str, ...]:
        return tuple(name for kind in self.kinds for name in kind.names)

    @property
    def machines(self) -> tuple[Machine, ...]:
        return tuple(kind.machine for kind in self.kinds)


@value
class Joint:
    """What was decided for the nodes of a fleet; ``decision`` is None where the lock already served all of them."""

    kinds: tuple[Kind, ...]
    groups: tuple[Group, ...]
    decision: Decision | None = None

    @property
    def serves_all(self) -> bool:
        """True when every node has an environment."""
        return all(isinstance(each.outcome, Choice) for each in self.groups)


def decide_jointly(
    talk: Talk,
    spec: Spec,
    machines: Iterable[Machine],
    facts: Facts,
    *,
    ask_all: bool,
    offline: bool,
    timeout_s: float | None = None,
) -> Joint:
    """Decide for all nodes by their kinds. Raises CouldNotTell when no node told what it is."""
    kinds = kinds_of(machines)
    if not kinds:
        raise CouldNotTell("no node told what it is", (), ("`envforge fleet detect` says why",))
    samples = tuple(each.machine for each in kinds)
    decision = decide(talk, spec, samples, facts, ask_all=ask_all, offline=offline, timeout_s=timeout_s)
    everything = Cover(machines=tuple(each.name for each in samples), outcome=decision.outcome)
    groups = (_group(cover, kinds) for cover in decision.covers or (everything,))
    largest_first = sorted(groups, key=lambda each: (isinstance(each.outcome, Conflict), -len(each.nodes)))
    return Joint(kinds=kinds, groups=tuple(largest_first), decision=decision)


def _group(cover: Cover, kinds: tuple[Kind, ...]) -> Group:
    return Group(kinds=tuple(each for each in kinds if each.machine.name in cover.machines), outcome=cover.outcome)


def of_group(decision: Decision, group: Group) -> Decision:
    """Give the decision as it is for one group alone."""
    return replace(decision, machines=group.machines, outcome=group.outcome, covers=())


def joint_shape(joint: Joint, facts: Facts) -> dict[str, Any]:
    """Give the groups, what forces a split, and the new drivers that would join them."""
    return {
        "groups": [group_shape(each) for each in joint.groups],
        "forced_by": list(_forced_by(joint, facts)),
        "joins": list(_joins(joint)),
    }


def group_shape(group: Group) -> dict[str, Any]:
    """Give one group."""
    outcome = group.outcome
    return {
        "target": group.section and group.section.target,
        "nodes": fold(group.nodes),
        "count": len(group.nodes),
        "choice": choice_shape(outcome) if isinstance(outcome, Choice) else None,
        "conflict": conflict_shape(outcome) if isinstance(outcome, Conflict) else None,
    }


def _forced_by(joint: Joint, facts: Facts) -> Iterator[dict[str, Any]]:
    """Say of the kinds that have another environment than most why that of most cannot run there."""
    first, *others = [group for group in joint.groups if isinstance(group.outcome, Choice)] or joint.groups
    if not isinstance(first.outcome, Choice):
        return
    told: dict[str, list[str]] = {}
    for kind in (kind for group in others for kind in group.kinds):
        if why := _forbids(kind.machine, first.outcome.best, facts):
            told.setdefault(why, []).extend(kind.names)
    for why, names in told.items():
        yield {"nodes": fold(names), "count": len(names), "says": why}


def _forbids(machine: Machine, candidate: Candidate, facts: Facts) -> str | None:
    from envforge.resolve.constraints import machine_rules

    rules = machine_rules(machine, facts)
    return next((rule.why(candidate) for rule in rules if rule.allows(candidate) is False), None)


def _joins(joint: Joint) -> Iterator[dict[str, Any]]:
    """Give the updates of drivers alone after which one environment serves every node; each was tried."""
    outcome = joint.decision.outcome if joint.decision else None
    for way in outcome.ways_out if isinstance(outcome, Conflict) else ():
        if {reason.owner for reason in way.gives_up} == {"driver"}:
            because = [reason.text for reason in way.gives_up]
            says = f"{way.hint}: then {candidate_text(way.gets)} serves every node"
            yield {"says": says, "hint": way.hint, "gets": candidate_shape(way.gets), "because": because}
