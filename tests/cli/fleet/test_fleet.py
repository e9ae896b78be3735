"""A fleet of real worker processes: from one spec to environments on every node, and the truth about each."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cli.calling import envelope
from cli.calling import envforge as call
from cli.fleet.recorded import keep_detected, recording
from patience import comes, within, written

pytest.importorskip("distributed")

NODES = 8


def fleet(home, *words, **environ):
    return call("fleet", *words, "--no-progress", **home.variables, OMP_NUM_THREADS="1", **environ)


@pytest.mark.slow
def test_eight_workers_come_from_one_spec_to_proven_environments(home, channel):
    if not channel.torch:
        pytest.skip("pip finds no CPU wheel of torch here")
    report, spec = home.root / "report", home.spec(channel.url, torch="2.13.*", checks=["import_torch"])
    way = ("--local", NODES, "--report", report, "--json", "--deadline", 200)
    seen = envelope(fleet(home, "detect", *way))
    assert (NODES, [NODES]) == (seen["data"]["counts"]["ok"], [each["count"] for each in seen["data"]["kinds"]])

    planned = envelope(fleet(home, "plan", spec, "--report", report, "--json"))
    groups = planned["data"]["groups"]
    assert [("local-[1-8]", "2.13.0")] == [(each["nodes"], each["choice"]["torch"]) for each in groups]

    made = envelope(fleet(home, "create", spec, *way))
    assert (0, NODES) == (made["exit"], made["data"]["counts"]["ok"]), made
    assert {"pass"} == {each["verdict"] for each in made["data"]["nodes"]}
    assert NODES == len(list(report.glob("nodes/*/envs/demo/conda-meta")))
    assert 1 == len(list(report.glob("packs/*.tar")))

    verified = envelope(fleet(home, "verify", "demo", "--checks", "import_torch", *way))
    assert {"pass"} == {each["verdict"] for each in verified["data"]["nodes"]}
    assert [] == verified["data"]["drains"]
    page = call("fleet", report, **home.variables).stdout
    assert f"fleet create  {NODES} of {NODES} nodes ok" in page


def test_what_fails_is_the_environments_fault_and_is_not_asked_twice(home, channel):
    report, spec = home.root / "report", home.spec(channel.url)
    way = ("--local", 2, "--report", report)
    made = envelope(fleet(home, "create", spec, *way, "--json"))
    assert (1, {"failed"}) == (made["exit"], {each["state"] for each in made["data"]["nodes"]})
    assert [("local-[1-2]", "import_torch", "environment")] == [
        (each["nodes"], each["check"], each["side"]) for each in made["data"]["faults"]
    ]
    assert [] == made["data"]["drains"]

    files = [report / "create" / f"local-{at}.json" for at in (1, 2)]
    written = [path.stat().st_mtime_ns for path in files]
    lock = spec.with_name("demo.lock.yaml").read_text()
    again = fleet(home, "create", spec, *way, COLUMNS="80")
    assert written == [path.stat().st_mtime_ns for path in files]
    assert lock == spec.with_name("demo.lock.yaml").read_text()
    assert "fleet create  0 of 2 nodes ok" in again.stdout
    assert "local-[1-2]: `import_torch`" in again.stdout
    with (report / "create.csv").open() as file:
        assert [("local-1", "failed"), ("local-2", "failed")] == [
            (row["node"], row["state"]) for row in csv.DictReader(file)
        ]


def test_nodes_that_nothing_serves_are_told_and_the_others_get_their_pack(home, channel):
    spec, report = home.spec(channel.url, torch="2.13.*", cuda=">=13"), home.root / "report"
    nodes = {
        "new1": recording("580.65.06", "NVIDIA H100 80GB HBM3", glibc="2.39"),
        "old1": recording("550.54.15", "NVIDIA H100 80GB HBM3", glibc="2.39"),
    }
    keep_detected(report, nodes)
    where = ("--expect", "new1,old1", "--report", report, "--prefix", home.root / "{node}")
    done = envelope(fleet(home, "create", spec, "--local", 1, *where, "--deadline", 2, "--json"))
    assert {"new1": ("lost", "no worker came for it"), "old1": ("failed", "no environment serves it")} == {
        each["node"]: (each["state"], each["says"]) for each in done["data"]["nodes"]
    }
    first, second = done["data"]["groups"]
    assert ("new1", "fleet-cuda130", True) == (first["nodes"], first["target"], Path(first["pack"]).is_file())
    assert ("old1", None, None) == (second["nodes"], second["choice"], second["pack"])
    assert ["install NVIDIA driver 580.65.06 or newer"] == [each["hint"] for each in done["data"]["joins"]]


def test_a_node_that_does_not_come_is_lost_and_the_others_are_told(home):
    done = fleet(
        home,
        "detect",
        "--local",
        1,
        "--expect",
        "local-[1-2]",
        "--deadline",
        int(within(8)),
        "--report",
        home.root / "r",
    )
    assert 3 == done.returncode
    assert "1 of 2 nodes ok  1 lost" in done.stdout
    assert "lost: no worker came for it" in done.stdout
    assert "lost" == json.loads((home.root / "r/detect/local-2.json").read_text())["outcome"]["state"]


def test_a_host_that_cannot_be_logged_in_to_is_lost_and_says_why(home):
    """A stand-in for ssh runs what it is told here, on all hosts but one."""
    ssh = home.root / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(
        "#!/bin/sh\nwhile [ $1 = -o ]; do shift 2; done\nhost=$1; shift\n"
        '[ $host = node2 ] && { echo "ssh: connect to host node2 port 22: No route to host" >&2; exit 255; }\n'
        'exec sh -c "$*"\n'
    )
    ssh.chmod(0o755)
    path = f"{ssh.parent}:{os.environ['PATH']}"
    done = envelope(fleet(home, "detect", "--ssh", "node[1-3]", "--deadline", 60, "--json", PATH=path))
    assert {"node1": "ok", "node2": "lost", "node3": "ok"} == {
        each["node"]: each["state"] for each in done["data"]["nodes"]
    }
    assert ["ssh: connect to host node2 port 22: No route to host"] == [each["says"] for each in done["data"]["told"]]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("detect",), "which nodes to ask is not said"),
        (("detect", "--local", 1, "--ssh", "a"), "`--local` and `--ssh` exclude each other"),
        (("detect", "--ssh", "node[1-"), "`node[1-` is not a set of nodes"),
        (("detect", "--scheduler", "tcp://127.0.0.1:9"), "the scheduler `tcp://127.0.0.1:9` does not answer"),
        (("create", "v.yaml", "--local", 1), "`fleet create` needs `--report DIR`, to hand the packs out"),
        (("create", "v.yaml", "--ssh", "a", "--report", "r"), "where the environment goes on each node is not said"),
        (
            ("create", "v.yaml", "--ssh", "a", "--report", "r", "--prefix", "r/env"),
            "the prefix `r/env` lies where the nodes share files",
        ),
        (("/nowhere",), "`/nowhere` holds no report of a fleet"),
    ],
)
def test_what_cannot_be_asked_is_said_in_a_line(home, words, message):
    done = fleet(home, *words)
    assert done.returncode in (2, 3)
    assert f"error: {message}" == done.stderr.splitlines()[0]


def test_ctrl_c_ends_the_workers_and_says_nothing_of_theirs(home):
    words = ("fleet", "detect", "--local", "2", "--expect", "local-[1-3]", "--no-progress", "--report", home.root / "r")
    argv = [sys.executable, "-m", "envforge", *map(str, words)]
    asker = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert comes(lambda: len(list((home.root / "r").glob("detect/*.json"))) == 2)
    os.killpg(asker.pid, signal.SIGINT)
    _, said = asker.communicate(timeout=120)
    assert (130, "error: interrupted\n") == (asker.returncode, said)
    assert comes(lambda: is_gone(asker.pid))


def is_gone(group: int) -> bool:
    """Say whether a group's last process has gone."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return True
    return False


@contextmanager
def cluster(folder: Path, *worker_flags: str) -> Iterator[str]:
    """Run a scheduler with one worker, as others start them, and give the scheduler's address."""
    told = folder / "scheduler.json"
    starts = (
        ("dask_scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
        ("dask_worker", "--nthreads", "1", "--no-dashboard", *worker_flags),
    )
    running = [
        subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.{module}", *flags, "--scheduler-file", str(told)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=folder,
        )
        for module, *flags in starts
    ]
    try:
        assert comes(lambda: written(told))
        yield json.loads(told.read_text())["address"]
    finally:
        for each in reversed(running):
            each.terminate()
            each.wait()


@pytest.mark.parametrize(
    ("flags", "node"), [((), "127.0.0.1"), (("--resources", "node:gpu1=1"), "gpu1")], ids=["a-host", "a-name"]
)
def test_the_workers_of_a_scheduler_that_others_started_are_nodes(home, flags, node):
    with cluster(home.root, *flags) as address:
        done = envelope(fleet(home, "detect", "--scheduler", address, "--expect", node, "--deadline", 60, "--json"))
    assert [(node, "ok", 1)] == [(each["node"], each["state"], each["attempts"]) for each in done["data"]["nodes"]]
