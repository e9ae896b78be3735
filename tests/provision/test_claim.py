"""One process per prefix."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envforge.errors import Busy, DiskFailed
from envforge.provision import Place
from envforge.provision.claim import claim
from tiny import quiet

HOLDER = """
import sys, time
from envforge.provision import Place
from envforge.provision.claim import claim
with claim(Place.at(sys.argv[1]), timeout_s=None, emit=print):
    print("held", flush=True)
    time.sleep(float(sys.argv[2]))
"""


def hold(prefix: Path, for_s: float) -> subprocess.Popen[str]:
    child = subprocess.Popen([sys.executable, "-c", HOLDER, prefix, str(for_s)], stdout=subprocess.PIPE, text=True)
    assert "held\n" == child.stdout.readline()
    return child


def test_a_second_process_is_told_who_holds_the_prefix(envs):
    with hold(envs / "demo", 30) as child:
        told = rf"process {child.pid} on .* still works on this prefix"
        with pytest.raises(Busy, match=told), claim(Place.at(envs / "demo"), timeout_s=0.1, emit=quiet):
            pass
        child.kill()


def test_a_second_process_waits_and_says_so(envs):
    steps = []
    with hold(envs / "demo", 0.3) as child, claim(Place.at(envs / "demo"), timeout_s=None, emit=steps.append):
        assert child.wait(5) == 0
    assert ["wait"] == [step.phase for step in steps]
    assert str(child.pid) in steps[0].subject


def test_a_killed_holder_holds_nothing(envs):
    with hold(envs / "demo", 30) as child:
        child.kill()
        child.wait()
    began = time.monotonic()
    with claim(Place.at(envs / "demo"), timeout_s=None, emit=quiet):
        assert time.monotonic() - began < 1


def test_another_prefix_is_free(envs):
    with hold(envs / "demo", 30) as child:
        with claim(Place.at(envs / "other"), timeout_s=0.1, emit=quiet):
            pass
        child.kill()


def test_nothing_is_left_where_no_environment_came_to_be(envs, listed):
    with claim(Place.at(envs / "demo"), timeout_s=None, emit=quiet):
        pass
    assert [] == listed(envs)


def test_waiters_never_hold_together(envs, tmp_path):
    code = HOLDER.replace('print("held", flush=True)', "open(sys.argv[3], 'x').close()").replace(
        "time.sleep(float(sys.argv[2]))", "time.sleep(0.02); import os; os.unlink(sys.argv[3])"
    )
    argv = [sys.executable, "-c", code, str(envs / "demo"), "0", str(tmp_path / "one")]
    children = [subprocess.Popen(argv, stdout=subprocess.DEVNULL) for _ in range(6)]
    assert [0] * 6 == [child.wait(30) for child in children]


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
