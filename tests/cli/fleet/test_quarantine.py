"""Nodes that are ill are named with the command that drains them; it is run only when that is asked for."""

import os
import sys
from pathlib import Path

import pytest

from cli.calling import envelope
from cli.calling import envforge as call
from envforge.fleet import Answer, Kept, Order, Outcome

pytest.importorskip("distributed")

ASKED = Order(argv=("envforge", "verify", "demo", "--no-progress", "--json"))


def result(check, outcome, code=None, device="cuda:0"):
    return {"check": check, "device": device, "outcome": outcome, "code": code, "detail": "seen", "measured": {}}


def keep_verified(report: Path) -> None:
    """Write what three nodes answered to `fleet verify`: one is well, one has a bad card, one a bad environment."""
    told = {
        "n1": ("pass", [result("int_kernels", "pass")]),
        "n2": ("fail", [result("memory_pattern", "fail", "gpu-ecc-uncorrectable", "cuda:1")]),
        "n3": ("fail", [result("import_torch", "fail", "E_IMPORT", None)]),
    }
    for node, (verdict, results) in told.items():
        document = {"data": {"verdict": verdict, "results": results, "devices": []}, "errors": []}
        rc = 0 if verdict == "pass" else 1
        answer = Answer(host=node, rc=rc, took_s=2.0, document=document)
        state = "ok" if rc == 0 else "failed"
        Kept(report / "verify").write(Outcome(node=node, state=state, attempts=1, answer=answer), ASKED)


def stand_in(folder: Path, ends: str = "") -> str:
    """Make an `scontrol` that writes down what it was told, and give the PATH that finds it."""
    (folder / "bin").mkdir()
    scontrol = folder / "bin" / "scontrol"
    scontrol.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" >> {folder}/told\n{ends}\n')
    scontrol.chmod(0o755)
    return f"{folder}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"


@pytest.mark.parametrize("asked", [False, True])
def test_only_a_node_that_is_ill_is_drained_and_only_when_asked(home, asked):
    keep_verified(home.root / "report")
    path = stand_in(home.root)
    way = ("--local", 1, "--expect", "n[1-3]", "--report", home.root / "report")
    flag = ("--quarantine",) if asked else ()
    done = envelope(call("fleet", "verify", "demo", *way, *flag, "--json", **home.variables, PATH=path))
    assert (1, {"ok": 1, "failed": 2, "raised": 0, "lost": 0, "late": 0}) == (done["exit"], done["data"]["counts"])
    assert [("n2", "node"), ("n3", "environment")] == [(each["nodes"], each["side"]) for each in done["data"]["faults"]]
    (drain,) = done["data"]["drains"]
    assert 'scontrol update nodename=n2 state=drain reason="envforge:gpu-ecc-uncorrectable cuda:1"' == drain["run"]
    assert ("" if asked else None) == drain["done"]
    words = ["update", "nodename=n2", "state=drain", "reason=envforge:gpu-ecc-uncorrectable cuda:1"]
    assert asked == (home.root / "told").exists()
    assert not asked or words == (home.root / "told").read_text().splitlines()


def test_the_page_says_what_to_do_and_a_drain_that_fails_is_said(home):
    keep_verified(home.root / "report")
    way = ("--local", 1, "--expect", "n[1-3]", "--report", home.root / "report", "--no-progress")
    page = call("fleet", "verify", "demo", *way, **home.variables, COLUMNS="80").stdout
    assert "To take them out of service; jobs that run there go on" in page
    assert '    scontrol update nodename=n2 state=drain reason="envforge:gpu-ecc-uncorrectable cuda:1"\n' in page
    assert "environment: seen" in page
    path = stand_in(home.root, "echo 'slurm_update error: Invalid node name specified' >&2; exit 1")
    failed = call("fleet", "verify", "demo", *way, "--quarantine", **home.variables, COLUMNS="80", PATH=path).stdout
    assert "n2: slurm_update error: Invalid node name specified" in failed
