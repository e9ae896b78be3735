"""conda, mamba and micromamba as engines, driven through ``--json`` and explicit files alone.

They cannot build for another place, so the stage is built where it stands and then made to say ``final``. Nothing of
the user's configuration reaches them: their own package cache, no rc files, explicit virtual packages.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Literal

from envforge.engines._rattler_worker import broken_limits
from envforge.engines.artefacts import check_local
from envforge.engines.cli_output import artefacts_of, failure, last_json
from envforge.engines.failures import unreachable
from envforge.engines.places import channel_url, without_credentials
from envforge.engines.relocate import relocate
from envforge.errors import EngineFailed, SpecError
from envforge.model import Emit, Locked, Plan, Progress
from envforge.run import Completed, in_child, run

Tool = Literal["conda", "mamba", "micromamba"]
DEADLINE_S = 300.0
INSTALL_DEADLINE_S = 6 * 3600.0
MATCH_DEADLINE_S = 30.0
DROPPED = ("CONDA_", "MAMBA_", "PYTHON", "_CE_")
OVERRIDES = {
    "__archspec": "CONDA_OVERRIDE_ARCHSPEC",
    "__cuda": "CONDA_OVERRIDE_CUDA",
    "__cuda_arch": "CONDA_OVERRIDE_CUDA_ARCH",
    "__glibc": "CONDA_OVERRIDE_GLIBC",
    "__linux": "CONDA_OVERRIDE_LINUX",
    "__osx": "CONDA_OVERRIDE_OSX",
}
LOGINS = (".netrc", ".mamba")


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
        self.name = tool
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
        broken = in_child(lambda _: broken_limits(plan.limits, found), deadline_s=MATCH_DEADLINE_S)
        return self._solve(plan, (*plan.specs, *broken)) if broken else found

    def _solve(self, plan: Plan, specs: tuple[str, ...]) -> tuple[Locked, ...]:
        arguments = ["create", "--yes", "--dry-run", "--json", "--override-channels", "--strict-channel-priority"]
        for channel in plan.channels:
            arguments += ["-c", channel_url(channel)]
        with tempfile.TemporaryDirectory(prefix="envforge-") as folder:
            arguments += ["-p", f"{folder}/env", *specs]
            done = self._run(arguments, self._cache / "solve", overrides(plan), self._deadline_s)
        answer = last_json(done.stdout)
        if done.timed_out:
            raise unreachable(", ".join(plan.channels), f"{self.name} got no answer within {self._deadline_s:g} s")
        if not done.ok:
            raise failure(self.name, answer, done.stderr, dict(plan.virtual), plan.channels)
        return artefacts_of(answer, self.name)

    def install(self, artefacts: tuple[Locked, ...], stage: Path, final: Path, emit: Emit, /) -> None:
        """Build ``stage`` from an explicit file and make it say ``final``. An environment that is there is refused.

        Raises BadArtefact, Unreachable, DiskFailed, EngineFailed.
        """
        conda = tuple(each for each in artefacts if each.kind == "conda")
        where = stage.absolute()
        make_room(where)
        check_local(conda)
        emit(Progress(phase="link", subject=f"{len(conda)} packages by {self.name}"))
        with tempfile.TemporaryDirectory(prefix="envforge-") as folder:
            listing = Path(folder) / "explicit.txt"
            lines = (f"{each.url}#sha256:{each.sha256}\n" for each in conda)
            listing.write_text("@EXPLICIT\n" + "".join(lines), encoding="utf-8")
            arguments = ["create", "--yes", "--json", "-p", str(where), "--file", str(listing)]
            done = self._run(arguments, self._cache / "pkgs", {}, INSTALL_DEADLINE_S)
        self._check(done, conda, where)
        relocate(where, final.absolute())

    def _check(self, done: Completed, conda: tuple[Locked, ...], stage: Path) -> None:
        """Hold ``conda-meta`` against the lock: for explicit files conda prints nothing, whatever it did."""
        if not done.ok:
            hosts = dict.fromkeys(each.url.rsplit("/", 2)[0] for each in conda)
            raise failure(self.name, last_json(done.stdout), done.stderr, {}, hosts)
        there = {each.name.removesuffix(".json") for each in (stage / "conda-meta").glob("*.json")}
        wanted = {f"{each.name}-{each.version}-{each.build}" for each in conda}
        if there != wanted:
            where = tuple(sorted(there ^ wanted))[:6]
            raise EngineFailed(f"{self.name} did not install what is locked", where)

    def _run(self, arguments: Sequence[str], packages: Path, more: Mapping[str, str], deadline_s: float) -> Completed:
        own = ["--no-rc"] if self.name != "conda" else []
        offline = ["--offline"] if self._offline else []
        env = self._environment(packages) | dict(more)
        return run([*self._command, *arguments, *own, *offline], deadline_s=deadline_s, env=env)

    def _environment(self, packages: Path) -> dict[str, str]:
        """Give an environment without the user's conda; ``CONDARC`` is an error beside mamba's ``--no-rc``."""
        clean = {key: text for key, text in self._environ.items() if not key.startswith(DROPPED)}
        packages.mkdir(parents=True, exist_ok=True)
        clean |= {
            "CONDA_PKGS_DIRS": str(packages),
            "CONDA_ADD_PIP_AS_PYTHON_DEPENDENCY": "false",
            "CONDA_REGISTER_ENVS": "false",
            "CONDA_REPORT_ERRORS": "false",
            "CONDA_NUMBER_CHANNEL_NOTICES": "0",
        }
        if self.name == "conda":
            return clean | {"CONDARC": os.devnull}
        return clean | {"MAMBA_ROOT_PREFIX": str(self._cache / "root"), "HOME": str(self._home(clean))}

    def _home(self, environ: Mapping[str, str]) -> Path:
        """Make a home of its own for mamba, which lists every prefix in ``~/.conda``; logins are the user's."""
        home = self._cache / "home"
        home.mkdir(parents=True, exist_ok=True)
        for name in LOGINS:
            theirs, ours = Path(environ.get("HOME", "/")) / name, home / name
            if theirs.exists() and not ours.exists():
                with suppress(FileExistsError):
                    ours.symlink_to(theirs)
        return home


def make_room(stage: Path) -> None:
    """Take an empty folder away: the programs ask what to do with one, and replace a full one. Raises EngineFailed."""
    if stage.is_dir() and not any(stage.iterdir()):
        stage.rmdir()
    if os.path.lexists(stage):
        raise EngineFailed("the prefix is not empty", (str(stage),))


def overrides(plan: Plan) -> dict[str, str]:
    """Tell the machine through ``CONDA_OVERRIDE_*``; an empty string means that there is no such thing."""
    told = {"CONDA_OVERRIDE_CUDA": "", "CONDA_SUBDIR": plan.subdir}
    for name, version in plan.virtual:
        if name in OVERRIDES:
            told[OVERRIDES[name]] = version.split("=")[-1]
    return told
