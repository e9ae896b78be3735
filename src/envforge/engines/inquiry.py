"""What is going to be asked of whom: a spec's sources, its channels, and the user's own wheel sources."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from envforge.engines.caches import Caches
from envforge.engines.jobs import ask
from envforge.engines.places import TORCH_INDEX, channel_url, local_path, without_credentials
from envforge.engines.settings import Settings
from envforge.engines.standing import begin, do
from envforge.errors import EngineFailed
from envforge.model import Offer, value

Kind = Literal["channel", "index", "links", "either"]
DEADLINE_S = 30.0
GRACE_S = 5.0


@value
class Question:
    """One source to ask: the name that the user knows it by, what it is, and where (with credentials).

    ``url`` None is the public default index.
    """

    source: str
    kind: Kind
    url: str | None


def questions(
    sources: Sequence[str],
    channels: Sequence[str],
    indexes: Sequence[str],
    find_links: Sequence[str],
    settings: Settings,
) -> tuple[Question, ...]:
    """List what to ask, in order: the named sources, then channels, find-links and the user's own wheel sources."""
    found: dict[str, Question] = {}
    for source in sources:
        _add(found, source, *_place(source, channels, indexes, find_links, settings))
    for channel in channels:
        _add(found, channel, "channel", channel_url(channel))
    for place in (*find_links, *settings.find_links):
        _add(found, place, "links", place)
    for url in settings.extra_indexes if "pypi" in (*sources, *indexes) else ():
        _add(found, url, "index", url)
    return tuple(found.values())


def _add(found: dict[str, Question], source: str, kind: Kind, url: str | None) -> None:
    name = without_credentials(source)
    found.setdefault(name, Question(source=name, kind=kind, url=url))


def _place(
    source: str, channels: Sequence[str], indexes: Sequence[str], find_links: Sequence[str], settings: Settings
) -> tuple[Kind, str | None]:
    """Tell what a source is: by its name, by the list it stands in, by what lies there, else by asking."""
    if source == "pypi":
        return "index", settings.default_index
    if source == "pytorch":
        return "index", TORCH_INDEX
    links = {without_credentials(each): each for each in (*find_links, *settings.find_links)}
    named = {without_credentials(each).rstrip("/"): each for each in (*indexes, *settings.extra_indexes)}
    name = without_credentials(source)
    if name in links:
        return "links", links[name]
    if source in channels or not ("://" in source or source.startswith((".", "/", "~"))):
        return "channel", channel_url(source)
    if name.rstrip("/") in named:
        return "index", named[name.rstrip("/")]
    path = local_path(source)
    if path is not None:
        return _kind_of_folder(path), channel_url(source)
    return "either", source


def _kind_of_folder(path: Path) -> Kind:
    if (path / "noarch").is_dir():
        return "channel"
    return "links" if path.is_file() or any(path.glob("*.whl")) else "index"


@value
class Inquiry:
    """What to ask for one platform, each source within ``deadline_s``. Offline, folders and cached channels answer."""

    asked: tuple[Question, ...]
    subdir: str
    settings: Settings
    caches: Caches
    deadline_s: float = DEADLINE_S

    def begin(self) -> None:
        """Have the standing worker ask now what `offers` will give."""
        if self.asked:
            begin(ask, self)

    def offers(self) -> tuple[Offer, ...]:
        """Ask all in parallel. A source that cannot be asked gives an offer with its error, never an exception."""
        if not self.asked:
            return ()
        try:
            found: tuple[Offer, ...] = do(ask, self, deadline_s=self.deadline_s + GRACE_S)
        except EngineFailed as error:
            return tuple(Offer(source=each.source, error=error.message, took_s=self.deadline_s) for each in self.asked)
        return found
