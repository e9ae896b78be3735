"""One plan for many nodes, from what they told of themselves: no node is asked."""

import time

from cli.calling import envelope
from cli.calling import envforge as call
from cli.fleet.recorded import detected, keep_detected, recording, twelve_kinds
from envforge.cli.fleet.gathering import machines_of
from envforge.cli.fleet.joint import decide_jointly, joint_shape
from envforge.cli.talk import Talk
from envforge.facts import load_facts
from envforge.fleet import Kept, Order, Outcome
from envforge.spec import parse_spec

V100, H100, B200 = "Tesla V100-SXM2-32GB", "NVIDIA H100 80GB HBM3", "NVIDIA B200"


def plan(home, text, nodes):
    spec, report = home.root / "fleet.yaml", home.root / "report"
    spec.write_text(text)
    keep_detected(report, nodes)
    return call("fleet", "plan", spec, "--report", report, "--json", **home.variables)


def test_cards_that_share_no_build_split_the_fleet_and_are_named(home):
    nodes = {f"a{at}": recording("580.65.06", V100) for at in (1, 2)}
    nodes |= {f"b{at}": recording("580.65.06", B200) for at in (1, 2, 3)}
    done = envelope(plan(home, "name: v\nsources: [pytorch, pypi]\ntorch: '>=2.12'\n", nodes))
    assert 0 == done["exit"]
    assert [("b[1-3]", "13.0"), ("a[1-2]", "12.6")] == [
        (each["nodes"], each["choice"]["cuda"]) for each in done["data"]["groups"]
    ]
    (forced,) = done["data"]["forced_by"]
    assert ("a[1-2]", 2) == (forced["nodes"], forced["count"])
    assert "has no sm_70 code for Tesla V100-SXM2-32GB" in forced["says"]


def test_a_driver_that_would_join_the_fleet_is_said(home):
    nodes = {f"old{at}": recording("550.54.15", H100) for at in (1, 2)}
    nodes |= {f"new{at}": recording("580.65.06", H100) for at in (1, 2, 3)}
    done = envelope(plan(home, "name: v\nsources: [pytorch]\ncuda: '>=13,<14'\n", nodes))
    assert (1, ["new[1-3]", "old[1-2]"]) == (done["exit"], [each["nodes"] for each in done["data"]["groups"]])
    assert done["data"]["groups"][1]["choice"] is None
    assert any(
        each["hint"] == "install NVIDIA driver 580.65.06 or newer" and "old[1-2]" in " ".join(each["because"])
        for each in done["data"]["joins"]
    ), done["data"]["joins"]


def test_a_node_that_told_nothing_is_named_beside_the_plan(home):
    kept = Kept(home.root / "report" / "detect")
    kept.write(Outcome(node="gone", state="lost", why="no worker came for it"), Order(argv=("envforge",)))
    done = plan(home, "name: v\n", {"here": recording("580.65.06", H100)})
    assert (3, {"gone": "lost", "here": "ok"}) == (
        done.returncode,
        {each["node"]: each["state"] for each in envelope(done)["data"]["nodes"]},
    )


def test_a_queue_that_is_named_is_asked_though_a_report_is_there(home):
    spec, report = home.root / "fleet.yaml", home.root / "report"
    spec.write_text("name: v\n")
    keep_detected(report, {"here": recording("580.65.06", H100)})
    done = envelope(call("fleet", "plan", spec, "--report", report, "--queue", "dask-pbs", "--json", **home.variables))
    assert (2, "`--queue dask-pbs` needs `--expect NODES`") == (done["exit"], done["errors"][0]["message"])


def test_a_thousand_nodes_of_twelve_kinds_are_planned_in_less_than_a_second():
    machines = machines_of([detected(node, plain) for node, plain in twelve_kinds(1000).items()])
    spec, facts, talk = parse_spec("name: v\ntorch: '>=2.12'\n", "v.yaml"), load_facts(), Talk(command="fleet plan")
    began = time.process_time()
    joint = decide_jointly(talk, spec, machines, facts, ask_all=False, offline=True)
    shape = joint_shape(joint, facts)
    assert time.process_time() - began < 1.0
    assert (12, 1000) == (len(joint.kinds), sum(each["count"] for each in shape["groups"]))
