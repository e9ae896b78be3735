"""Death and interruption at random moments, seeded: no broken environment is ever listed, no earlier one is damaged."""

import multiprocessing
import os
import random
import signal
import time
from pathlib import Path

import pytest

from envforge.model import Environment, Section
from envforge.provision import drift, list_environments, provision, remove, rollback
from tiny import TinyConda, engines, lock, package, quiet, section

FORK = multiprocessing.get_context("fork")
ROUNDS = 60


def version(number: int) -> Section:
    return section(package("python", "3.11.7"), *(package(f"p{each}", str(number)) for each in range(4)))


def make(envs: Path, number: int, pause_s: float = 0.0) -> Environment:
    part = version(number)
    tools = engines(TinyConda(pause_s=pause_s, files=3))
    return provision(lock(part), part, envs / "demo", engines=tools, packages=envs / "cache", emit=quiet)


def work(envs: Path, kind: str, number: int) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if kind == "make":
        make(envs, number, pause_s=0.0005)
    elif kind == "remove":
        remove(envs / "demo", registry=envs / "registry", emit=quiet)
    else:
        rollback(envs / "demo", emit=quiet)


def struck(envs: Path, kind: str, number: int, sign: signal.Signals, after_s: float) -> None:
    """Start the work in a child and strike it down after a while."""
    child = FORK.Process(target=work, args=(envs, kind, number))
    child.start()
    time.sleep(after_s)
    os.kill(child.pid, sign)
    child.join(10)
    assert child.exitcode is not None


def assert_whole(envs: Path) -> tuple[Environment, ...]:
    found = list_environments(envs, envs / "registry")
    for each in found:
        number = int(each.section.artefacts[1].version)
        assert drift(each).clean
        assert version(number) == each.section
        assert all((each.prefix / f"share/p{each_}/2.txt").exists() for each_ in range(4))
    return found


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM], ids=lambda sign: sign.name)
def test_an_update_that_is_struck_leaves_the_old_or_the_new(tmp_path, sign):
    chance = random.Random(sign)
    make(tmp_path, 0)
    for number in range(1, ROUNDS):
        struck(tmp_path, "make", number, sign, chance.uniform(0, 0.03))
        assert len(assert_whole(tmp_path)) == 1
    make(tmp_path, ROUNDS)
    assert [".demo.envforge-lock", ".demo.envforge-previous", "demo"] == sorted(
        path.name for path in tmp_path.iterdir()
    )


@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGINT], ids=lambda sign: sign.name)
def test_any_work_that_is_struck_leaves_whole_environments(tmp_path, sign):
    chance = random.Random(sign)
    for number in range(ROUNDS):
        kind = chance.choice(["make", "make", "remove", "rollback"])
        struck(tmp_path, kind, number, sign, chance.uniform(0, 0.02))
        assert_whole(tmp_path)
    assert make(tmp_path, ROUNDS) == assert_whole(tmp_path)[0]
    remove(tmp_path / "demo", registry=tmp_path / "registry", emit=quiet)
    assert [] == list(tmp_path.iterdir())


@pytest.mark.parametrize("count", [2, 8])
def test_several_at_once_leave_one_whole_environment(tmp_path, count):
    children = [FORK.Process(target=work, args=(tmp_path, "make", number)) for number in range(count)]
    for child in children:
        child.start()
    for child in children:
        child.join(30)
    assert [0] * count == [child.exitcode for child in children]
    assert len(assert_whole(tmp_path)) == 1
    assert [".demo.envforge-lock", ".demo.envforge-previous", "demo"] == sorted(
        path.name for path in tmp_path.iterdir()
    )
