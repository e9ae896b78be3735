"""Every recording of the real programs (conda 26.7.2, mamba and micromamba 2.8.1), read through the driver.

``recorded/`` holds 37 scenarios per program as they printed them, without the fields that nobody reads; micromamba
printed what mamba did. The driver asks for its own situation; the answer is the recorded one.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from envforge.engines.conda_cli import CondaCli
from envforge.errors import BadArtefact, EngineFailed, EnvforgeError, SpecError, Unreachable, Unsatisfiable
from envforge.facts import load_facts
from envforge.foreign import import_file
from envforge.model import Locked, Plan
from tiny import quiet

pytestmark = pytest.mark.contract
MakePlan = Callable[..., Plan]
HERE = Path(__file__).parent
TOOLS = ("conda", "mamba", "micromamba")
FILES = {"conda": HERE / "recorded/conda.json", "mamba": HERE / "recorded/mamba.json"}
FILES["micromamba"] = FILES["mamba"]
PYTORCH, SYMPY = ("python 3.11.*", "pytorch 2.13.*"), ("python 3.11.*", "sympy")
SOLVED = {
    "create": SYMPY,
    "create_again": SYMPY,
    "create_jsonq": SYMPY,
    "cuda128": PYTORCH,
    "cuda128_pin": PYTORCH,
    "cuda_empty": PYTORCH,
    "dry": PYTORCH,
    "http": SYMPY,
    "install": ("prefix-probe",),
    "offline_http": SYMPY,
    "prio": ("python 3.11.*",),
}
NEEDS_CUDA = "fits this machine: candidates need `__cuda >=12.8`; this machine provides "
REFUSED: dict[str, tuple[type[EnvforgeError], str]] = {
    "badspec": (SpecError, "not a match spec: "),
    "http404": (Unreachable, "404"),
    "missing": (Unsatisfiable, "no channel has a conda package that fits `nosuchpkg`"),
    "missing_plain": (Unsatisfiable, "nosuchpkg"),
    "nochannel": (Unreachable, "nochannel"),
    "refused": (Unreachable, "channel `http://127.0.0.1:9/chan` cannot be reached: "),
    "unsat_conflict": (Unsatisfiable, "sympy <1.10"),
    "unsat_cuda124": (Unsatisfiable, NEEDS_CUDA + "`__cuda=12.4`"),
    "unsat_cuda124_plain": (Unsatisfiable, NEEDS_CUDA + "`__cuda=12.4`"),
    "unsat_nocuda": (Unsatisfiable, NEEDS_CUDA + "no `__cuda`"),
    "unsat_nocuda_plain": (Unsatisfiable, NEEDS_CUDA + "no `__cuda`"),
}
CHANNELS = {
    "http404": "http://127.0.0.1:8731/nope",
    "nochannel": "file:///srv/lab/nochannel",
    "refused": "http://127.0.0.1:9/chan",
}
NO_ANSWER = (
    *("create_quiet", "info", "info128", "list", "list_explicit", "list_sha"),
    *("remove", "rmenv", "run", "update_noop", "version"),
)
EXPLICIT = ("explicit", "explicit_badmd5", "explicit_off")


def recorded(tool: str) -> dict[str, Any]:
    return dict(json.loads(FILES[tool].read_text(encoding="utf-8")))


class Replay:
    """A driver whose program answers as one recording did, and what that program was asked."""

    def __init__(self, tool: str, scenario: str, folder: Path, **more: Any) -> None:
        self.seen, self.cache = folder / "seen.json", folder / "cache"
        command = [sys.executable, HERE / "replay.py", FILES[tool], scenario, self.seen]
        environ = {"PATH": os.environ["PATH"], "HOME": str(folder), "CONDA_EXE": "x", "MAMBA_NO_RC": "0"}
        environ |= {"XDG_CONFIG_HOME": str(folder), "CONDA_CHANNELS": "evil", "PYTHONPATH": "/nowhere"}
        self.engine = CondaCli(tool, list(map(str, command)), self.cache, environ=environ, **more)  # type: ignore[arg-type]

    def asked(self) -> tuple[list[str], dict[str, str]]:
        told = json.loads(self.seen.read_text())
        return told["argv"], told["environ"]


def fill_cache(tool: str, folder: Path) -> None:
    """Put the packages' own records where conda keeps them once it has extracted a package."""
    for scenario in ("create", "dry", "http"):
        for record in recorded(tool)[scenario]["out"]["actions"].get("FETCH", ()):
            base = record["url"].rsplit("/", 2)[0]
            name = f"{record['name']}-{record['version']}-{record.get('build_string') or record['build']}"
            info = folder / base.rpartition(":")[2].strip("/").replace("/", "-") / name / "info"
            info.mkdir(parents=True, exist_ok=True)
            (info / "repodata_record.json").write_text(json.dumps(record))


def test_every_recorded_scenario_is_replayed() -> None:
    known = {*SOLVED, *REFUSED, *NO_ANSWER, *EXPLICIT, "envfile"}
    assert (37, known, known) == (len(known), set(recorded("conda")), set(recorded("mamba")))


def answer(tool: str, scenario: str, make_plan: MakePlan, folder: Path) -> tuple[Locked, ...]:
    folder.mkdir()
    replay = Replay(tool, scenario, folder)
    if tool == "conda":
        fill_cache(tool, folder / "filled")
        wanted = "8731" if scenario == "offline_http" else "srv-lab-channel"
        (folder / "cache/conda").mkdir(parents=True)
        (folder / "filled" / wanted).rename(folder / "cache/conda/pkgs")
    return replay.engine.lock(make_plan(*SOLVED[scenario]), quiet)


@pytest.mark.parametrize("scenario", SOLVED)
def test_all_three_are_understood_to_have_found_the_same(scenario: str, make_plan: MakePlan, tmp_path: Path) -> None:
    found = {tool: answer(tool, scenario, make_plan, tmp_path / tool) for tool in TOOLS}
    exact = {tool: [(e.name, e.version, e.build, e.sha256, e.url) for e in each] for tool, each in found.items()}
    links = recorded("conda")[scenario]["out"]["actions"]["LINK"]
    assert sorted(each["name"] for each in links) == [each.name for each in found["conda"]]
    assert exact["conda"] == exact["mamba"] == exact["micromamba"]


@pytest.mark.parametrize("tool", TOOLS)
def test_which_cuda_was_found_is_read_off(tool: str, make_plan: MakePlan, tmp_path: Path) -> None:
    scenarios = ("cuda128", "cuda128_pin", "cuda_empty")
    found = {each: {p.name: p for p in answer(tool, each, make_plan, tmp_path / each)} for each in scenarios}
    versions = [found[each]["cuda-version"].version for each in scenarios[:2]]
    assert ["12.9", "12.8"] == versions
    assert ["cuda1", "cuda1", "cpu_g"] == [found[each]["pytorch"].build[:5] for each in scenarios]


def test_a_package_that_conda_has_cached_of_another_channel_is_not_taken(make_plan: MakePlan, tmp_path: Path) -> None:
    fill_cache("conda", tmp_path / "filled")
    (tmp_path / "cache/conda").mkdir(parents=True)
    (tmp_path / "filled/8731").rename(tmp_path / "cache/conda/pkgs")
    with pytest.raises(EngineFailed, match="conda tells neither URL nor sha256 of `tzdata`"):
        Replay("conda", "create_again", tmp_path).engine.lock(make_plan(*SYMPY), quiet)


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("scenario", REFUSED)
def test_a_recorded_refusal_is_the_right_error(scenario: str, tool: str, make_plan: MakePlan, tmp_path: Path) -> None:
    kind, says = REFUSED[scenario]
    more = {"channels": (CHANNELS[scenario],)} if scenario in CHANNELS else {}
    cuda = "12.4" if "124" in scenario else None
    with pytest.raises(EnvforgeError) as refused:
        Replay(tool, scenario, tmp_path).engine.lock(make_plan("x", cuda=cuda, **more), quiet)
    error = refused.value
    assert kind is type(error)
    assert says in "\n".join((error.message, *error.where))
    assert "\n" not in error.message


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("scenario", NO_ANSWER)
def test_what_is_no_answer_is_never_taken_for_one(
    scenario: str, tool: str, make_plan: MakePlan, tmp_path: Path
) -> None:
    with pytest.raises(EngineFailed, match=r"did not say what it would install|failed: "):
        Replay(tool, scenario, tmp_path).engine.lock(make_plan("x"), quiet)


def test_an_environment_file_took_conda_to_the_network_and_mamba_not(make_plan: MakePlan, tmp_path: Path) -> None:
    (tmp_path / "m").mkdir()
    with pytest.raises(Unreachable, match="CONNECTION FAILED for url"):
        Replay("conda", "envfile", tmp_path).engine.lock(make_plan(*SYMPY), quiet)
    found = Replay("mamba", "envfile", tmp_path / "m").engine.lock(make_plan(*SYMPY), quiet)
    assert ["mpmath", "python", "sympy", "tzdata"] == [each.name for each in found]


def served(tool: str) -> tuple[Locked, ...]:
    """The four packages of the explicit files, from the recorded server."""
    link = recorded("mamba")["http"]["out"]["actions"]["LINK"]
    return tuple(
        Locked(
            name=each["name"],
            version=each["version"],
            kind="conda",
            url=each["url"],
            sha256=each["sha256"],
            build=each["build_string"],
            subdir=each["subdir"],
        )
        for each in link
        if each["name"] != "pip"
    )


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("scenario", EXPLICIT)
def test_an_explicit_install_ends_as_recorded(scenario: str, tool: str, tmp_path: Path) -> None:
    replay, stage = Replay(tool, scenario, tmp_path), tmp_path / "stage that is longer"
    if scenario == "explicit_badmd5" and tool != "conda":
        with pytest.raises(BadArtefact, match="an archive is not what the lock says: "):
            replay.engine.install(served(tool), stage, tmp_path / "env", quiet)
    else:
        replay.engine.install(served(tool), stage, tmp_path / "env", quiet)
        assert 4 == len(list((stage / "conda-meta").glob("*.json")))


def test_what_conda_does_not_check_is_checked_before(tmp_path: Path) -> None:
    archive = tmp_path / "noarch" / "tzdata-2026a-h0000000_0.conda"
    archive.parent.mkdir()
    archive.write_bytes(b"other")
    local = replace(next(e for e in served("conda") if e.name == "tzdata"), url=archive.as_uri())
    replay = Replay("conda", "explicit_badmd5", tmp_path)
    with pytest.raises(BadArtefact, match="`tzdata` is not what the lock says"):
        replay.engine.install((local,), tmp_path / "stage", tmp_path / "env", quiet)
    assert not replay.seen.exists()


def test_a_solve_is_asked_for_as_the_contract_says(make_plan: MakePlan, tmp_path: Path) -> None:
    said = {}
    for tool in TOOLS:
        (tmp_path / tool).mkdir()
        replay = Replay(tool, "missing", tmp_path / tool, offline=True)
        with pytest.raises(Unreachable, match="no channel in the cache has `nosuchpkg`, and offline"):
            replay.engine.lock(make_plan("python 3.11.*", channels=("conda-forge", "file:///srv/a b")), quiet)
        said[tool] = replay.asked()[0]
    opening = ["create", "--yes", "--dry-run", "--json", "--override-channels", "--strict-channel-priority"]
    places = ["-c", "https://conda.anaconda.org/conda-forge", "-c", "file:///srv/a%20b", "-p"]
    for tool, own in (("conda", ["--no-default-packages", "--no-pin"]), ("mamba", ["--no-rc"])):
        assert [*opening, *places] == said[tool][:11]
        assert [*own, "--offline", "python 3.11.*"] == said[tool][12:]
    assert said["mamba"][12:] == said["micromamba"][12:]


def test_an_explicit_install_is_asked_for_as_the_contract_says(tmp_path: Path) -> None:
    own = {"conda": ["--no-default-packages"], "mamba": ["--no-rc", "--no-pyc"]}
    for tool in TOOLS:
        (tmp_path / tool).mkdir()
        replay, stage = Replay(tool, "explicit", tmp_path / tool), tmp_path / tool / "stage that is longer"
        replay.engine.install(served(tool), stage, tmp_path / "env", quiet)
        argv = replay.asked()[0]
        assert ["create", "--yes", "--json", "-p", str(stage), "--file"] == argv[:6]
        assert ("explicit.txt", own.get(tool, own["mamba"])) == (Path(argv[6]).name, argv[7:])


@pytest.mark.parametrize("tool", TOOLS)
def test_a_program_sees_the_machine_and_nothing_of_the_user(tool: str, make_plan: MakePlan, tmp_path: Path) -> None:
    environ: dict[str, dict[str, str]] = {}
    for cuda in ("12.8", None):
        (tmp_path / str(cuda)).mkdir()
        replay = Replay(tool, "cuda_empty", tmp_path / str(cuda))
        fill_cache(tool, replay.cache / tool / "filled")
        (replay.cache / tool / "filled/srv-lab-channel").rename(replay.cache / tool / "pkgs")
        replay.engine.lock(make_plan(*PYTORCH, cuda=cuda), quiet)
        environ[str(cuda)] = replay.asked()[1]
    with_cuda, without = environ["12.8"], environ["None"]
    assert ("12.8", "") == (with_cuda["CONDA_OVERRIDE_CUDA"], without["CONDA_OVERRIDE_CUDA"])
    assert ("2.36", "x86_64_v3") == (with_cuda["CONDA_OVERRIDE_GLIBC"], with_cuda["CONDA_OVERRIDE_ARCHSPEC"])
    home = tmp_path / "12.8" / "cache" / tool
    assert (f"{home}/home", f"{home}/solve") == (with_cuda["HOME"], with_cuda["CONDA_PKGS_DIRS"])
    assert [] == [key for key in ("CONDA_EXE", "CONDA_CHANNELS", "PYTHONPATH", "XDG_CONFIG_HOME") if key in with_cuda]
    assert ("CONDARC" in with_cuda, "MAMBA_ROOT_PREFIX" in with_cuda) == (tool == "conda", tool != "conda")


@pytest.mark.parametrize("tool", TOOLS)
@pytest.mark.parametrize("scenario", ["list_explicit", "list_sha"])
def test_a_recorded_list_is_imported(scenario: str, tool: str) -> None:
    text = recorded(tool)[scenario]["out"]
    spec = import_file(text, "list.txt", load_facts(), lambda path: path).spec
    wanted = {re.split("[ =]", each)[0] for each in spec.conda}
    assert ("==3.11.*", "file:///srv/lab/channel") == (str(spec.python), spec.channels[0])
    assert {"mpmath", "sympy", "tzdata"} <= wanted
