"""The verb: spec, machines and facts in, a choice or a conflict out."""

from __future__ import annotations

from envforge.facts import Facts
from envforge.model import Candidate, Choice, Conflict, Machine, Offer, Reason, Spec
from envforge.resolve.choose import hitting_sets, minimal, union
from envforge.resolve.constraints import Ruled
from envforge.resolve.constraints.pins import SourcePin, TorchPin
from envforge.resolve.explain import better, ranges, reasons, rejected, wished
from envforge.resolve.inquiry import Inquiry, Ruling, subdirs
from envforge.resolve.warn import warnings
from envforge.resolve.ways import WHO_CAN_ACT, reason_of, unlocks, ways_out

SMALL_CORE = 4
FEW_RULES = 40


def resolve(
    spec: Spec, machines: tuple[Machine, ...], facts: Facts, offers: tuple[Offer, ...] = ()
) -> Choice | Conflict:
    """Choose the best Python × torch build that all these machines run, or prove that there is none.

    ``offers`` of sources that were asked replace what facts say of them; those with an error forbid their source.
    """
    return answer(Inquiry(spec, machines, facts, offers))


def answer(inquiry: Inquiry) -> Choice | Conflict:
    """Answer a question that was put."""
    ruling = inquiry.ask()
    if not ruling.judged.candidates:
        return Conflict(cores=((_nothing_there(inquiry),),), ways_out=(), warnings=warnings(inquiry, ruling, None))
    return _choice(inquiry, ruling) if ruling.judged.admissible else _conflict(inquiry, ruling)


def _nothing_there(inquiry: Inquiry) -> Reason:
    platforms = ", ".join(subdirs(inquiry.machines))
    return Reason(rule="platform", text=f"no torch is known for {platforms} from any source")


def _choice(inquiry: Inquiry, ruling: Ruling) -> Choice:
    best, *others = ruling.ranked()
    above = better(ruling, best)
    candidate = ruling.candidate(best)
    return Choice(
        best=candidate,
        native=ruling.ranking.native(candidate.build),
        reasons=reasons(inquiry, ruling, best, others[0] if others else None),
        others=tuple(ruling.candidate(index) for index in others),
        rejected=rejected(ruling, above),
        ranges=ranges(ruling, above),
        unlocks=unlocks(inquiry, ruling, best, sum(1 << index for index in above)),
        warnings=warnings(inquiry, ruling, best),
    )


def _conflict(inquiry: Inquiry, ruling: Ruling) -> Conflict:
    ways = minimal(ruling.judged.by_broken())
    most = SMALL_CORE if len(ruling.rules) > FEW_RULES else None
    speakers = _speakers(ruling, ways)
    cores = tuple(_core(inquiry, ruling, ruling.named(core)) for core in hitting_sets(ways, most))
    in_order = sorted(cores, key=lambda core: (max(WHO_CAN_ACT.index(each.owner) for each in core), len(core)))
    said = {reason.text for core in cores for reason in core}
    everything = wished(ruling, (1 << len(ruling.judged.candidates)) - 1)
    return Conflict(
        cores=tuple(in_order),
        ways_out=ways_out(inquiry, ruling),
        rejected=rejected(ruling, dict.fromkeys(speakers.values())),
        ranges=ranges(ruling, everything),
        warnings=tuple(each for each in warnings(inquiry, ruling, None) if each.text not in said),
    )


def _speakers(ruling: Ruling, ways: tuple[int, ...]) -> dict[Ruled, int]:
    """Find for each rule the best candidate that it stands in the way of: the one to explain it by."""
    groups = ruling.judged.by_broken()
    found: dict[Ruled, int] = {}
    for way in ways:
        best = ruling.best(groups[way])
        for rule in ruling.named(way):
            if rule not in found or ruling.rank(found[rule]) < ruling.rank(best):
                found[rule] = best
    return found


def _core(inquiry: Inquiry, ruling: Ruling, rules: tuple[Ruled, ...]) -> tuple[Reason, ...]:
    """Say a core: each rule by a candidate that it alone of the core forbids, the one that misses least."""
    everything = (1 << len(ruling.judged.candidates)) - 1
    forbids = dict(zip(ruling.rules, ruling.judged.forbids, strict=True))
    told = []
    for rule in sorted(rules, key=lambda rule: WHO_CAN_ACT.index(rule.owner)):
        left = everything & ~union(forbids[other] for other in rules if other is not rule)
        candidate = ruling.candidate(_missed_least(rule, ruling, left))
        told.append(reason_of(rule, candidate, _told(rule, candidate, inquiry, ruling, alone=len(rules) == 1)))
    return tuple(told)


def _missed_least(rule: Ruled, ruling: Ruling, mask: int) -> int:
    demands = [
        (rule.demand(ruling.judged.candidates[places[0]]), same) for same, places in ruling.builds if same & mask
    ]
    least = min(demand for demand, _ in demands)
    return ruling.best(mask & union(same for demand, same in demands if demand == least))


def _told(rule: Ruled, candidate: Candidate, inquiry: Inquiry, ruling: Ruling, *, alone: bool) -> str:
    told = str(rule) if rule.owner == "spec" else rule.why(candidate)
    if alone and isinstance(rule, TorchPin):
        known = sorted({candidate.build.torch for candidate in ruling.judged.candidates})
        told += f", and what is known is {known[0]} to {known[-1]}"
    if isinstance(rule, SourcePin) and _silent(inquiry).issuperset(rule.sources):
        told += ", and that could not be asked" if len(rule.sources) == 1 else ", and none of them could be asked"
    return told


def _silent(inquiry: Inquiry) -> set[str]:
    return {offer.source for offer in inquiry.offers if offer.error is not None}
