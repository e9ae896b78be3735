"""Ask every configured source what it serves now: all at once, each within its deadline, in one child.

The child holds rattler and threads that may hang in a socket; it is killed when all have answered or time is up.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeVar

from envforge.engines import channels as conda
from envforge.engines import index as wheels
from envforge.engines._rattler_worker import make_gateway, names_of, query
from envforge.engines.inquiry import Inquiry, Question
from envforge.engines.mapped import lean
from envforge.engines.places import local_path, without_credentials
from envforge.errors import EnvforgeError
from envforge.model import Emit, Offer

_T = TypeVar("_T")


def ask(inquiry: Inquiry, _: Emit) -> tuple[Offer, ...]:
    """Ask them all in parallel. A source that cannot be asked gives an offer with its error, never an exception."""
    return asyncio.run(_ask_all(inquiry))


async def _ask_all(inquiry: Inquiry) -> tuple[Offer, ...]:
    by_conda = any(each.kind in ("channel", "either") for each in inquiry.asked)
    gateway = make_gateway(inquiry.caches) if by_conda else None
    with lean():
        return tuple(await asyncio.gather(*(_ask_one(inquiry, each, gateway) for each in inquiry.asked)))


async def _ask_one(inquiry: Inquiry, asked: Question, gateway: Any) -> Offer:
    began, deadline_s = time.monotonic(), inquiry.deadline_s
    try:
        offer = await asyncio.wait_for(_answer(inquiry, asked, gateway), deadline_s + 1)
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


async def _answer(inquiry: Inquiry, asked: Question, gateway: Any) -> Offer:
    subdir, deadline_s = inquiry.subdir, inquiry.deadline_s
    if asked.kind == "channel" and asked.url:
        return await _ask_channel(asked.source, asked.url, subdir, gateway, deadline_s)
    if inquiry.caches.offline and not (asked.url and local_path(asked.url)):
        return Offer(source=asked.source, error="not asked: offline")
    url = await _in_thread(wheels.default_index) if asked.url is None else asked.url
    list_ = wheels.list_links if asked.kind == "links" else wheels.list_index
    files = await _in_thread(lambda: list_(url, inquiry.settings, deadline_s))
    if asked.kind == "either" and not files:
        return await _ask_channel(asked.source, url, subdir, gateway, deadline_s)
    builds = await _in_thread(lambda: wheels.builds_of(files, asked.source, subdir, url))
    return Offer(source=asked.source, builds=builds)


async def _ask_channel(source: str, url: str, subdir: str, gateway: Any, deadline_s: float) -> Offer:
    """Ask a conda channel for torch and Python; wheel sources offer no Python."""
    await names_of(gateway, url, subdir, deadline_s)
    found = await query(gateway, [url], subdir, [conda.TORCH, conda.PYTHON])
    records = list(_records(found))
    return Offer(
        source=source,
        builds=conda.builds_of(records, source, url),
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
