"""The decision that `plan`, `lock` and `create` share: ask the sources that must be asked, then resolve."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Timer
from typing import TYPE_CHECKING

from envforge.cli.talk import Talk
from envforge.facts import Facts
from envforge.model import Choice, Conflict, Cover, Machine, Offer, Progress, Spec, value
from envforge.plan import OLD_CHANNEL

if TYPE_CHECKING:
    from envforge.engines.settings import Settings

PUBLIC = frozenset({"conda-forge", "pytorch", "pypi", OLD_CHANNEL})
ANY_SUBDIR = "linux-64"
PATIENCE_S = 1.0


@value
class Decision:
    """What came of a spec on some machines; ``covers`` when they need more than one environment.

    ``spec`` is the one that was decided on: with the wheel sources that pip and uv are configured to use.
    """

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

    ``offline`` asks only what lies on this computer.
    """
    from envforge.engines.settings import read_settings
    from envforge.resolve import cover, resolve

    settings = read_settings()
    spec = with_own_wheels(spec, settings)
    asked = spec if ask_all else unknown_to_facts(spec, settings)
    offers = ask_sources(talk, asked, machines, settings, offline=offline, timeout_s=timeout_s)
    outcome = resolve(spec, machines, facts, offers)
    covers: tuple[Cover, ...] = ()
    if isinstance(outcome, Conflict) and len(machines) > 1:
        covers = cover(spec, machines, facts, offers)
    return Decision(spec=spec, machines=machines, outcome=outcome, covers=covers, offers=offers)


def with_own_wheels(spec: Spec, settings: Settings) -> Spec:
    """Let torch also come from where pip and uv look beside their index; their places go before `pypi`."""
    from envforge.engines.places import without_credentials

    links = tuple(dict.fromkeys((*spec.find_links, *settings.find_links)))
    own = tuple(map(without_credentials, (*links, *settings.extra_indexes)))
    sources = _before(spec.sources, "pypi", own)
    return replace(spec, find_links=links, sources=sources)


def _before(sources: tuple[str, ...], name: str, more: Iterable[str]) -> tuple[str, ...]:
    found = (each for source in sources for each in ((*more, source) if source == name else (source,)))
    return tuple(dict.fromkeys(found))


def unknown_to_facts(spec: Spec, settings: Settings) -> Spec:
    """Leave only the sources and channels that facts cannot speak for; `pypi` is one where another index is set."""
    public = PUBLIC - {"pypi"} if settings.default_index else PUBLIC
    sources = tuple(each for each in spec.sources if each not in public)
    return replace(spec, sources=sources, channels=tuple(each for each in spec.channels if each not in public))


def ask_sources(
    talk: Talk,
    spec: Spec,
    machines: tuple[Machine, ...],
    settings: Settings,
    *,
    offline: bool = False,
    timeout_s: float | None = None,
) -> tuple[Offer, ...]:
    """Ask a spec's sources, channels and folders of wheels what they serve, for the platforms of these machines."""
    places = tuple(dict.fromkeys((*spec.sources, *spec.channels, *spec.find_links)))
    if not places:
        return ()
    from envforge.engines import ask

    subdirs = dict.fromkeys(machine.subdir or ANY_SUBDIR for machine in machines)
    with _said_if_slow(talk, Progress(phase="ask", subject=", ".join(places))):
        asked = (ask(spec, each, settings=settings, offline=offline, timeout_s=timeout_s) for each in subdirs)
        return tuple(offer for offers in asked for offer in offers)


def ask_ahead(spec: Spec, subdir: str, *, offline: bool, timeout_s: float | None) -> None:
    """Have the standing worker ask now what `decide` with ``ask_all`` is going to ask for this platform."""
    from envforge.engines import inquire
    from envforge.engines.settings import read_settings

    settings = read_settings()
    own = with_own_wheels(spec, settings)
    inquire(own, subdir, settings=settings, offline=offline, timeout_s=timeout_s).begin()


@contextmanager
def _said_if_slow(talk: Talk, step: Progress) -> Iterator[None]:
    """Show that something is going on, once it has taken a second."""
    with ExitStack() as shown:
        late = Timer(PATIENCE_S, lambda: shown.enter_context(talk.watching())(step))
        late.daemon = True
        late.start()
        try:
            yield
        finally:
            late.cancel()
            late.join()
