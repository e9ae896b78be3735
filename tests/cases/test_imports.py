"""Files of other tools, each made for what was once misread in a real one: the spec, what is said, who can run it."""

from pathlib import Path

import pytest

from cases.outcomes import answer, facts
from envforge.errors import EnvforgeError
from envforge.foreign import import_file
from envforge.spec import write_spec
from envforge.wire import read_yaml

CASES = read_yaml((Path(__file__).parent / "imports.yaml").read_text(), "imports.yaml").plain["cases"]


def names(cases):
    return [each["case"] for each in cases]


def imported(case):
    beside = case.get("beside", {})
    return import_file(case["text"], case["file"], facts(), lambda path: beside[path])


GOOD = [each for each in CASES if "error" not in each]
BAD = [each for each in CASES if "error" in each]


@pytest.mark.parametrize("case", GOOD, ids=names(GOOD))
def test_a_file_becomes_this_spec(case):
    spec = read_yaml(write_spec(imported(case).spec), "spec").plain
    wanted = {"gpu": None, **case["spec"]}
    assert wanted == {key: spec.get(key) for key in wanted}


@pytest.mark.parametrize("case", GOOD, ids=names(GOOD))
def test_a_file_is_spoken_of_so(case):
    found = imported(case)
    said = [f"{each.text} ({each.where})" for each in (*found.taken, *found.left_out)]
    assert [piece for piece in case.get("says", []) if not any(piece in each for each in said)] == []


@pytest.mark.parametrize("case", GOOD, ids=names(GOOD))
def test_machines_answer_so(case):
    spec = read_yaml(write_spec(imported(case).spec), "spec").plain
    answers = {name: answer({"id": case["case"], "spec": spec}, name) for name in case.get("answers", {})}
    assert case.get("answers", {}) == answers


@pytest.mark.parametrize("case", BAD, ids=names(BAD))
def test_a_bad_file_is_refused_at_its_place(case):
    with pytest.raises(EnvforgeError) as caught:
        imported(case)
    assert [case["error"], case["where"], case.get("hint")] == [
        caught.value.message,
        caught.value.where[0],
        next(iter(caught.value.hints), None),
    ]
