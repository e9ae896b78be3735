"""A real Slurm of sixteen nodes: each asked by a job of its own, one taken away in mid-task, one that always dies."""

import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from envforge.fleet import Order, sweep
from fleet.faults import node_work
from fleet.slurm import slurm_here, why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]
pytest.importorskip("submitit")

pytest.importorskip("dask_jobqueue")

from envforge.fleet.jobqueue_pool import job_script, jobqueue  # noqa: E402
from envforge.fleet.submitit_pool import SlurmPool  # noqa: E402

NODES = 16
NAMES = "import json, os; print(json.dumps({'node': os.environ['SLURMD_NODENAME']}))"
SAYS = (sys.executable, "-c", NAMES)
FAULTS = {
    "node003": "raises-once",
    "node005": "always-dies",
    "node007": "always-raises",
    "node011": "taken-away",
    "node013": "hangs",
}


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = str(Path(__file__).parents[1])
    with slurm_here(tmp_path_factory.mktemp("slurm"), NODES) as here:
        yield here
    os.environ.pop("PYTHONPATH") if before is None else os.environ.update(PYTHONPATH=before)


def order(node: str, marks: Path) -> Order:
    word = FAULTS.get(node, "well")
    command = ("sleep", "600") if word in ("hangs", "taken-away") else SAYS
    return Order(argv=(word, str(marks / node), *command))


def take_away(slurm, node: str, mark: Path):
    """Let a node lose its power, a moment after its task began."""
    while not mark.exists():
        time.sleep(0.1)
    time.sleep(0.5)
    slurm.kill(node)


def cancel(node: str, mark: Path):
    """Cancel the job of a node, a moment after its task began."""
    while not mark.exists():
        time.sleep(0.1)
    time.sleep(0.5)
    subprocess.run(["scancel", f"--name=envforge-{node}"], check=True)


def own_jobs(slurm, folder: Path):
    return SlurmPool(folder, ("--partition=gpu",))


def workers_of_dask(slurm, folder: Path):
    return jobqueue("slurm", slurm.nodes, folder, ("--partition=gpu",), arrival_s=60)


@pytest.mark.parametrize(("way", "arrival_s", "deadline_s"), [(own_jobs, 12, 45), (workers_of_dask, 45, 90)])
def test_every_node_is_told_rightly_and_answers_for_itself(slurm, tmp_path, way, arrival_s, deadline_s):
    pool = way(slurm, tmp_path / "jobs")
    orders = {node: order(node, tmp_path) for node in slurm.nodes}
    threading.Thread(target=take_away, args=(slurm, "node011", tmp_path / "node011.1"), daemon=True).start()
    began = time.monotonic()
    try:
        found = {
            each.node: each for each in sweep(pool, orders, deadline_s=deadline_s, arrival_s=arrival_s, fn=node_work)
        }
        took_s, there = time.monotonic() - began, pool.nodes()
    finally:
        pool.close()
        slurm.restore("node011")
    well = [node for node in slurm.nodes if node not in FAULTS]
    assert {node: {"node": node} for node in (*well, "node003")} == {
        node: found[node].answer and found[node].answer.document for node in (*well, "node003")
    }
    assert {
        "node003": ("ok", 2),
        "node005": ("lost", 2),
        "node007": ("raised", 2),
        "node011": ("lost", 1),
        "node013": ("late", 1),
    } == {node: (found[node].state, found[node].attempts) for node in FAULTS}, [found[node] for node in FAULTS]
    assert "OSError: no such mount" == found["node007"].why
    assert "node011" not in there
    assert took_s < deadline_s + 5


def test_a_job_that_slurm_refuses_says_why(slurm, tmp_path):
    pool = SlurmPool(tmp_path / "jobs", ("--partition nowhere",))
    error = pool.submit("node001", os.getpid).exception(timeout=20)
    pool.close()
    assert "invalid partition" in str(error).lower()


def test_what_is_closed_leaves_no_jobs(slurm, tmp_path):
    pool = SlurmPool(tmp_path / "jobs")
    asked = pool.submit("node001", time.sleep, 600)
    while not asked.begun:
        time.sleep(0.2)
    assert 1 == len(pool._queued())
    pool.close()
    assert frozenset() == SlurmPool(tmp_path / "jobs")._queued()


def test_a_host_without_slurm_is_told_so(tmp_path):
    code = "from envforge.fleet.submitit_pool import SlurmPool; SlurmPool('.')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        check=False,
        env={"PATH": str(tmp_path)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert (
        "envforge.errors.UsageError: this host has no `srun`: it submits no jobs to Slurm"
        == done.stderr.splitlines()[-1]
    )


def test_workers_of_dask_come_as_jobs_and_one_whose_job_is_cancelled_comes_again(slurm, tmp_path):
    nodes = slurm.nodes[:8]
    pool = jobqueue("slurm", nodes, tmp_path, ("--partition=gpu",))
    orders = {
        node: Order(argv=("is-killed" if node == nodes[2] else "well", str(tmp_path / node), *SAYS)) for node in nodes
    }
    threading.Thread(target=cancel, args=(nodes[2], tmp_path / f"{nodes[2]}.1"), daemon=True).start()
    found = sweep(pool, orders, deadline_s=60, arrival_s=40, fn=node_work)
    pool.close()
    assert [(node, "ok", {"node": node}) for node in nodes] == [
        (each.node, each.state, each.answer and each.answer.document) for each in found
    ], found
    assert {nodes[2]: 2} == {each.node: each.attempts for each in found if each.attempts != 1}


@pytest.mark.parametrize(
    ("queue", "pins"),
    [
        ("slurm", ("#SBATCH --nodelist=gpu07", "#SBATCH --exclusive")),
        ("pbs", ("#PBS -l select=1:ncpus=1:host=gpu07", "#PBS -l place=excl")),
        ("lsf", ("#BSUB -m gpu07", "#BSUB -x")),
    ],
)
def test_the_script_of_each_queue_pins_the_job_to_its_node(queue, pins, tmp_path):
    script = job_script(queue, "gpu07", tmp_path)
    assert [] == [pin for pin in (*pins, "--resources node:gpu07=1") if pin not in script], script
