"""Real worker processes, real faults: each node is told rightly, within the deadline."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from envforge.fleet import Kept, Order, sweep
from fleet.faults import node_work
from patience import comes, in_time, works, written

pytest.importorskip("distributed")

from envforge.fleet.dask_pool import local

SAYS = (sys.executable, "-c", "print('{\"a\": 1}')")
FAULTS = {
    "well": SAYS,
    "fails": (sys.executable, "-c", "raise SystemExit(3)"),
    "raises-once": SAYS,
    "always-raises": SAYS,
    "is-killed": SAYS,
    "always-dies": SAYS,
    "hangs": ("sleep", "600"),
}
ABSENT = "never-came"


def kill_in_mid_task(mark: Path, begun: Path):
    """Kill the worker that left this mark, a moment after its task began."""
    comes(lambda: written(begun))
    time.sleep(0.3)
    os.kill(int(mark.read_text()), signal.SIGKILL)


@pytest.fixture(scope="module")
def pool():
    there = local(tuple(FAULTS), retries=1)
    yield there
    there.close()


def orders(marks: Path) -> dict[str, Order]:
    asked = {name: Order(argv=(name, str(marks / name), *argv)) for name, argv in FAULTS.items()}
    return {**asked, ABSENT: Order(argv=(ABSENT, str(marks / ABSENT), *SAYS))}


def test_each_fault_is_told_rightly_and_a_rerun_asks_only_what_has_no_answer(pool, tmp_path):
    marks, kept = tmp_path / "marks", Kept(tmp_path / "report")
    marks.mkdir()
    killer = threading.Thread(target=kill_in_mid_task, args=(marks / "is-killed.1",) * 2, daemon=True)
    killer.start()
    with in_time(22):
        found = sweep(pool, orders(marks), deadline_s=20, arrival_s=16, kept=kept, fn=node_work)
    assert {
        "well": ("ok", 1),
        "fails": ("failed", 1),
        "raises-once": ("ok", 2),
        "always-raises": ("raised", 2),
        "is-killed": ("ok", 2),
        "always-dies": ("lost", 2),
        "hangs": ("late", 1),
        ABSENT: ("lost", 0),
    } == {each.node: (each.state, each.attempts) for each in found}, found
    assert {"a": 1} == found[0].answer.document

    sweep(pool, orders(marks), deadline_s=6, arrival_s=3, kept=kept, fn=node_work)
    attempts = {name: len(list(marks.glob(f"{name}.*"))) for name in FAULTS}
    assert {"well": 1, "fails": 1, "raises-once": 2, "is-killed": 2, "always-raises": 4} == {
        name: count for name, count in attempts.items() if name not in ("always-dies", "hangs")
    }


def test_a_command_does_not_outlive_the_worker_that_was_killed(pool, tmp_path):
    leaves_its_number = ("sh", "-c", f"echo $$ >> {tmp_path}/pids; exec sleep 600")
    order = Order(argv=("well", str(tmp_path / "mark"), *leaves_its_number))
    killer = threading.Thread(target=kill_in_mid_task, args=(tmp_path / "mark.1", tmp_path / "pids"), daemon=True)
    killer.start()
    (found,) = sweep(pool, {"well": order}, deadline_s=6, retries=0, fn=node_work)
    assert found.state in ("late", "lost")
    assert comes(lambda: not any(works(int(pid)) for pid in (tmp_path / "pids").read_text().split()))
