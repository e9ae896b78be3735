"""The default engine for conda packages: rattler, embedded, in a forked worker that is killed when it is done."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from envforge.engines.caches import ANOTHER, Caches, is_writable, make_folder, package_caches, refuse_unfit
from envforge.engines.failures import unreachable
from envforge.engines.jobs import count_mirrors, install_locked, solve_plan
from envforge.engines.link_scripts import run_link_scripts
from envforge.engines.standing import dismiss, do
from envforge.errors import DiskFailed, EngineFailed, Unreachable
from envforge.model import Emit, Locked, Plan
from envforge.run import copies

_T = TypeVar("_T")
NOT_THERE = "404"
DEADLINE_S = 120.0
GRACE_S = 5.0


def _by_turns(work: Callable[[int], _T]) -> _T:
    """Do work that needs the network; where a mirror lacks a file, do it again with the next mirror in front."""
    turn, turns = 0, 1
    while True:
        try:
            return work(turn)
        except Unreachable as error:
            if NOT_THERE not in f"{error} {error.where}":
                raise
            turns, turn = max(turns, do(count_mirrors)), turn + 1
            if turn >= turns:
                raise


def _share_records(stage: Path) -> None:
    """Let whoever may read the folder of records read them: rattler (0.28) writes them for their owner alone."""
    folder = stage / "conda-meta"
    mode = folder.stat().st_mode & 0o666
    for record in folder.glob("*.json"):
        record.chmod(mode)


class RattlerEngine:
    """Solves with given virtual packages and installs atomically.

    ``deadline_s`` bounds a solve as a whole, and the time for which a download may stand still.
    """

    name = "rattler"

    def __init__(
        self,
        cache: Path,
        offline: bool = False,
        deadline_s: float = DEADLINE_S,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        here = os.environ if environ is None else environ
        packages, *shared = package_caches(cache.absolute(), here)
        self._caches = Caches(
            repodata=cache.absolute() / "repodata",
            packages=packages,
            shared=tuple(shared),
            offline=offline,
            copied=copies(here),
        )
        self._deadline_s = deadline_s

    def lock(self, plan: Plan, emit: Emit, /) -> tuple[Locked, ...]:
        """Solve for the plan's virtual packages; write no prefix.

        Raises Unsatisfiable, Unreachable (naming the channel), EngineFailed, and SpecError for what is no match spec.
        """
        self._make(self._caches.repodata)
        return _by_turns(lambda turn: self._solve(plan, turn, emit))

    def _solve(self, plan: Plan, turn: int, emit: Emit) -> tuple[Locked, ...]:
        caches, limit_s = replace(self._caches, turn=turn), self._deadline_s
        try:
            found: tuple[Locked, ...] = do(solve_plan, plan, caches, limit_s, deadline_s=limit_s + GRACE_S, emit=emit)
        except EngineFailed as error:
            if isinstance(error.__cause__, TimeoutError):
                raise unreachable(", ".join(plan.channels), f"no answer within {limit_s:g} s") from None
            raise
        return found

    def install(self, artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit, /) -> None:
        """Fill ``stage`` with packages that will live at ``final``; both become absolute.

        Where a link script may run, files are copied: what it edits must not be the cache's.
        Raises BadArtefact, Unreachable, DiskFailed, EngineFailed.
        """
        self._make(self._caches.packages)
        refuse_unfit(self._caches.packages)
        conda = tuple(each for each in artefacts if each.kind == "conda")
        where, there = stage.absolute(), final.absolute()
        caches = replace(self._caches, copied=True) if any(each.link_scripts for each in conda) else self._caches

        def link(turn: int) -> None:
            if turn and where.exists():
                shutil.rmtree(where)
            do(install_locked, conda, where, there, replace(caches, turn=turn), self._deadline_s, emit=emit)

        _by_turns(link)
        _share_records(where)
        run_link_scripts(conda, where, there, emit)
        dismiss()

    def _make(self, folder: Path) -> None:
        """Make a folder of the cache. Raises DiskFailed where it cannot be made, or not be written."""
        make_folder(folder)
        if not is_writable(folder):
            raise DiskFailed("the cache cannot be written", (str(folder),), (ANOTHER,))
