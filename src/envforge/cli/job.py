"""One `create` or `lock`: what was asked for, where it goes, and the tools for it."""

from __future__ import annotations

import signal
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from envforge.cli.asking import read_machines, read_spec, this_machine, this_subdir
from envforge.cli.clock import Clock
from envforge.cli.deciding import ask_ahead
from envforge.cli.dirs import Dirs, choose_prefix, find_dirs, find_packages
from envforge.cli.fitting import lock_path
from envforge.cli.options import EngineName
from envforge.cli.overlays import facts_here
from envforge.cli.talk import Talk
from envforge.engines.standing import warm_up
from envforge.errors import UsageError
from envforge.facts import Facts
from envforge.model import Locked, Machine, Spec, value
from envforge.provision import Engines


@value
class Job:
    """What a command works on. ``machines`` are decided for; ``here`` is the one that this runs on.

    ``proves``: what is made is checked here, where it can be. ``asked``: the options that a further call must repeat.
    """

    talk: Talk
    clock: Clock
    spec_file: Path
    spec: Spec
    facts: Facts
    dirs: Dirs
    prefix: Path
    here: Machine
    machines: tuple[Machine, ...]
    engine: EngineName = EngineName.AUTO
    target: str | None = None
    offline: bool = False
    timeout_s: float | None = None
    proves: bool = True
    asked: str = ""

    @property
    def engines(self) -> Engines:
        """The engines, made when there is work for them: to find that there is none is the most frequent run."""
        return make_engines(self.dirs, self.engine, offline=self.offline, timeout_s=self.timeout_s)

    @property
    def packages(self) -> Path:
        """The folder of extracted conda packages."""
        return find_packages(self.dirs)

    def lay_attestations(self, artefacts: tuple[Locked, ...], folder: Path) -> None:
        """Put attestations that came along with the packages into a folder, by their sha256; here none do."""


def _refuse_no_folder() -> None:
    """Raise UsageError where the working directory has been deleted: no program can be started there."""
    try:
        Path.cwd()
    except FileNotFoundError:
        raise UsageError("the working directory is gone", (), ("`cd` to one that is there",)) from None


def begin(
    talk: Talk,
    spec_file: Path,
    engine: EngineName,
    *,
    name: str | None = None,
    prefix: Path | None = None,
    machines: list[str] | None = None,
    target: str | None = None,
    sources: dict[str, Any],
    offline: bool = False,
    timeout_s: float | None = None,
    proves: bool = True,
) -> Job:
    """Read everything that is asked for and look at this machine. Raises UsageError, SpecError."""
    catch_signals()
    _refuse_no_folder()
    locked = lock_path(spec_file).exists()
    if not locked:
        warm_up()
    spec = read_spec(spec_file, **sources)
    spec = replace(spec, name=name) if name else spec
    dirs, clock, facts = find_dirs(), Clock(), facts_here()
    where = choose_prefix(dirs, spec.name, prefix)
    if not where.exists():
        warm_up()
    if not (locked or machines or target) and (subdir := this_subdir()):
        ask_ahead(spec, subdir, offline=offline, timeout_s=timeout_s)
    with clock("detect"):
        here = this_machine()
        wanted = read_machines(machines, spec, target, facts) if machines or target else (here,)
    return Job(
        talk=talk,
        clock=clock,
        spec_file=spec_file,
        spec=spec,
        facts=facts,
        dirs=dirs,
        prefix=where,
        here=here,
        machines=wanted,
        engine=engine,
        target=target,
        offline=offline,
        timeout_s=timeout_s,
        proves=proves,
    )


def catch_signals() -> None:
    """Let a request to end (``kill``, a closed terminal) interrupt as Ctrl-C does, so that nothing is left behind."""
    for sign in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(sign) is not signal.SIG_IGN:
            signal.signal(sign, signal.default_int_handler)


@lru_cache
def make_engines(dirs: Dirs, engine: EngineName, *, offline: bool, timeout_s: float | None = None) -> Engines:
    """Make the engine that was asked for, and the one for wheels. Raises UsageError for one that is not there."""
    from envforge.engines import make_engine
    from envforge.engines.uv import DEADLINE_S, UvEngine

    deadline_s = DEADLINE_S if timeout_s is None else timeout_s
    return Engines(
        conda=make_engine(engine.value, dirs.cache, offline=offline, timeout_s=timeout_s),
        wheels=UvEngine(dirs.cache, offline=offline, deadline_s=deadline_s),
    )
