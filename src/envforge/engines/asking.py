"""Ask every configured source what it serves now: all at once, each within its deadline, in one child.

The child holds rattler and threads that may hang in a socket; it is killed when all have answered or time is up.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

from envforge.engines import channels as conda
from envforge.engines import index as wheels
from envforge.engines._rattler_worker import Caches, make_gateway, names_of, query
from envforge.engines.mapped import lean
from envforge.engines.places import TORCH_INDEX, channel_url, local_path, without_credentials
from envforge.engines.settings import Settings
from envforge.engines.standing import do
from envforge.errors import EngineFailed, EnvforgeError
from envforge.model import Emit, Offer, value

Kind = Literal["channel", "index", "links", "either"]
DEADLINE_S = 30.0
GRACE_S = 5.0
_T = TypeVar("_T")


@value
class Question:
    """One source to ask: the name that the user knows it by, what it is, and where (with credentials)."""

    source: str
    kind: Kind
    url: str


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


def _add(found: dict[str, Question], source: str, kind: Kind, url: str) -> None:
    name = without_credentials(source)
    found.setdefault(name, Question(source=name, kind=kind, url=url))


def _place(
    source: str, channels: Sequence[str], indexes: Sequence[str], find_links: Sequence[str], settings: Settings
) -> tuple[Kind, str]:
    """Tell what a source is: by its name, by the list it stands in, by what lies there, else by asking."""
    if source == "pypi":
        return "index", settings.default_index or wheels.default_index()
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


def ask_sources(
    asked: Sequence[Question],
    subdir: str,
    settings: Settings,
    cache: Path,
    *,
    deadline_s: float = DEADLINE_S,
    offline: bool = False,
) -> tuple[Offer, ...]:
    """Ask them all in parallel. A source that cannot be asked gives an offer with its error, never an exception.

    ``offline`` asks folders and, from the cache, conda channels.
    """
    if not asked:
        return ()
    caches = Caches(repodata=cache / "repodata", packages=cache / "pkgs", offline=offline)
    try:
        offers: tuple[Offer, ...] = do(
            _ask, tuple(asked), subdir, settings, caches, deadline_s, deadline_s=deadline_s + GRACE_S
        )
    except EngineFailed as error:
        return tuple(Offer(source=each.source, error=error.message, took_s=deadline_s) for each in asked)
    return offers


def _ask(
    asked: Sequence[Question], subdir: str, settings: Settings, caches: Caches, deadline_s: float, _: Emit
) -> tuple[Offer, ...]:
    return asyncio.run(_ask_all(asked, subdir, settings, caches, deadline_s))


async def _ask_all(
    asked: Sequence[Question], subdir: str, settings: Settings, caches: Caches, deadline_s: float
) -> tuple[Offer, ...]:
    gateway = make_gateway(caches) if any(each.kind in ("channel", "either") for each in asked) else None
    work = [_ask_one(each, subdir, settings, caches, gateway, deadline_s) for each in asked]
    with lean():
        return tuple(await asyncio.gather(*work))


async def _ask_one(
    asked: Question, subdir: str, settings: Settings, caches: Caches, gateway: Any, deadline_s: float
) -> Offer:
    began = time.monotonic()
    try:
        answer = _answer(asked, subdir, settings, caches, gateway, deadline_s)
        offer = await asyncio.wait_for(answer, deadline_s + 1)
    except EnvforgeError as error:
        offer = Offer(source=asked.source, error=without_credentials(error.message))
    except TimeoutError:
        offer = Offer(source=asked.source, error=f"no answer within {deadline_s:g} s")
    except Exception as error:
        offer = Offer(source=asked.source, error=without_credentials(f"{type(error).__name__}: {error}"))
    return Offer(
        source=offer.source,
        builds=offer.builds,
        pythons=offer.pythons,
        error=offer.error,
        took_s=round(time.monotonic() - began, 3),
    )


async def _answer(
    asked: Question, subdir: str, settings: Settings, caches: Caches, gateway: Any, deadline_s: float
) -> Offer:
    if asked.kind == "channel":
        return await _ask_channel(asked, subdir, gateway, deadline_s)
    if caches.offline and local_path(asked.url) is None:
        return Offer(source=asked.source, error="not asked: offline")
    list_ = wheels.list_links if asked.kind == "links" else wheels.list_index
    files = await _in_thread(lambda: list_(asked.url, settings, deadline_s))
    if asked.kind == "either" and not files:
        return await _ask_channel(asked, subdir, gateway, deadline_s)
    builds = await _in_thread(lambda: wheels.builds_of(files, asked.source, subdir, asked.url))
    return Offer(source=asked.source, builds=builds)


async def _ask_channel(asked: Question, subdir: str, gateway: Any, deadline_s: float) -> Offer:
    """Ask a conda channel for torch and Python; wheel sources offer no Python."""
    await names_of(gateway, asked.url, subdir, deadline_s)
    found = await query(gateway, [asked.url], subdir, [conda.TORCH, conda.PYTHON])
    records = list(_records(found))
    return Offer(
        source=asked.source,
        builds=conda.builds_of(records, asked.source, asked.url),
        pythons=conda.pythons_of(records),
    )


def _records(found: Sequence[Any]) -> Iterator[conda.Record]:
    for record in found:
        yield conda.Record(
            name=record.name.normalized,
            version=str(record.version),
            build=str(record.build),
            subdir=record.subdir,
            depends=tuple(record.depends),
            size_bytes=record.size,
        )


async def _in_thread(work: Callable[[], _T]) -> _T:
    """Run blocking work in a daemon thread, which may be left hanging; a pool's would be waited for."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_T] = loop.create_future()

    def settle(result: _T | None, error: BaseException | None) -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def serve() -> None:
        try:
            result = work()
        except BaseException as error:
            loop.call_soon_threadsafe(settle, None, error)
        else:
            loop.call_soon_threadsafe(settle, result, None)

    threading.Thread(target=serve, daemon=True).start()
    return await future
