"""`envforge create` from servers that lie, cut, crawl and fall silent, in any mix, at seeded random; and with bad luck here."""

import errno
import os
import random
import subprocess
import sys

import pytest

from cli.calling import envelope
from faults.struck import assert_next_one_succeeds, assert_whole
from faults.unlucky import compile_unlucky, unlucky

LIES = ("truncate", "wrong-bytes", "reset", "503", "404", "delay")
PLACES = (r"repodata", r"\.conda$", r"numpy.*\.conda$", r"python-.*\.conda$", r"simple", r"\.whl$", r"")


def spec_of(home, served, number):
    """Give a spec that differs from the one before, so that there is always something to do."""
    return home.spec(
        f"{served.url}/channel",
        indexes=[f"{served.url}/simple"],
        wheels=["setuptools"],
        variables={"ROUND": str(number)},
    )


def create_among_lies(home, served, rounds, seed):
    chance = random.Random(seed)
    for number in range(rounds):
        for _ in range(chance.randint(1, 3)):
            served.misbehave(chance.choice(PLACES), chance.choice(LIES), chance.choice([1, 2, 4, None]))
        if chance.random() < 0.5:
            subprocess.run(["rm", "-rf", home.cache], check=True)
        before = {each.created for each in assert_whole(home)}
        document = envelope(home.create(spec_of(home, served, number), "--json", "--timeout", "10"))
        assert document["exit"] in (1, 5), (served.lies, document)
        after = assert_whole(home)
        assert len(before) <= len(after), "an earlier environment is gone"
        served.lies.clear()
    assert_next_one_succeeds(home, spec_of(home, served, "last"))


def test_a_lying_server_six_times(home, served):
    create_among_lies(home, served, 6, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(2, 6))
def test_a_lying_server_many_times(home, served, seed):
    create_among_lies(home, served, 15, seed)


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compile_unlucky(tmp_path_factory.mktemp("unlucky"))


def create_with_bad_luck(home, served, library, rounds, seed):
    chance = random.Random(seed)
    for number in range(rounds):
        how = chance.choice([errno.EIO, errno.ENOSPC, errno.EROFS])
        below, times = chance.choice([home.envs, home.cache]), chance.choice([1, 5, 0])
        luck = unlucky(library, below=below, at=chance.randint(1, 4000), times=times, errno=how)
        if chance.random() < 0.5:
            subprocess.run(["rm", "-rf", home.cache], check=True)
        document = envelope(home.create(spec_of(home, served, number), "--json", **luck))
        assert document["exit"] in (1, 5), (luck, document)
        assert_whole(home)
    subprocess.run(["rm", "-rf", home.cache], check=True)
    assert_next_one_succeeds(home, spec_of(home, served, "last"))


def test_a_failing_disk_six_times(home, served, library):
    create_with_bad_luck(home, served, library, 6, seed=1)


@pytest.mark.long
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(2, 6))
def test_a_failing_disk_many_times(home, served, library, seed):
    create_with_bad_luck(home, served, library, 15, seed)


@pytest.mark.parametrize("by_s", [-10 * 365 * 86400, 10 * 365 * 86400])
def test_a_wrong_clock_changes_nothing(home, served, library, by_s):
    luck = unlucky(library, clock_s=by_s, clock_at=0)
    assert 1 == home.create(spec_of(home, served, 0), "--json", **luck).returncode
    jumping = unlucky(library, clock_s=by_s, clock_at=200)
    assert 1 == home.create(spec_of(home, served, 1), "--json", **jumping).returncode
    assert_next_one_succeeds(home, spec_of(home, served, 2))


@pytest.mark.parametrize("count", [4, 8])
def test_several_at_once_on_one_cold_cache_of_which_some_are_killed(home, served, count):
    chance = random.Random(count)
    environ = {**{key: text for key, text in os.environ.items() if not key.startswith("ENVFORGE_")}, **home.variables}
    spec = spec_of(home, served, 0)
    argv = [sys.executable, "-m", "envforge", "create", str(spec), "--json", "--no-progress"]
    children = [
        subprocess.Popen([*argv, "-n", f"env{number % 3}"], env=environ, stdout=subprocess.DEVNULL)
        for number in range(count)
    ]
    for child in chance.sample(children, count // 2):
        try:
            child.wait(chance.uniform(0.2, 2.0))
        except subprocess.TimeoutExpired:
            child.kill()
    assert {child.wait(120) for child in children} <= {1, -9}
    assert_whole(home)
    for number in range(3):
        assert 1 == home.create(spec, "-n", f"env{number}", "--json").returncode
    assert ["env0", "env1", "env2"] == sorted(each.name for each in assert_whole(home))
    assert set(home.left()) <= {"env0", "env1", "env2", *(f".env{number}.envforge-lock" for number in range(3))}
