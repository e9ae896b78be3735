"""The verb: spec, machines and facts in, a choice or a conflict out."""

from __future__ import annotations

from envforge.facts import Facts
from envforge.model import Choice, Conflict, Machine, Offer, Reason, Spec
from envforge.resolve.choose import hitting_sets, minimal
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
    sets = [sorted(ruling.named(core), key=_actor) for core in hitting_sets(ways, most)]
    sets.sort(key=lambda core: (max(map(_actor, core)), len(core)))
    cores = tuple(
        tuple(_in_core(rule, inquiry, ruling, speakers, alone=len(core) == 1) for rule in core) for core in sets
    )
    said = {reason.text for core in cores for reason in core}
    everything = wished(ruling, (1 << len(ruling.judged.candidates)) - 1)
    return Conflict(
        cores=cores,
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


def _in_core(rule: Ruled, inquiry: Inquiry, ruling: Ruling, speakers: dict[Ruled, int], *, alone: bool) -> Reason:
    candidate = ruling.candidate(speakers[rule])
    told = str(rule) if rule.owner == "spec" else rule.why(candidate)
    if alone and isinstance(rule, TorchPin):
        known = sorted({candidate.build.torch for candidate in ruling.judged.candidates})
        told += f", and what is known is {known[0]} to {known[-1]}"
    if isinstance(rule, SourcePin) and _silent(inquiry).issuperset(rule.sources):
        told += ", and that could not be asked" if len(rule.sources) == 1 else ", and none of them could be asked"
    return reason_of(rule, candidate, told)


def _silent(inquiry: Inquiry) -> set[str]:
    return {offer.source for offer in inquiry.offers if offer.error is not None}


def _actor(rule: Ruled) -> int:
    return WHO_CAN_ACT.index(rule.owner)
