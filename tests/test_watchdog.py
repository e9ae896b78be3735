"""The watchdog: what it runs ends with its deadline, or with whoever asked for it."""

import os
import signal
import subprocess
import sys

from envforge.run.watchdog import TIMED_OUT
from patience import comes, in_time, works, written

WATCHDOG = (sys.executable, "-m", "envforge.run.watchdog")


def test_it_says_what_the_program_says_and_leaves_as_it_left():
    done = subprocess.run(
        [*WATCHDOG, "9", "sh", "-c", "echo out; echo err >&2; exit 7"], capture_output=True, text=True, check=False
    )
    assert (7, "out\n", "err\n") == (done.returncode, done.stdout, done.stderr)


def test_a_signal_is_told_as_shells_do():
    assert 128 + signal.SIGSEGV == subprocess.run([*WATCHDOG, "9", "sh", "-c", "kill -SEGV $$"], check=False).returncode


def test_the_whole_group_ends_at_the_deadline(tmp_path):
    script = f"trap '' INT; sleep 600 & echo $! > {tmp_path}/pid; wait"
    with in_time(5):
        assert TIMED_OUT == subprocess.run([*WATCHDOG, "1", "sh", "-c", script], check=False).returncode
    assert comes(lambda: not works(int((tmp_path / "pid").read_text())))


def test_what_it_runs_does_not_outlive_whoever_asked(tmp_path):
    inner = f"{sys.executable} -m envforge.run.watchdog 600 sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' & wait"
    asker = subprocess.Popen(["sh", "-c", inner])
    assert comes(lambda: written(tmp_path / "pid"))
    os.kill(asker.pid, signal.SIGKILL)
    asker.wait()
    assert comes(lambda: not works(int((tmp_path / "pid").read_text())))
