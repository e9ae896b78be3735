"""conda, mamba and micromamba as engines, driven through ``--json`` and explicit files alone.

They cannot build for another place, so the stage is built where it stands and then made to say ``final``. Nothing of
the user's configuration reaches them (see `surroundings`): their own package cache, explicit virtual packages.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from envforge.engines.artefacts import check_local
from envforge.engines.cli_output import artefacts_of, cached_records, failure, last_json, needed, untold
from envforge.engines.failures import unreachable
from envforge.engines.jobs import broken_limits
from envforge.engines.places import channel_url, without_credentials
from envforge.engines.relocate import relocate
from envforge.engines.surroundings import Tool, environment, overrides
from envforge.errors import EngineFailed, SpecError
from envforge.model import Emit, Locked, Plan, Progress
from envforge.run import Completed, in_child, run

DEADLINE_S = 300.0
INSTALL_DEADLINE_S = 6 * 3600.0
MATCH_DEADLINE_S = 30.0
# conda: an administrator's `create_default_packages` and pins would come on top (and break explicit files); mamba:
# compiling noarch packages takes four times as long as everything else.
SOLVING = {"conda": ("--no-default-packages", "--no-pin"), "mamba": ("--no-rc",), "micromamba": ("--no-rc",)}
INSTALLING = {
    "conda": ("--no-default-packages",),
    "mamba": ("--no-rc", "--no-pyc"),
    "micromamba": ("--no-rc", "--no-pyc"),
}


def find_tool(tool: Tool, environ: Mapping[str, str]) -> Path | None:
    """Find a conda-like program: where its own variable says, else on ``PATH``."""
    named = {"conda": "CONDA_EXE", "mamba": "MAMBA_EXE", "micromamba": "MAMBA_EXE"}[tool]
    told = Path(environ.get(named, ""))
    if told.name == tool and os.access(told, os.X_OK):
        return told
    found = shutil.which(tool, path=environ.get("PATH"))
    return Path(found) if found else None


class CondaCli:
    """One of the three programs. ``command`` is how it is started; ``cache`` holds a cache per program."""

    def __init__(
        self,
        tool: Tool,
        command: Sequence[str],
        cache: Path,
        offline: bool = False,
        deadline_s: float = DEADLINE_S,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self.name: Tool = tool
        self._command, self._offline, self._deadline_s = tuple(command), offline, deadline_s
        self._cache = cache.absolute() / tool
        self._environ = dict(os.environ if environ is None else environ)

    def lock(self, plan: Plan, emit: Emit, /) -> tuple[Locked, ...]:
        """Solve by a dry run. Limits that the answer breaks become specs of a second one.

        Raises Unsatisfiable, Unreachable, EngineFailed, and SpecError for what is no match spec or cannot be asked.
        """
        if plan.exclude_newer:
            raise SpecError(f"{self.name} cannot leave out newer packages", (), ("use `--engine rattler`",))
        emit(Progress(phase="solve", subject=", ".join(map(without_credentials, plan.channels))))
        found = self._solve(plan, plan.specs)
        if not plan.limits:
            return found
        broken = in_child(lambda send: broken_limits(plan.limits, found, send), deadline_s=MATCH_DEADLINE_S)
        return self._solve(plan, (*plan.specs, *broken)) if broken else found

    def _solve(self, plan: Plan, specs: tuple[str, ...]) -> tuple[Locked, ...]:
        arguments = ["create", "--yes", "--dry-run", "--json", "--override-channels", "--strict-channel-priority"]
        for channel in plan.channels:
            arguments += ["-c", channel_url(channel)]
        with tempfile.TemporaryDirectory(prefix="envforge-") as folder:
            arguments += ["-p", f"{folder}/env", *SOLVING[self.name], *self._offline_flag(), *specs]
            done = self._run(arguments, self._solved, overrides(plan), self._deadline_s)
        if done.timed_out:
            raise unreachable(", ".join(plan.channels), f"{self.name} got no answer within {self._deadline_s:g} s")
        if not done.ok:
            raise failure(self.name, done, dict(plan.virtual), plan.channels, offline=self._offline)
        answer = last_json(done.stdout)
        known = cached_records(answer, self._package_folders()) if untold(answer) else ()
        return needed(specs, artefacts_of(answer, self.name, known))

    def _package_folders(self) -> tuple[Path, ...]:
        """Ask where packages may lie besides our own caches: an administrator's ``pkgs_dirs`` are added to them."""
        told = last_json(self._run(["info", "--json"], self._solved, {}, MATCH_DEADLINE_S).stdout)
        return (self._installed, *map(Path, told.get("pkgs_dirs") or told.get("package cache") or ()))

    def install(self, artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit, /) -> None:
        """Build ``stage`` from an explicit file and make it say ``final``. An environment that is there is refused.

        Raises BadArtefact, Unreachable, DiskFailed, EngineFailed.
        """
        conda = tuple(each for each in artefacts if each.kind == "conda")
        _refuse_scripts(conda, self.name)
        where = stage.absolute()
        make_room(where)
        check_local(conda)
        emit(Progress(phase="link", subject=f"{len(conda)} packages by {self.name}"))
        with tempfile.TemporaryDirectory(prefix="envforge-") as folder:
            listing = Path(folder) / "explicit.txt"
            lines = (f"{each.url}#sha256:{each.sha256}\n" for each in conda)
            listing.write_text("@EXPLICIT\n" + "".join(lines), encoding="utf-8")
            arguments = ["create", "--yes", "--json", "-p", str(where), "--file", str(listing)]
            arguments += [*INSTALLING[self.name], *self._offline_flag()]
            done = self._run(arguments, self._installed, {}, INSTALL_DEADLINE_S)
        self._check(done, conda, where)
        relocate(where, final.absolute())

    def _check(self, done: Completed, conda: tuple[Locked, ...], stage: Path) -> None:
        """Hold ``conda-meta`` against the lock: for explicit files conda prints nothing, whatever it did."""
        if not done.ok:
            hosts = dict.fromkeys(each.url.rsplit("/", 2)[0] for each in conda)
            raise failure(self.name, done, {}, hosts, offline=self._offline)
        there = {each.name.removesuffix(".json") for each in (stage / "conda-meta").glob("*.json")}
        wanted = {f"{each.name}-{each.version}-{each.build}" for each in conda}
        if there != wanted:
            where = tuple(sorted(there ^ wanted))[:6]
            raise EngineFailed(f"{self.name} did not install what is locked", where)

    @property
    def _solved(self) -> Path:
        """The cache of solves, in which no package ever lies: what conda has not to fetch it tells by name alone."""
        return self._cache / "solve"

    @property
    def _installed(self) -> Path:
        return self._cache / "pkgs"

    def _offline_flag(self) -> list[str]:
        return ["--offline"] if self._offline else []

    def _run(self, arguments: Sequence[str], packages: Path, more: Mapping[str, str], deadline_s: float) -> Completed:
        env = environment(self.name, self._environ, self._cache, packages) | dict(more)
        return run([*self._command, *arguments], deadline_s=deadline_s, env=env)


def _refuse_scripts(artefacts: tuple[Locked, ...], tool: Tool) -> None:
    """Raise EngineFailed where a link script may run: it would edit files that are the cache's too."""
    if allowed := [each.name for each in artefacts if each.link_scripts]:
        hints = ("use `--engine rattler`, which runs them", "or leave `link-scripts` out of the spec")
        raise EngineFailed(f"{tool} runs no link scripts here, and that of `{allowed[0]}` is allowed", (), hints)


def make_room(stage: Path) -> None:
    """Take an empty folder away: the programs ask what to do with one, and replace a full one. Raises EngineFailed."""
    if stage.is_dir() and not any(stage.iterdir()):
        stage.rmdir()
    if os.path.lexists(stage):
        raise EngineFailed("the prefix is not empty", (str(stage),))
