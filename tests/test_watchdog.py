"""The watchdog: what it runs ends with its deadline, or with whoever asked for it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from envforge.run.watchdog import TIMED_OUT

WATCHDOG = (sys.executable, "-m", "envforge.run.watchdog")


def ends(pid: int, within_s: float = 5.0) -> bool:
    until = time.monotonic() + within_s
    while time.monotonic() < until and Path(f"/proc/{pid}/stat").exists():
        if Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z":
            return True
        time.sleep(0.05)
    return not Path(f"/proc/{pid}").exists()


def test_it_says_what_the_program_says_and_leaves_as_it_left():
    done = subprocess.run(
        [*WATCHDOG, "9", "sh", "-c", "echo out; echo err >&2; exit 7"], capture_output=True, text=True, check=False
    )
    assert (7, "out\n", "err\n") == (done.returncode, done.stdout, done.stderr)


def test_a_signal_is_told_as_shells_do():
    assert 128 + signal.SIGSEGV == subprocess.run([*WATCHDOG, "9", "sh", "-c", "kill -SEGV $$"], check=False).returncode


def test_the_whole_group_ends_at_the_deadline(tmp_path):
    began = time.monotonic()
    script = f"trap '' INT; sleep 600 & echo $! > {tmp_path}/pid; wait"
    assert TIMED_OUT == subprocess.run([*WATCHDOG, "0.5", "sh", "-c", script], check=False).returncode
    assert time.monotonic() - began < 5
    assert ends(int((tmp_path / "pid").read_text()))


def test_what_it_runs_does_not_outlive_whoever_asked(tmp_path):
    inner = f"{sys.executable} -m envforge.run.watchdog 600 sh -c 'echo $$ > {tmp_path}/pid; exec sleep 600' & wait"
    asker = subprocess.Popen(["sh", "-c", inner])
    while not (tmp_path / "pid").exists() or not (tmp_path / "pid").read_text():
        time.sleep(0.05)
    os.kill(asker.pid, signal.SIGKILL)
    asker.wait()
    assert ends(int((tmp_path / "pid").read_text()))
