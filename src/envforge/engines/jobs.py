"""What the rattler worker does, for those who ask it to: the modules that do it are imported where it is done.

They bring rattler, asyncio and the index's library, some 50 to 200 ms that this process need not spend.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envforge.engines.caches import Caches
    from envforge.engines.inquiry import Inquiry
    from envforge.model import Emit, Locked, Offer, Plan


def ask(inquiry: Inquiry, emit: Emit) -> tuple[Offer, ...]:
    """Ask every source of an inquiry at once."""
    from envforge.engines import asking

    return asking.ask(inquiry, emit)


def solve_plan(plan: Plan, caches: Caches, deadline_s: float, emit: Emit) -> tuple[Locked, ...]:
    """Solve for the plan's virtual packages, with nothing detected on this host."""
    from envforge.engines import _rattler_worker

    return _rattler_worker.solve_plan(plan, caches, deadline_s, emit)


def install_locked(
    artefacts: tuple[Locked, ...], stage: Path, final: Path, caches: Caches, stall_s: float, emit: Emit
) -> None:
    """Fill ``stage`` with packages whose files say ``final``."""
    from envforge.engines import _rattler_worker

    _rattler_worker.install_locked(artefacts, stage, final, caches, stall_s, emit)


def broken_limits(limits: tuple[str, ...], artefacts: tuple[Locked, ...], _: Emit) -> tuple[str, ...]:
    """Give the limits (match specs) that some artefact of the same name does not fit."""
    from envforge.engines import _rattler_worker

    return _rattler_worker.broken_limits(limits, artefacts)


def count_mirrors(emit: Emit) -> int:
    """Give how many mirrors the channel has that has most."""
    from envforge.engines import network

    return network.count_mirrors(emit)


def default_index(_: Emit) -> str:
    """Give the URL of the public default index."""
    from envforge.engines import index

    return index.default_index()
