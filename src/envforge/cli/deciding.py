"""The decision that `plan`, `lock` and `create` share: ask the sources that must be asked, then resolve."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from envforge.cli.talk import Talk
from envforge.facts import Facts
from envforge.model import Choice, Conflict, Cover, Machine, Offer, Progress, Spec, Warned, value

PUBLIC = frozenset({"conda-forge", "pytorch", "pypi"})
ANY_SUBDIR = "linux-64"


@value
class Decision:
    """What came of a spec on some machines; ``covers`` when they need more than one environment."""

    spec: Spec
    machines: tuple[Machine, ...]
    outcome: Choice | Conflict
    covers: tuple[Cover, ...] = ()
    offers: tuple[Offer, ...] = ()

    @property
    def serves_all(self) -> bool:
        """True when every machine has an environment."""
        outcomes = [cover.outcome for cover in self.covers] or [self.outcome]
        return all(isinstance(outcome, Choice) for outcome in outcomes)


def decide(
    talk: Talk,
    spec: Spec,
    machines: tuple[Machine, ...],
    facts: Facts,
    *,
    ask_all: bool,
    offline: bool = False,
    timeout_s: float | None = None,
) -> Decision:
    """Choose for these machines. ``ask_all`` asks the public sources too; facts speak for those that are not asked.

    ``offline`` asks only what lies on this computer. A source that could not be asked is a warning.
    """
    from envforge.resolve import cover, resolve

    offers = ask_sources(talk, spec, machines, ask_all=ask_all, offline=offline, timeout_s=timeout_s)
    outcome = resolve(spec, machines, facts, offers)
    outcome = replace(outcome, warnings=(*outcome.warnings, *unreached(offers)))
    covers: tuple[Cover, ...] = ()
    if isinstance(outcome, Conflict) and len(machines) > 1:
        covers = cover(spec, machines, facts, offers)
    return Decision(spec=spec, machines=machines, outcome=outcome, covers=covers, offers=offers)


def ask_sources(
    talk: Talk,
    spec: Spec,
    machines: tuple[Machine, ...],
    *,
    ask_all: bool,
    offline: bool = False,
    timeout_s: float | None = None,
) -> tuple[Offer, ...]:
    """Ask what the sources really serve; none when facts speak for all of them."""
    sources = spec.sources if ask_all else tuple(each for each in spec.sources if each not in public_here(spec))
    if not sources:
        return ()
    from envforge.engines import ask

    asked = replace(spec, sources=sources)
    subdirs = dict.fromkeys(machine.subdir or ANY_SUBDIR for machine in machines)
    with talk.watching() as emit:
        emit(Progress(phase="ask", subject=", ".join(sources)))
        return tuple(offer for subdir in subdirs for offer in ask(asked, subdir, offline=offline, timeout_s=timeout_s))


def public_here(spec: Spec) -> frozenset[str]:
    """Give the sources that facts speak for: not the wheel index where pip, uv or the spec put another in its place."""
    from envforge.engines.settings import read_settings

    settings = read_settings()
    elsewhere = settings.default_index or settings.extra_indexes or settings.find_links or spec.find_links
    return PUBLIC - {"pypi"} if elsewhere else PUBLIC


def unreached(offers: tuple[Offer, ...]) -> Iterator[Warned]:
    """Say which sources could not be asked."""
    for offer in offers:
        if offer.error is not None:
            yield Warned(code="source-not-asked", text=f"`{offer.source}` could not be asked: {offer.error}")
