"""A fleet of a real Slurm of sixteen nodes, from one spec to an environment on each, by jobs of its own and of Dask."""

from __future__ import annotations

import pytest

from cli.calling import envelope
from cli.calling import envforge as call
from fleet.slurm import slurm_here, why_not

pytestmark = [pytest.mark.slow, pytest.mark.skipif(why_not() is not None, reason=str(why_not()))]
pytest.importorskip("submitit")
pytest.importorskip("dask_jobqueue")

NODES = 16


@pytest.fixture(scope="module")
def slurm(tmp_path_factory):
    with slurm_here(tmp_path_factory.mktemp("slurm"), NODES) as here:
        yield here


def fleet(home, slurm, *words):
    return call(
        "fleet", *words, "--no-progress", "--json", **home.variables, SLURM_CONF=str(slurm.conf), deadline_s=300
    )


def test_every_node_gets_the_environment_of_one_spec_and_one_that_loses_power_is_lost(home, slurm, channel):
    if not channel.torch:
        pytest.skip("pip finds no CPU wheel of torch here")
    spec = home.spec(channel.url, torch="2.13.*", checks=["import_torch"])
    way = ("--queue", "slurm", "--directive", "--partition=gpu", "--report", home.root / "report", "--deadline", 250)
    prefix = str(home.root / "disks" / "{node}" / "demo")
    made = envelope(fleet(home, slurm, "create", spec, "--prefix", prefix, *way))
    assert (0, NODES) == (made["exit"], made["data"]["counts"]["ok"]), made["data"]["told"]
    slurm.kill(slurm.nodes[-1])
    proven = envelope(fleet(home, slurm, "verify", prefix, *way, "--expect", f"node[001-{NODES:03d}]"))
    assert [("lost", slurm.nodes[-1])] == [(each["state"], each["nodes"]) for each in proven["data"]["told"]]
    assert 3 == proven["exit"]


def test_workers_of_dask_come_as_jobs(home, slurm):
    way = ("--queue", "dask-slurm", "--directive", "--partition=gpu", "--report", home.root / "report")
    seen = envelope(fleet(home, slurm, "detect", *way, "--expect", "node[001-015]", "--deadline", 100))
    assert [("node[001-015]", 15)] == [(each["nodes"], each["count"]) for each in seen["data"]["kinds"]]


def test_a_queue_needs_a_folder_that_nodes_see(home, slurm):
    done = envelope(fleet(home, slurm, "detect", "--queue", "slurm"))
    assert (2, "`--queue` needs `--report DIR`, where jobs leave what they found") == (
        done["exit"],
        done["errors"][0]["message"],
    )


def test_a_queue_that_names_no_nodes_needs_to_be_told(home, slurm):
    done = envelope(fleet(home, slurm, "detect", "--queue", "dask-pbs", "--report", home.root / "report"))
    assert (2, "`--queue dask-pbs` needs `--expect NODES`") == (done["exit"], done["errors"][0]["message"])
