"""`envforge create` struck down, lied to, and starved: no broken environment is listed, the next one succeeds."""

import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from cli.calling import envelope
from cli.forging import forge_package
from envforge.provision import read_environment
from faults.struck import assert_next_one_succeeds, assert_whole
from patience import comes, in_time

ENDED = 120


def start(home, *words):
    environ = {**{key: text for key, text in os.environ.items() if not key.startswith("ENVFORGE_")}, **home.variables}
    argv = [sys.executable, "-m", "envforge", "create", *map(str, words), "--json", "--no-progress"]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environ)


def killed_at_random(home, channel, rounds, seed):
    chance, spec = random.Random(seed), home.spec(channel.url)
    for number in range(rounds):
        spec = home.spec(channel.url, variables={"ROUND": str(number)})
        child = start(home, spec)
        time.sleep(chance.uniform(0.1, 1.6))
        child.kill()
        child.communicate()
        assert_whole(home)
    assert_next_one_succeeds(home, spec)


def test_killed_at_ten_random_moments(home, channel):
    killed_at_random(home, channel, 10, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(2, 6))
def test_killed_at_many_random_moments(home, channel, seed):
    killed_at_random(home, channel, 25, seed)


def hanging(home, served, what):
    """Give a spec whose creation stands still in this phase."""
    channel = f"{served.url}/channel"
    if what == "verify":
        return home.spec(channel, torch="2.13.*")
    pattern = {"ask": "repodata", "download": r"numpy.*\.conda", "index": "simple", "wheel": r"\.whl"}[what]
    served.misbehave(pattern, "hang")
    wheels = {"indexes": [f"{served.url}/simple"], "wheels": ["setuptools"]} if what in ("index", "wheel") else {}
    return home.spec(channel, **wheels)


def wait_for(home, served, what):
    """Wait until the phase has begun: the request that hangs has come, or the marker is there."""
    pattern = {"ask": "repodata", "download": r"numpy.*\.conda", "index": "simple", "wheel": r"\.whl"}.get(what)
    if pattern:
        assert comes(lambda: any(re.search(pattern, request) for request in served.requests))
    else:
        assert comes((home.envs / "demo/conda-meta/envforge.json").exists)
    time.sleep(0.3)


PHASES = ["ask", "download", "index", "wheel", "verify"]


@pytest.mark.parametrize(
    ("sign", "what"), [*(("SIGINT", what) for what in PHASES), *(("SIGTERM", what) for what in PHASES[1:4])]
)
def test_an_interruption_in_any_phase_leaves_nothing(home, channel, served, sign, what):
    if what == "verify" and not channel.torch:
        pytest.skip("the stand-in torch is checked too quickly to be interrupted")
    with start(home, hanging(home, served, what)) as child:
        wait_for(home, served, what)
        child.send_signal(signal.Signals[sign])
        out, err = child.communicate(timeout=ENDED)
    assert (130, 130, ["interrupted"]) == (
        child.returncode,
        json.loads(out)["exit"],
        [each["code"] for each in json.loads(out)["errors"]],
    ), err
    if what == "verify":
        assert [None] == [each.verified for each in assert_whole(home)]
    else:
        assert [] == home.left()


def test_a_killed_one_holds_nothing(home, served):
    spec = hanging(home, served, "download")
    with start(home, spec) as child:
        wait_for(home, served, "download")
        child.kill()
    served.lies.clear()
    with in_time(20):
        assert_next_one_succeeds(home, spec)


@pytest.mark.parametrize("where", ["file", "http"])
def test_a_wrong_sha256_is_refused(home, channel, served, where):
    url = channel.url if where == "file" else f"{served.url}/channel"
    spec = home.spec(url)
    lock = spec.with_name("demo.lock.yaml")
    subprocess.run(
        [sys.executable, "-m", "envforge", "lock", spec, "--no-progress"],
        env={**os.environ, **home.variables},
        check=True,
        capture_output=True,
    )
    forge_package(lock, "numpy", lambda each: replace(each, sha256="ab" * 32))
    shutil.rmtree(home.cache / "pkgs", ignore_errors=True)
    document = envelope(home.create(spec, "--json"))
    assert (5, "artefact") == (document["exit"], document["errors"][0]["code"]), document["errors"]
    assert "numpy" in json.dumps(document["errors"])
    assert [] == home.left()


@pytest.mark.parametrize("how", ["truncate", "wrong-bytes", "404", "reset"])
def test_an_archive_that_does_not_arrive_leaves_nothing(home, served, how):
    served.misbehave(r"numpy.*\.conda$", how)
    spec = home.spec(f"{served.url}/channel")
    document = envelope(home.create(spec, "--json"))
    assert 5 == document["exit"], document
    assert "numpy" in json.dumps(document["errors"])
    assert [] == home.left()
    served.lies.clear()
    assert_next_one_succeeds(home, spec)


def test_a_truncated_archive_of_a_folder_is_refused(home, channel):
    copy = home.root / "channel"
    shutil.copytree(channel.path, copy, copy_function=os.link)
    archive = next(copy.glob("linux-64/numpy-2.4.6-*.conda"))
    content = archive.read_bytes()
    archive.unlink()
    archive.write_bytes(content[: len(content) // 2])
    document = envelope(home.create(home.spec(copy.as_uri()), "--json"))
    assert (5, "artefact") == (document["exit"], document["errors"][0]["code"])
    assert [] == home.left()


@pytest.mark.parametrize(("how", "words"), [("404", ()), ("hang", ("--timeout", "2")), ("503", ("--timeout", "2"))])
def test_a_channel_that_gives_nothing_is_named(home, served, how, words):
    served.misbehave("repodata", how)
    url = f"{served.url}/channel"
    document = envelope(home.create(home.spec(url), "--json", *words))
    assert document["exit"] in (1, 5)
    assert url in json.dumps(document)
    assert [] == home.left()


def test_the_next_source_is_used_when_one_is_out_of_reach(home, channel, served):
    served.misbehave("repodata", "404")
    gone = f"{served.url}/channel"
    spec = home.spec(channel.url, sources=[gone, channel.url])
    document = envelope(home.create(spec, "--json"))
    assert channel.url == document["data"]["plan"]["choice"]["source"]
    assert any(gone in each["text"] for each in document["data"]["plan"]["warnings"])


def test_two_at_once_make_one(home, channel):
    spec = home.spec(channel.url)
    children = [start(home, spec) for _ in range(3)]
    codes = [child.communicate(timeout=250) and child.returncode for child in children]
    assert [1, 1, 1] == codes
    assert_next_one_succeeds(home, spec)


@pytest.fixture
def tmpfs(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=20m", "none", disk], check=False).returncode:
        pytest.skip("mounting a file system needs root")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", disk], check=True)


@pytest.mark.parametrize("part", ["envs", "cache"])
def test_a_full_disk_is_named_and_nothing_is_left(home, channel, tmpfs, part):
    spec = home.spec(channel.url)
    full = {f"ENVFORGE_{part.upper()}_DIR": str(tmpfs / part)}
    document = envelope(home.create(spec, "--json", **full))
    assert (5, "disk") == (document["exit"], document["errors"][0]["code"])
    assert document["errors"][0]["where"][0].startswith(str(tmpfs))
    assert [] == list(tmpfs.glob("envs/*"))


def test_an_environment_that_cannot_be_written_down_is_as_good(home, channel, tmpfs):
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    done = home.create(
        home.spec(channel.url), "-p", home.root / "mine", XDG_STATE_HOME=str(tmpfs / "state"), COLUMNS="200"
    )
    assert 1 == done.returncode
    assert "warning: `envforge list` will not show it: nothing can be written here" in done.stderr
    assert read_environment(home.root / "mine") is not None


def test_a_read_only_disk_is_named(home, channel, tmpfs):
    subprocess.run(["mount", "-o", "remount,ro,size=4g", tmpfs], check=True)
    document = envelope(home.create(home.spec(channel.url), "--json", ENVFORGE_ENVS_DIR=str(tmpfs / "envs")))
    assert (5, "disk") == (document["exit"], document["errors"][0]["code"])
    assert "Read-only" in document["errors"][0]["message"]
