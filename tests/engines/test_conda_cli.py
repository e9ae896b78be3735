"""The contract of every engine, over rattler and the three command lines (real ones where they are on ``PATH``)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from channel.served import Served
from channel.wheelhouse import Channel
from envforge.engines import make_engine
from envforge.engines.cli_output import artefacts_of, failure, last_json
from envforge.engines.conda_cli import CondaCli, find_tool
from envforge.engines.rattler import RattlerEngine
from envforge.errors import BadArtefact, DiskFailed, EngineFailed, SpecError, Unreachable, Unsatisfiable, UsageError
from envforge.model import Engine, Locked, Plan
from envforge.run import Completed
from tiny import quiet

MakePlan = Callable[..., Plan]
Make = Callable[..., Engine]
STANDIN = Path(__file__).parent / "standin.py"
TOOLS = ("conda", "mamba", "micromamba")


def environ(home: Path) -> dict[str, str]:
    return {**os.environ, "HOME": str(home)}


@pytest.fixture(params=["rattler", *TOOLS])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Make:
    """Make the engine of this run, with a home of its own, where nothing may be written."""
    home = tmp_path / "home"
    home.mkdir(mode=0o755)
    (home / ".condarc").write_text("channels: [evil]\n")
    name: str = request.param

    def build(cache: Path = tmp_path / "cache", **more: object) -> Engine:
        if name == "rattler":
            return RattlerEngine(cache, environ={}, **more)  # type: ignore[arg-type]
        real = find_tool(name, os.environ)  # type: ignore[arg-type]
        command = [str(real)] if real else [sys.executable, str(STANDIN), name]
        return CondaCli(name, command, cache, environ=environ(home), **more)  # type: ignore[arg-type]

    return build


def test_the_virtual_packages_and_limits_of_the_plan_decide(make: Make, make_plan: MakePlan, channel: Channel) -> None:
    wanted = (f"python {channel.python}.*", "pytorch 2.13.* cuda*")
    found = {
        each.name: each for each in make().lock(make_plan(*wanted, cuda="12.9", limits=("cuda-version <=12.8",)), quiet)
    }
    assert ("12.8", "cuda128") == (found["cuda-version"].version, found["pytorch"].build[:7])
    assert all(each.sha256 and each.url.startswith("file://") for each in found.values())


def test_a_cpu_plan_stays_without_cuda(make: Make, make_plan: MakePlan, channel: Channel) -> None:
    found = make().lock(
        make_plan(f"python {channel.python}.*", "pytorch 2.13.*", limits=("cuda-version <=12.8",)), quiet
    )
    assert [] == [each.name for each in found if "cuda" in each.name]


def test_every_engine_finds_the_same(make: Make, rattler: RattlerEngine, make_plan: MakePlan, channel: Channel) -> None:
    """But for the place of site-packages, which mamba does not tell of a channel over HTTP (2.8.1)."""
    plan = make_plan(f"python {channel.python}.*", "sympy", "pytorch 2.13.*")
    ours, theirs = rattler.lock(plan, quiet), make().lock(plan, quiet)
    assert [replace(each, site_packages_path=None) for each in ours] == [
        replace(each, site_packages_path=None) for each in theirs
    ]


def test_what_cannot_be_is_told_from_what_cannot_be_reached(
    make: Make, make_plan: MakePlan, channel: Channel, tmp_path: Path
) -> None:
    engine = make()
    with pytest.raises(Unsatisfiable, match=r"candidates need `__cuda >=12.8`; this machine provides `__cuda=12.4`"):
        engine.lock(make_plan(f"python {channel.python}.*", "pytorch 2.13.* cuda*", cuda="12.4"), quiet)
    with pytest.raises(Unsatisfiable, match="no channel has a conda package that fits `nosuchpkg`"):
        engine.lock(make_plan("nosuchpkg"), quiet)
    with pytest.raises(Unreachable, match="nothing"):
        engine.lock(make_plan("python", channels=((tmp_path / "nothing").as_uri(),)), quiet)
    with pytest.raises(SpecError):
        engine.lock(make_plan("python >=3..11"), quiet)


@pytest.fixture
def small(rattler: RattlerEngine, make_plan: MakePlan) -> tuple[Locked, ...]:
    return rattler.lock(make_plan("sympy", "prefix-probe", f"python {make_plan().python}.*"), quiet)


def contents(prefix: Path) -> dict[str, bytes]:
    """Read every file, except what engines write about their own work, and what conda compiles."""
    files = (path for path in sorted(prefix.rglob("*")) if path.is_file() and not path.is_symlink())
    relative = {path.relative_to(prefix).as_posix(): path for path in files}
    own = [name for name in relative if not name.startswith("conda-meta/") and not name.endswith(".pyc")]
    return {name: relative[name].read_bytes() for name in own}


def test_any_engine_installs_what_another_solved_byte_for_byte(
    make: Make, rattler: RattlerEngine, small: tuple[Locked, ...], tmp_path: Path
) -> None:
    final, stage, other = tmp_path / "e", tmp_path / "e.stage-1" / "prefix", tmp_path / "other"
    stage.parent.mkdir()
    make().install(small, stage, final, quiet)
    rattler.install(small, other, final, quiet)
    assert contents(other) == contents(stage)
    assert f"root={final}\n" == (stage / "share/prefix-probe/text.cfg").read_text()
    stage.rename(final)
    said = subprocess.run([final / "bin/isympy", "--help"], capture_output=True, text=True, check=True)
    assert "usage: isympy" in said.stdout
    assert [".condarc"] == [each.name for each in (tmp_path / "home").iterdir()]


@pytest.mark.parametrize("over", ["file", "http"])
def test_a_wrong_sha256_is_refused(
    over: str,
    make: Make,
    small: tuple[Locked, ...],
    channel: Channel,
    http_server: Callable[[Path], Served],
    tmp_path: Path,
) -> None:
    base = http_server(channel.path).url if over == "http" else channel.url
    bad = tuple(
        replace(each, sha256="0" * 64, url=each.url.replace(channel.url, base)) if each.name == "mpmath" else each
        for each in small
    )
    with pytest.raises(BadArtefact, match="not what the lock says"):
        make().install(bad, tmp_path / "long enough stage", tmp_path / "env", quiet)


def test_an_environment_that_is_there_is_never_replaced(small: tuple[Locked, ...], tmp_path: Path) -> None:
    (tmp_path / "env").mkdir()
    (tmp_path / "env" / "mine").touch()
    engine = CondaCli("conda", [sys.executable, str(STANDIN), "conda"], tmp_path / "cache", environ=environ(tmp_path))
    with pytest.raises(EngineFailed, match="the prefix is not empty"):
        engine.install(small, tmp_path / "env", tmp_path / "env", quiet)
    assert (tmp_path / "env" / "mine").exists()


def test_a_tool_that_installs_something_else_is_refused(small: tuple[Locked, ...], tmp_path: Path) -> None:
    idle = CondaCli("conda", ["true"], tmp_path / "cache", environ=environ(tmp_path))
    with pytest.raises(EngineFailed, match="conda did not install what is locked"):
        idle.install(small, tmp_path / "stage", tmp_path / "env", quiet)


def test_newer_packages_cannot_be_left_out_by_a_command_line(make_plan: MakePlan, tmp_path: Path) -> None:
    engine = CondaCli("mamba", ["true"], tmp_path, environ={})
    with pytest.raises(SpecError, match="mamba cannot leave out newer packages"):
        engine.lock(make_plan("python", exclude_newer="2026-01-01"), quiet)


# What no recording holds, after the sources of conda 26.7 and mamba 2.8.
UNRECORDED: Mapping[str, tuple[str, str, type[Exception], str]] = {
    "conda several": (
        '{"exception_name": "CondaMultiError", "error": "Multiple Errors Encountered.", "errors": [{"exception_name": '
        '"ChecksumMismatchError", "message": "Conda detected a mismatch between the expected content and downloaded '
        "content\\nfor url 'https://h/x.conda'.\\n\"}]}",
        "",
        BadArtefact,
        "Conda detected a mismatch",
    ),
    "conda offline": (
        '{"exception_name": "OfflineError", "message": "EnforceUnusedAdapter called with url https://h/x.conda"}',
        "",
        Unreachable,
        "EnforceUnusedAdapter called",
    ),
    "conda forbidden": (
        '{"exception_name": "CondaHTTPError", "message": "HTTP 403 FORBIDDEN for url <https://h/linux-64/x.conda>\\n"}',
        "",
        Unreachable,
        "HTTP 403 FORBIDDEN",
    ),
    "conda disk": (
        '{"exception_name": "NoSpaceLeftError", "message": "No space left on devices."}',
        "",
        DiskFailed,
        "No space left",
    ),
    "conda terms": (
        '{"exception_name": "CondaToSNonInteractiveError", "message": "Terms of Service have not been accepted.\\nMore"}',
        "",
        EngineFailed,
        "conda failed: Terms of Service have not been accepted",
    ),
    "mamba wrong hash": (
        '{"log_history": [{"level": "error", "message": "File not valid: MD5 doesn\'t match expectation \\"x.conda\\"\\n    '
        'Expected: 0\\n    Actual: 1"}, {"level": "critical", "message": "Found incorrect downloads. Aborting"}], "success": false}',
        "",
        BadArtefact,
        "File not valid",
    ),
    "mamba disk": (
        '{"log_history": [{"level": "critical", "message": "Download error (23) Failed writing received data to disk"}]}',
        "",
        DiskFailed,
        "Failed writing",
    ),
    "mamba unknown flag": (
        "",
        "The following argument was not expected: --no-pyc\nRun with --help for more information.\n",
        EngineFailed,
        "mamba is too old: The following argument was not expected: --no-pyc",
    ),
    "mamba takes it for an md5": (
        '{"log_history": [{"level": "error", "message": "File not valid: MD5 doesn\'t match expectation \\"x.conda\\"\\n    '
        'Expected: sha256:ab\\n    Actual: cd"}]}',
        "",
        EngineFailed,
        "mamba is too old: Expected: sha256:ab",
    ),
    "conda knows no sha256": (
        '{"exception_name": "ParseError", "message": "Could not parse explicit URL: https://h/x.conda#sha256:ab"}',
        "",
        EngineFailed,
        "conda is too old: Could not parse explicit URL",
    ),
    "nothing at all": ("", "", EngineFailed, "it said nothing"),
}


@pytest.mark.contract
@pytest.mark.parametrize("name", UNRECORDED)
def test_rarer_complaints_become_the_right_errors(name: str) -> None:
    stdout, stderr, kind, says = UNRECORDED[name]
    done = Completed(argv=(), returncode=1, stdout=stdout, stderr=stderr, took_s=0.0)
    error = failure(name.split(maxsplit=1)[0], done, {"__cuda": "12.4"}, ["http://127.0.0.1:8731/nope"])
    assert kind is type(error)
    assert says in error.message


@pytest.mark.contract
def test_condas_two_halves_of_an_answer_are_put_together() -> None:
    fetch = {
        "name": "tzdata",
        "version": "2026a",
        "build": "h0_0",
        "build_number": 0,
        "subdir": "noarch",
        "url": "file:///srv/lab/channel/noarch/tzdata-2026a-h0_0.conda",
        "sha256": "a" * 64,
        "size": 816,
    }
    link = {
        "base_url": "file:///srv/lab/channel",
        "name": "tzdata",
        "version": "2026a",
        "build_string": "h0_0",
        "dist_name": "x",
    }
    (found,) = artefacts_of({"actions": {"FETCH": [fetch], "LINK": [link]}}, "conda")
    assert ("tzdata", "a" * 64, 816) == (found.name, found.sha256, found.size_bytes)
    with pytest.raises(EngineFailed, match="conda tells neither URL nor sha256 of `tzdata`"):
        artefacts_of({"actions": {"LINK": [{**link, "subdir": "noarch"}]}}, "conda")


def test_the_last_document_of_several_counts() -> None:
    assert {"b": 1} == last_json('{"fetch": 1}\0\n{"b": 1}\n')
    assert {} == last_json("Killed\n")


def test_engines_are_made_by_name(tmp_path: Path) -> None:
    program = tmp_path / "bin" / "mamba"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    here = {"PATH": str(program.parent)}
    assert ["rattler", "mamba"] == [make_engine(name, tmp_path, environ=here).name for name in ("auto", "mamba")]
    for name, says in (("conda", "engine `conda` is not on this computer"), ("snail", "engine `snail` is not known")):
        with pytest.raises(UsageError, match=says):
            make_engine(name, tmp_path, environ=here)
