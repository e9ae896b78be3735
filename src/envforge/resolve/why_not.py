"""Why not that one: what forbids the builds that somebody has in mind, or what was preferred to them."""

from __future__ import annotations

from envforge.facts import Facts
from envforge.model import Machine, Offer, Reason, Rejected, Spec
from envforge.resolve.explain import differing, nearest, rejected
from envforge.resolve.inquiry import Inquiry, Ruling


def why_not(
    spec: Spec,
    machines: tuple[Machine, ...],
    facts: Facts,
    offers: tuple[Offer, ...] = (),
    *,
    torch: str,
) -> tuple[Rejected, ...]:
    """Say for each build of a torch (a version, or the start of one: ``2.15``) what forbids it, nearest miss first.

    A build that is allowed but not chosen is explained by the first field of the rank in which it lost; the chosen
    one has no reason. Empty when no source has such a torch.
    """
    ruling = Inquiry(spec, machines, facts, offers).ask()
    asked = sum(1 << index for index, each in enumerate(ruling.judged.candidates) if _is(str(each.build.torch), torch))
    allowed = ruling.ranked(asked & ruling.judged.admissible)
    served = {id(ruling.judged.candidates[index].build) for index in allowed}
    forbidden = [
        index
        for index in nearest(ruling, asked & ~ruling.judged.admissible)
        if id(ruling.judged.candidates[index].build) not in served
    ]
    forbidden.sort(key=lambda index: (len(ruling.broken(index)), -index))
    return (*_beaten(ruling, allowed), *rejected(ruling, forbidden))


def _is(version: str, asked: str) -> bool:
    return version == asked or version.startswith(f"{asked}.")


def _beaten(ruling: Ruling, allowed: tuple[int, ...]) -> tuple[Rejected, ...]:
    if not allowed:
        return ()
    best = ruling.ranked()[0]
    chosen = ruling.candidate(best)
    return tuple(
        Rejected(
            candidate=ruling.candidate(index),
            reasons=()
            if index == best
            else (
                Reason(
                    rule="rank",
                    text=f"torch {chosen.build.torch} {chosen.build.variant} is preferred: "
                    f"{differing(ruling, best, index)}",
                ),
            ),
        )
        for index in allowed
    )
