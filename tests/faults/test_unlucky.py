"""Disks that fail at any call, file systems without locks, clocks that jump: the same promises hold."""

import errno
import os
import random
import subprocess
import sys

import pytest

from envforge.provision import drift, list_environments, provision, read_environment
from faults.unlucky import compile_unlucky, unlucky
from patience import in_time
from tiny import engines, lock, package, quiet, section

ROUNDS = 40
WORK = """
import sys
from pathlib import Path
from envforge.errors import EngineFailed, EnvforgeError
from envforge.provision import clean, provision, remove, rollback
from tiny import engines, lock, package, quiet, section

envs, kind, number = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
part = section(package("python", "3.11.7"), *(package(f"p{each}", number) for each in range(3)))
try:
    if kind == "make":
        provision(lock(part), part, envs / "demo", engines=engines(), packages=envs / "cache", emit=quiet)
    elif kind == "remove":
        remove(envs / "demo", registry=envs / "registry", emit=quiet)
    elif kind == "clean":
        clean(envs, (), emit=quiet)
    else:
        rollback(envs / "demo", emit=quiet)
except EnvforgeError as error:
    print(error, *error.where)
    sys.exit(error.exit)
"""


@pytest.fixture(scope="module")
def library(tmp_path_factory):
    return compile_unlucky(tmp_path_factory.mktemp("unlucky"))


def work(envs, kind, number, luck, **more):
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **luck}
    argv = [sys.executable, "-c", WORK, str(envs), kind, str(number)]
    return subprocess.run(argv, env=environ, capture_output=True, text=True, check=False, timeout=250, **more)


def version(number):
    return section(package("python", "3.11.7"), *(package(f"p{each}", str(number)) for each in range(3)))


def make(envs, number):
    part = version(number)
    return provision(lock(part), part, envs / "demo", engines=engines(), packages=envs / "cache", emit=quiet)


def assert_whole(envs):
    found = list_environments(envs, envs / "registry")
    for each in found:
        assert drift(each).clean
        assert version(each.section.artefacts[1].version) == each.section
        assert all((each.prefix / f"share/p{number}/3.txt").read_text() for number in range(3))
    return found


def assert_next_one_succeeds(envs, number):
    made = make(envs, number)
    assert (made,) == assert_whole(envs)
    left = {path.name for path in envs.iterdir()} - {"registry"}
    assert left - {".demo.envforge-previous"} == {".demo.envforge-lock", "demo"}


@pytest.mark.parametrize("how", [errno.EIO, errno.ENOSPC, errno.EROFS, errno.EDQUOT], ids=errno.errorcode.get)
def test_a_disk_that_fails_at_any_call_leaves_whole_environments(tmp_path, library, how):
    chance = random.Random(how)
    for number in range(ROUNDS):
        kind = chance.choice(["make", "make", "make", "remove", "rollback", "clean"])
        times = chance.choice([1, 1, 3, 0])
        reads = chance.choice([0, 1])
        luck = unlucky(library, below=tmp_path, at=chance.randint(1, 60), times=times, errno=how, reads=reads)
        done = work(tmp_path, kind, number, luck)
        assert done.returncode in (0, 2, 5), (kind, luck, done.stderr)
        assert_whole(tmp_path)
    assert_next_one_succeeds(tmp_path, ROUNDS)


def test_a_failing_disk_is_named(tmp_path, library):
    done = work(tmp_path, "make", 1, unlucky(library, below=tmp_path / "demo", at=1, errno=errno.EIO, times=0))
    assert (5, True) == (done.returncode, "Input/output error" in done.stdout), done
    assert str(tmp_path) in done.stdout


def test_what_failed_first_is_told_where_nothing_can_be_cleared_either(tmp_path, library):
    for at in (24, 28, 40, 52):
        done = work(tmp_path, "make", at, unlucky(library, below=tmp_path, at=at, errno=errno.EROFS, times=0))
        assert (5, True) == (done.returncode, done.stdout.startswith("the disk refused: Read-only")), done
    assert_next_one_succeeds(tmp_path, 1)


@pytest.mark.parametrize("how", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL], ids=errno.errorcode.get)
def test_a_file_system_without_locks_still_serves_one_process_at_a_time(tmp_path, library, how):
    luck = unlucky(library, flock=how)
    with in_time(30):
        for number in range(3):
            done = work(tmp_path, "make", number, luck)
            assert 0 == done.returncode, done.stdout + done.stderr
    argv = [sys.executable, "-c", WORK, str(tmp_path), "make"]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **luck}
    children = [subprocess.Popen([*argv, str(number)], env=environ) for number in range(10, 15)]
    assert [0] * 5 == [child.wait(250) for child in children]
    assert 1 == len(assert_whole(tmp_path))
    assert_next_one_succeeds(tmp_path, 99)


def test_without_locks_a_killed_process_holds_nothing(tmp_path, library):
    hold = WORK.replace(
        "    if kind",
        "    import os, signal; os.kill(os.getpid(), signal.SIGKILL) if number == '1' else 0\n    if kind",
    )
    luck = unlucky(library, flock=errno.ENOLCK)
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **luck}
    assert hold != WORK
    subprocess.run([sys.executable, "-c", hold, str(tmp_path), "make", "1"], env=environ, check=False)
    with in_time(20):
        assert 0 == work(tmp_path, "make", 2, luck).returncode


YEAR_S = 365 * 86400


@pytest.mark.parametrize("by_s", [-10 * YEAR_S, -3600, 3600, 10 * YEAR_S])
@pytest.mark.parametrize("after", [0, 20])
def test_a_clock_that_is_wrong_or_jumps_changes_nothing(tmp_path, library, by_s, after):
    luck = unlucky(library, clock_s=by_s, clock_at=after)
    make(tmp_path, 0)
    for number in (1, 2):
        assert 0 == work(tmp_path, "make", number, luck).returncode
    assert (0, 0) == (work(tmp_path, "rollback", 1, luck).returncode, work(tmp_path, "clean", 1, {}).returncode)
    assert "1" == read_environment(tmp_path / "demo").section.artefacts[1].version
    assert_next_one_succeeds(tmp_path, 3)
