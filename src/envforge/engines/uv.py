"""The engine for wheels: uv, by its own program, in a clean environment that keeps the user's network settings."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from packaging.utils import canonicalize_name

from envforge.engines.caches import make_folder, refuse_unfit
from envforge.engines.pins import python_pins, write_stand_ins
from envforge.engines.places import local_path
from envforge.engines.pylock import read_pylock
from envforge.engines.scripts import settle
from envforge.engines.settings import Settings, read_settings
from envforge.engines.uv_failures import install_failure, lock_failure
from envforge.engines.uv_request import Indexes, choose_indexes, environment, lock_arguments, project_file
from envforge.errors import EngineFailed
from envforge.model import Emit, Interpreter, Locked, Plan, Progress
from envforge.run import Completed, run

DEADLINE_S = 180.0
INSTALL_DEADLINE_S = 6 * 3600.0
TIMEOUT_S = "20"


def find_uv() -> str:
    """Find uv's program: the one that was installed with us. Raises EngineFailed."""
    try:
        from uv import find_uv_bin

        return find_uv_bin()
    except (ImportError, FileNotFoundError) as error:
        raise EngineFailed("uv is not installed", (), ("`pip install uv` beside envforge",)) from error


class UvEngine:
    """Locks and installs wheels; never replaces what conda provides.

    ``deadline_s`` bounds a lock as a whole; a single request that stands still is given up by uv (``UV_HTTP_TIMEOUT``).
    """

    name = "uv"

    def __init__(
        self,
        cache: Path,
        offline: bool = False,
        deadline_s: float = DEADLINE_S,
        settings: Settings | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._cache, self._offline, self._deadline_s = cache.absolute(), offline, deadline_s
        self._environ = dict(os.environ if environ is None else environ)
        self._given = settings
        self._told: Settings | None = None

    @property
    def settings(self) -> Settings:
        """The user's settings, read when they are first needed."""
        self._told = self._told or self._given or read_settings(self._environ)
        return self._told

    def lock(self, plan: Plan, conda: tuple[Locked, ...], emit: Emit, /) -> tuple[Locked, ...]:
        """Pick wheels for the plan's requirements around the conda packages; write no prefix.

        Raises Unsatisfiable, Unreachable, SpecError for what is no requirement, and EngineFailed, also for a
        package that no index gives a sha256 for.
        """
        if not plan.requirements:
            return ()
        emit(Progress(phase="solve", subject="wheels"))
        indexes, pins = choose_indexes(plan, self.settings), python_pins(conda)
        with tempfile.TemporaryDirectory(prefix="envforge-") as name:
            folder = Path(name)
            (folder / "pyproject.toml").write_text(project_file(plan.requirements, indexes.torch), encoding="utf-8")
            self._make_cache()
            constraints = [write_stand_ins(pins, self._cache / "stand-ins"), *plan.wheel_limits]
            (folder / "pins.txt").write_text("\n".join(constraints), encoding="utf-8")
            python = plan.interpreter.path if plan.interpreter else sys.executable
            arguments = ["pip", "compile", "--python", python, *lock_arguments(plan, pins, indexes, folder)]
            done = self._run(arguments, indexes, self._deadline_s)
            if not done.ok:
                raise lock_failure(done, _held(plan, pins), _shown(indexes))
            found = read_pylock((folder / "pylock.toml").read_text(encoding="utf-8"))
        return tuple(_sized(each) for each in found)

    def make_base(self, interpreter: Interpreter, stage: Path, final: Path, /) -> None:
        """Make ``stage`` a relocatable virtual environment on a Python at hand; so it need not say ``final``."""
        arguments = ["venv", "--relocatable", "--allow-existing", "--no-project", "--python", interpreter.path]
        done = self._run([*arguments, str(stage.absolute())], NOWHERE, self._deadline_s)
        if not done.ok:
            raise install_failure(done, ())

    def install(self, artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit, /) -> None:
        """Add exactly these wheels to ``stage``, each held against its sha256; scripts say ``final``.

        Raises BadArtefact, Unreachable, DiskFailed, EngineFailed.
        """
        wheels = tuple(each for each in artefacts if each.kind == "wheel")
        if not wheels:
            return
        where = stage.absolute()
        lines = "".join(f"{each.name} @ {each.url} --hash=sha256:{each.sha256}\n" for each in wheels)
        arguments = ["pip", "install", "--no-deps", "--require-hashes", "--no-build", "--python"]
        arguments += [str(where / "bin" / "python"), "--requirements", "-"]
        gauge = Gauge(wheels, emit)
        done = self._run(arguments, self._remembered(), INSTALL_DEADLINE_S, lines, gauge.hear)
        if not done.ok:
            raise install_failure(done, wheels)
        settle(where, final.absolute())
        gauge.finish()

    def _make_cache(self) -> None:
        make_folder(self._cache / "uv")
        refuse_unfit(self._cache / "uv")

    def _remembered(self) -> Indexes:
        """Give the user's own indexes: credentials in their URLs serve downloads from the same hosts."""
        told = self.settings
        return Indexes(torch=None, ordered=told.extra_indexes, default=told.default_index, find_links=())

    def _run(
        self,
        arguments: Sequence[str],
        indexes: Indexes,
        deadline_s: float,
        stdin: str = "",
        tell: Callable[[str], None] | None = None,
    ) -> Completed:
        self._make_cache()
        env = environment(self.settings, indexes, self._cache / "uv", self._environ)
        env.setdefault("UV_HTTP_TIMEOUT", TIMEOUT_S)
        offline = ["--offline"] if self._offline else []
        return run([find_uv(), *arguments, *offline], deadline_s=deadline_s, env=env, stdin=stdin, tell=tell)


class Gauge:
    """Progress of an installation by what uv says: ``Downloading torch (182.9MiB)``, `` Downloaded torch``."""

    def __init__(self, wheels: tuple[Locked, ...], emit: Emit) -> None:
        self._sizes = {each.name: each.size_bytes or 0 for each in wheels}
        self._total, self._done, self._emit = sum(self._sizes.values()) or None, 0, emit
        self._say(f"{len(wheels)} wheels")

    def hear(self, line: str) -> None:
        """Take one line of uv's."""
        verb, _, rest = line.strip().partition(" ")
        if verb in ("Downloading", "Downloaded") and rest:
            name = canonicalize_name(rest.split()[0])
            self._done += self._sizes.pop(name, 0) if verb == "Downloaded" else 0
            self._say(name)

    def finish(self) -> None:
        """Say that all is there, what came from the cache included."""
        self._done = self._total or 0
        self._say("")

    def _say(self, subject: str) -> None:
        self._emit(Progress(phase="wheels", subject=subject, done_bytes=self._done, total_bytes=self._total))


NOWHERE = Indexes(torch=None, ordered=(), default=None, find_links=())


def _sized(wheel: Locked) -> Locked:
    """Fill the size of a wheel that lies on this computer; pages of old indexes tell none."""
    path = local_path(wheel.url) if wheel.size_bytes is None else None
    return replace(wheel, size_bytes=path.stat().st_size) if path and path.is_file() else wheel


def _shown(indexes: Indexes) -> list[str]:
    named = [indexes.torch, *indexes.ordered, indexes.default]
    return [*(each for each in named if each), *indexes.find_links]


def _held(plan: Plan, pins: Mapping[str, str]) -> dict[str, str]:
    """Say of each package whose version is not free what holds it: a limit of the plan, or conda, which has it."""
    torch = plan.candidate.build.torch
    limits = {each.split()[0]: f"torch {torch} was built for `{each}`" for each in plan.wheel_limits}
    return limits | {name: f"`{name}` {version} comes from conda" for name, version in pins.items()}
