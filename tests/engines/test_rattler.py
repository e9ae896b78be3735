"""The embedded engine on a real channel: what it picks, what it refuses, what it writes."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from channel.served import Served
from channel.wheelhouse import Channel
from envforge.engines.caches import package_cache
from envforge.engines.rattler import RattlerEngine
from envforge.errors import BadArtefact, DiskFailed, SpecError, Unreachable, Unsatisfiable, UsageError
from envforge.model import Locked, Plan, Progress
from patience import in_time
from tiny import quiet

MakePlan = Callable[..., Plan]
Serve = Callable[[Path], Served]


@contextmanager
def environment(**changes: str) -> Iterator[None]:
    """Change this process's environment for a while, as a user's shell would have."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def by_name(artefacts: tuple[Locked, ...]) -> dict[str, Locked]:
    return {each.name: each for each in artefacts}


def test_without_a_driver_the_cpu_build_is_locked_with_url_and_sha256(
    rattler: RattlerEngine, make_plan: MakePlan, channel: Channel
) -> None:
    found = by_name(rattler.lock(make_plan(f"python {channel.python}.*", "pytorch 2.13.*"), quiet))
    assert found["pytorch"].build.startswith("cpu_generic_")
    assert {64} == {len(each.sha256) for each in found.values()}
    assert all(each.url.startswith(channel.url) for each in found.values())
    assert sorted(found) == list(found)


def test_the_virtual_packages_of_the_plan_decide_not_this_host(
    rattler: RattlerEngine, make_plan: MakePlan, channel: Channel
) -> None:
    wanted = (f"python {channel.python}.*", "pytorch 2.13.* cuda*")
    found = by_name(rattler.lock(make_plan(*wanted, cuda="12.9", limits=("cuda-version <=12.8",)), quiet))
    assert ("12.8", "cuda128") == (found["cuda-version"].version, found["pytorch"].build[:7])


def test_limits_restrict_and_install_nothing(rattler: RattlerEngine, make_plan: MakePlan) -> None:
    found = by_name(rattler.lock(make_plan("mpmath", limits=("cuda-version <=12.8", "sympy <1")), quiet))
    assert {"cuda-version", "sympy"} & set(found) == set()


def test_equal_plans_give_equal_locks(rattler: RattlerEngine, make_plan: MakePlan, tmp_path: Path) -> None:
    plan = make_plan("sympy", "prefix-probe")
    assert rattler.lock(plan, quiet) == RattlerEngine(tmp_path, environ={}).lock(plan, quiet)


def test_a_driver_that_is_too_old_is_named_with_what_is_needed(
    rattler: RattlerEngine, make_plan: MakePlan, channel: Channel
) -> None:
    plan = make_plan(f"python {channel.python}.*", "pytorch 2.13.* cuda*", cuda="12.4")
    with pytest.raises(Unsatisfiable) as refused:
        rattler.lock(plan, quiet)
    says = "candidates need `__cuda >=12.8`; this machine provides `__cuda=12.4`"
    assert f"no set of conda packages fits this machine: {says}" == refused.value.message
    assert [] == [line for line in refused.value.where if line.startswith("python")]


def test_a_limit_that_contradicts_is_named_although_other_builds_need_a_gpu(
    rattler: RattlerEngine, make_plan: MakePlan, channel: Channel
) -> None:
    plan = make_plan(f"python {channel.python}.*", "pytorch 2.13.*", limits=("numpy <1",))
    with pytest.raises(Unsatisfiable, match="the constraint numpy <1 cannot be fulfilled"):
        rattler.lock(plan, quiet)


def test_an_unknown_package_is_named_with_the_nearest_name(rattler: RattlerEngine, make_plan: MakePlan) -> None:
    with pytest.raises(Unsatisfiable, match="no channel has a conda package that fits `simpy >=1`") as refused:
        rattler.lock(make_plan("simpy >=1"), quiet)
    assert ("did you mean `sympy`",) == refused.value.hints


def test_a_version_that_nobody_has_is_told_from_a_wrong_name(rattler: RattlerEngine, make_plan: MakePlan) -> None:
    with pytest.raises(Unsatisfiable, match="fits `sympy >=99`") as refused:
        rattler.lock(make_plan("sympy >=99"), quiet)
    assert ("of `sympy` there is 1.14.0",) == refused.value.hints


def test_a_match_spec_that_is_none_is_the_specs_fault(rattler: RattlerEngine, make_plan: MakePlan) -> None:
    with pytest.raises(SpecError, match="not a match spec"):
        rattler.lock(make_plan("python >=3..11"), quiet)


def test_exclude_newer_excludes_what_was_uploaded_later(rattler: RattlerEngine, make_plan: MakePlan) -> None:
    with pytest.raises(Unsatisfiable, match="uploaded after the cutoff"):
        rattler.lock(make_plan("mpmath", exclude_newer="2020-01-01T02:00:00+02:00"), quiet)
    assert rattler.lock(make_plan("mpmath", exclude_newer="2999-01-01"), quiet)


def test_a_channel_that_is_not_there_is_named(
    rattler: RattlerEngine, make_plan: MakePlan, http_server: Serve, tmp_path: Path
) -> None:
    served = http_server(tmp_path)
    for channel in (f"{served.url}/nothing", (tmp_path / "nothing").as_uri()):
        with pytest.raises(Unreachable, match="nothing` cannot be reached") as refused:
            rattler.lock(make_plan("mpmath", channels=(channel,)), quiet)
        assert (channel,) == refused.value.where


def test_a_refused_connection_is_unreachable(rattler: RattlerEngine, make_plan: MakePlan) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        channel = f"http://user:secret@127.0.0.1:{closed.getsockname()[1]}/private"
        with pytest.raises(Unreachable, match="Connection refused") as refused:
            rattler.lock(make_plan("mpmath", channels=(channel,)), quiet)
    assert "secret" not in repr(refused.value)


def test_a_channel_that_hangs_ends_within_the_deadline(
    make_plan: MakePlan, http_server: Serve, channel: Channel, tmp_path: Path
) -> None:
    served = http_server(channel.path)
    served.misbehave("noarch", "hang")
    engine = RattlerEngine(tmp_path, deadline_s=1, environ={})
    with in_time(4), pytest.raises(Unreachable, match="no answer within 1 s"):
        engine.lock(make_plan("mpmath", channels=(channel.url, served.url)), quiet)


@pytest.fixture
def small(rattler: RattlerEngine, make_plan: MakePlan) -> tuple[Locked, ...]:
    return rattler.lock(make_plan("mpmath", "prefix-probe", f"python {make_plan().python}.*"), quiet)


def test_files_say_the_final_prefix_whatever_its_letters(
    rattler: RattlerEngine, small: tuple[Locked, ...], tmp_path: Path
) -> None:
    stage, final = tmp_path / ".stage", tmp_path / "größe mit Blank"
    seen: list[Progress] = []
    rattler.install(small, stage, final, seen.append)
    assert f"root={final}\n" == (stage / "share/prefix-probe/text.cfg").read_text()
    assert f"{final}/share".encode() in (stage / "share/prefix-probe/data.bin").read_bytes()
    assert not (stage / "post-link-ran").exists()
    stage.rename(final)
    code = "import mpmath, ssl, sys; print(mpmath.__version__, sys.prefix)"
    said = subprocess.run([final / "bin/python", "-c", code], capture_output=True, text=True, check=True)
    assert f"1.3.0 {final}\n" == said.stdout
    linked = [step for step in seen if step.phase == "link"]
    assert len(small) == len(linked)
    assert linked[-1].done_bytes == linked[-1].total_bytes


def spoiled(artefacts: tuple[Locked, ...], name: str, **changes: str) -> tuple[Locked, ...]:
    return tuple(replace(each, **changes) if each.name == name else each for each in artefacts)


@pytest.mark.parametrize("served_over", ["file", "http"])
def test_a_wrong_sha256_is_refused(
    served_over: str, small: tuple[Locked, ...], channel: Channel, http_server: Serve, tmp_path: Path
) -> None:
    base = http_server(channel.path).url if served_over == "http" else channel.url
    url = by_name(small)["mpmath"].url.replace(channel.url, base)
    bad = spoiled(small, "mpmath", sha256="0" * 64, url=url)
    with pytest.raises(BadArtefact, match="`mpmath` is not what the lock says"):
        RattlerEngine(tmp_path / "cache", environ={}).install(bad, tmp_path / "stage", tmp_path / "env", quiet)


def test_a_truncated_archive_is_refused(small: tuple[Locked, ...], tmp_path: Path) -> None:
    whole = Path(by_name(small)["mpmath"].url.removeprefix("file://"))
    cut = tmp_path / whole.name
    cut.write_bytes(whole.read_bytes()[:1000])
    bad = spoiled(small, "mpmath", url=cut.as_uri())
    with pytest.raises(BadArtefact, match="`mpmath` is not what the lock says"):
        RattlerEngine(tmp_path / "cache", environ={}).install(bad, tmp_path / "stage", tmp_path / "env", quiet)


@pytest.mark.parametrize(("how", "error"), [("wrong-bytes", BadArtefact), ("404", Unreachable), ("hang", Unreachable)])
def test_a_server_that_lies_is_found_out(
    how: str, error: type[Exception], small: tuple[Locked, ...], channel: Channel, http_server: Serve, tmp_path: Path
) -> None:
    served = http_server(channel.path)
    served.misbehave("mpmath", how)  # type: ignore[arg-type]
    remote = tuple(replace(each, url=each.url.replace(channel.url, served.url)) for each in small)
    engine = RattlerEngine(tmp_path / "cache", deadline_s=2 if how == "hang" else 60, environ={})
    with pytest.raises(error, match="mpmath"):
        engine.install(remote, tmp_path / "stage", tmp_path / "env", quiet)


@pytest.mark.parametrize("how", ["truncate", "503", "reset"])
def test_a_download_that_fails_once_is_tried_again(
    how: str, small: tuple[Locked, ...], channel: Channel, http_server: Serve, tmp_path: Path
) -> None:
    served = http_server(channel.path)
    served.misbehave("tzdata", how, times=1)  # type: ignore[arg-type]
    tzdata = by_name(small)["tzdata"]
    remote = replace(tzdata, url=tzdata.url.replace(channel.url, served.url))
    RattlerEngine(tmp_path / "cache", environ={}).install((remote,), tmp_path / "stage", tmp_path / "env", quiet)
    assert 2 == len([each for each in served.requests if "tzdata" in each])


def test_an_interrupted_installation_stops_at_once(
    rattler: RattlerEngine, small: tuple[Locked, ...], tmp_path: Path
) -> None:
    def interrupt(step: Progress) -> None:
        if step.phase == "link":
            raise KeyboardInterrupt

    stage = tmp_path / "stage"
    with pytest.raises(KeyboardInterrupt):
        rattler.install(small, stage, tmp_path / "env", interrupt)
    before = len(list(stage.rglob("*")))
    time.sleep(0.3)
    assert before == len(list(stage.rglob("*")))


def test_a_cache_that_cannot_be_made_is_the_disks_fault(make_plan: MakePlan, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskFailed, match="the cache cannot be made: Not a directory"):
        RattlerEngine(tmp_path / "file", environ={}).lock(make_plan("python"), quiet)


def test_downloads_are_reported_and_then_served_from_the_cache_offline(
    make_plan: MakePlan, channel: Channel, http_server: Serve, tmp_path: Path
) -> None:
    served, seen = http_server(channel.path), list[Progress]()
    plan = make_plan("mpmath", f"python {channel.python}.*", channels=(served.url,))
    online = RattlerEngine(tmp_path / "cache", environ={})
    artefacts = online.lock(plan, quiet)
    online.install(artefacts, tmp_path / "a", tmp_path / "a", seen.append)
    down = [step for step in seen if step.phase == "download"]
    assert sum(each.size_bytes or 0 for each in artefacts) == down[-1].total_bytes == down[-1].done_bytes
    served.misbehave("", "503")
    offline = RattlerEngine(tmp_path / "cache", offline=True, environ={})
    assert artefacts == offline.lock(plan, quiet)
    offline.install(artefacts, tmp_path / "b", tmp_path / "b", quiet)
    assert (tmp_path / "b/bin/python").exists()


def test_offline_says_what_the_cache_lacks(make_plan: MakePlan, small: tuple[Locked, ...], tmp_path: Path) -> None:
    offline = RattlerEngine(tmp_path, offline=True, environ={})
    remote = tuple(replace(each, url=each.url.replace("file://", "http://127.0.0.1:9")) for each in small)
    with pytest.raises(Unreachable, match="not in the package cache, and offline: `mpmath`"):
        offline.install(remote, tmp_path / "stage", tmp_path / "env", quiet)
    with pytest.raises(Unreachable, match="cannot be reached"):
        offline.lock(make_plan("mpmath", channels=("http://127.0.0.1:9/x",)), quiet)


def test_a_channel_with_blanks_and_umlauts_in_its_path_works(
    channel: Channel, make_plan: MakePlan, tmp_path: Path
) -> None:
    odd = tmp_path / "Kanal für alle"
    shutil.copytree(channel.path / "noarch", odd / "noarch", copy_function=lambda a, b: Path(b).symlink_to(a))
    engine = RattlerEngine(tmp_path / "cache", environ={})
    for name in (str(odd), odd.as_uri(), f"file://{odd}"):
        found = engine.lock(make_plan("python_abi", channels=(name,)), quiet)
        assert ["python_abi"] == [each.name for each in found]
    engine.install(found, tmp_path / "stage", tmp_path / "env", quiet)
    assert len(list((tmp_path / "stage/conda-meta").glob("python_abi-*.json"))) == 1


def test_packages_are_read_from_a_sealed_cache_and_written_beside_it(small: tuple[Locked, ...], tmp_path: Path) -> None:
    first = RattlerEngine(tmp_path / "first", environ={})
    first.install(small[:3], tmp_path / "a", tmp_path / "a", quiet)
    sealed = tmp_path / "first" / "pkgs"
    sealed.chmod(0o555)
    both = {"CONDA_PKGS_DIRS": f"{sealed},{tmp_path}/own"}
    RattlerEngine(tmp_path / "second", environ=both).install(small, tmp_path / "b", tmp_path / "b", quiet)
    there = {path.name for path in (tmp_path / "own").iterdir() if path.is_dir()}
    assert {f"{each.name}-{each.version}-{each.build}" for each in small[3:]} == there
    sealed.chmod(0o755)


def test_a_cache_that_cannot_be_written_is_named(small: tuple[Locked, ...], tmp_path: Path) -> None:
    (tmp_path / "sealed").mkdir(mode=0o555)
    engine = RattlerEngine(tmp_path / "cache", environ={"CONDA_PKGS_DIRS": str(tmp_path / "sealed")})
    with pytest.raises(DiskFailed, match="the cache cannot be written") as refused:
        engine.install(small, tmp_path / "a", tmp_path / "a", quiet)
    assert (str(tmp_path / "sealed"),) == refused.value.where


def test_conda_pkgs_dirs_is_the_package_cache(tmp_path: Path) -> None:
    assert tmp_path / "a" == package_cache(tmp_path, {"CONDA_PKGS_DIRS": f"{tmp_path}/a,{tmp_path}/b"})
    assert tmp_path / "pkgs" == package_cache(tmp_path, {})


@pytest.mark.parametrize("variable", ["RATTLER_AUTH_FILE", "NETRC"])
def test_credentials_of_a_private_channel_come_from_rattlers_file_or_netrc_and_stay_out_of_the_lock(
    variable: str, make_plan: MakePlan, channel: Channel, http_server: Serve, tmp_path: Path
) -> None:
    served = http_server(channel.path)
    served.login = ("me", "secret")
    store = tmp_path / "store"
    if variable == "NETRC":
        store.write_text("machine 127.0.0.1 login me password secret\n")
    else:
        store.write_text('{"127.0.0.1": {"BasicHTTP": {"username": "me", "password": "secret"}}}')
    with environment(**{variable: str(store)}):
        found = RattlerEngine(tmp_path / "cache", environ={}).lock(make_plan("tzdata", channels=(served.url,)), quiet)
    assert [f"{served.url}/noarch/tzdata-2026a-h0000000_0.conda"] == [each.url for each in found]


def mirrored(tmp_path: Path, *mirrors: str) -> dict[str, str]:
    """Configure mirrors as users of rattler's tools do; give the variables that lead there."""
    config = tmp_path / "config" / "rattler" / "config.toml"
    config.parent.mkdir(parents=True)
    urls = ", ".join(f'"{each}"' for each in mirrors)
    config.write_text(f'[mirrors]\n"https://forge.test/channel" = [{urls}]\n')
    return {"XDG_CONFIG_HOME": str(tmp_path / "config")}


@pytest.mark.parametrize("lacks", ["repodata", r"\.conda$", ""])
@pytest.mark.parametrize("how", ["404", "503"])
def test_what_one_mirror_lacks_comes_from_the_next(
    how: str, lacks: str, make_plan: MakePlan, channel: Channel, http_server: Serve, tmp_path: Path
) -> None:
    poor, rich = http_server(channel.path), http_server(channel.path)
    poor.misbehave(lacks, how)  # type: ignore[arg-type]
    plan = make_plan("tzdata", "python_abi 3.11.*", channels=("https://forge.test/channel",))
    with environment(**mirrored(tmp_path, poor.url, rich.url)):
        engine = RattlerEngine(tmp_path / "cache", environ={})
        found = engine.lock(plan, quiet)
        engine.install(found, tmp_path / "stage", tmp_path / "env", quiet)
    assert {"https://forge.test/channel/noarch"} == {each.url.rsplit("/", 1)[0] for each in found}
    assert 2 == len(list((tmp_path / "stage/conda-meta").glob("*-*-*.json")))


def test_what_no_mirror_has_is_unreachable(
    make_plan: MakePlan, channel: Channel, http_server: Serve, tmp_path: Path
) -> None:
    poor, poorer = http_server(channel.path), http_server(tmp_path)
    poor.misbehave(r"tzdata.*\.conda$", "404")
    plan = make_plan("tzdata", channels=("https://forge.test/channel",))
    with environment(**mirrored(tmp_path, poor.url, poorer.url)):
        engine = RattlerEngine(tmp_path / "cache", environ={})
        found = engine.lock(plan, quiet)
        with pytest.raises(Unreachable, match="tzdata"):
            engine.install(found, tmp_path / "stage", tmp_path / "env", quiet)


def test_a_broken_configuration_of_rattlers_is_a_usage_error(make_plan: MakePlan, tmp_path: Path) -> None:
    told = mirrored(tmp_path)
    (tmp_path / "config/rattler/config.toml").write_text("[mirrors\n")
    with environment(**told), pytest.raises(UsageError, match="rattler's configuration cannot be read"):
        RattlerEngine(tmp_path / "cache", environ={}).lock(make_plan("tzdata"), quiet)
