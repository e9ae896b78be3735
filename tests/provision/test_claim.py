"""One process per prefix."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from envforge.errors import Busy, DiskFailed
from envforge.provision import Place
from envforge.provision.claim import claim
from patience import in_time
from tiny import quiet

HOLDER = """
import sys
from envforge.provision import Place
from envforge.provision.claim import claim
with claim(Place.at(sys.argv[1]), timeout_s=None, emit=print):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(prefix: Path) -> subprocess.Popen[str]:
    """Start a process that holds a prefix until its stdin is closed."""
    argv = [sys.executable, "-c", HOLDER, prefix]
    child = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert "held\n" == child.stdout.readline()
    return child


def test_a_second_process_is_told_who_holds_the_prefix(envs):
    with hold(envs / "demo") as child:
        told = rf"process {child.pid} on .* still works on this prefix"
        with pytest.raises(Busy, match=told), claim(Place.at(envs / "demo"), timeout_s=0.1, emit=quiet):
            pass
        child.kill()


def test_a_second_process_waits_and_says_so(envs):
    steps = []

    def let_go(step):
        steps.append(step)
        child.stdin.close()

    with hold(envs / "demo") as child, claim(Place.at(envs / "demo"), timeout_s=None, emit=let_go):
        assert child.wait(60) == 0
    assert ["wait"] == [step.phase for step in steps]
    assert str(child.pid) in steps[0].subject


def test_a_killed_holder_holds_nothing(envs):
    with hold(envs / "demo") as child:
        child.kill()
        child.wait()
    with in_time(1), claim(Place.at(envs / "demo"), timeout_s=None, emit=quiet):
        pass


def test_another_prefix_is_free(envs):
    with hold(envs / "demo") as child:
        with claim(Place.at(envs / "other"), timeout_s=0.1, emit=quiet):
            pass
        child.kill()


def test_nothing_is_left_where_no_environment_came_to_be(envs, listed):
    with claim(Place.at(envs / "demo"), timeout_s=None, emit=quiet):
        pass
    assert [] == listed(envs)


def test_waiters_never_hold_together(envs, tmp_path):
    code = HOLDER.replace('print("held", flush=True)', "open(sys.argv[2], 'x').close()").replace(
        "sys.stdin.read()", "import os, time; time.sleep(0.02); os.unlink(sys.argv[2])"
    )
    argv = [sys.executable, "-c", code, str(envs / "demo"), str(tmp_path / "one")]
    children = [subprocess.Popen(argv, stdout=subprocess.DEVNULL) for _ in range(6)]
    assert [0] * 6 == [child.wait(60) for child in children]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_is_named(envs):
    envs.chmod(0o500)
    with pytest.raises(DiskFailed) as caught, claim(Place.at(envs / "demo"), timeout_s=None, emit=quiet):
        pass
    assert (str(envs),) == caught.value.where


def test_a_parent_that_is_a_file_is_named(envs):
    (envs / "file").write_text("")
    with pytest.raises(DiskFailed) as caught, claim(Place.at(envs / "file" / "demo"), timeout_s=None, emit=quiet):
        pass
    assert (str(envs / "file"),) == caught.value.where
