"""Real locks: envforge's request for the same asks, solved on real records, gives a torch that runs, and none older."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from packaging.version import Version

from envforge.detect import read_machine
from envforge.engines import ask
from envforge.engines.rattler import RattlerEngine
from envforge.engines.settings import Settings
from envforge.facts import load_facts
from envforge.model import Choice, Locked
from envforge.plan import make_plan
from envforge.resolve import check_artefacts, resolve
from envforge.spec import parse_spec
from envforge.wire import read_yaml, write_yaml

HERE = Path(__file__).parent
CHANNELS = HERE / "channels"
LOCKS = HERE / "locks.yaml"
CASES: list[dict[str, Any]] = read_yaml(LOCKS.read_text(), str(LOCKS)).plain
FACTS = load_facts()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def solved(case: Mapping[str, Any], cache: Path) -> tuple[Choice, tuple[Locked, ...], tuple[Any, ...]]:
    """Choose, plan and solve for a case; give the choice, what was solved, and why it would be refused."""
    places = {key: [(CHANNELS / name).as_uri() for name in case["spec"][key]] for key in ("channels", "sources")}
    spec = parse_spec(write_yaml({**case["spec"], **places}), f"{case['id']}.yaml")
    machine = read_machine(write_yaml(case["machine"]), case["id"], FACTS)
    offers = ask(spec, case["machine"]["subdir"], cache=cache, settings=Settings())
    assert [offer.error for offer in offers if offer.error] == []
    choice = resolve(spec, (machine,), FACTS, offers)
    assert isinstance(choice, Choice)
    plan = make_plan(spec, choice.best, machine, FACTS, offers)
    artefacts = RattlerEngine(cache, deadline_s=60, environ={}).lock(plan, lambda step: None)
    return choice, artefacts, check_artefacts(artefacts, choice.best, machine, FACTS)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"][:40])
def test_the_same_asks_give_a_torch_that_runs_and_none_older(case, cache):
    choice, artefacts, refused = solved(case, cache)
    (torch,) = (each for each in artefacts if each.name == "pytorch")
    assert refused == ()
    assert Version(case["lock"]["torch"]) <= Version(torch.version)
    assert (case["lock"]["cuda"] is None) == (choice.best.build.cuda is None)
