"""Cases: what a machine gets for a spec, in the words that a user reads."""

from dataclasses import replace

import pytest

from envforge.model import ABSENT, Choice, Conflict
from envforge.resolve import resolve
from resolve.worlds import FACTS, cases, machine, spec

CASES = cases("outcomes")


@pytest.mark.parametrize("case", CASES, ids=[each["case"] for each in CASES])
def test_a_machine_gets(case):
    there = machine(**case["machine"])
    if "driver" in case:
        there = replace(there, driver={"absent": ABSENT, "unknown": None}[case["driver"]])
    outcome = resolve(spec(**case.get("spec", {})), (there,), FACTS)
    if "conflict" in case:
        assert isinstance(outcome, Conflict)
        assert sorted(map(sorted, case["conflict"])) == sorted(
            sorted(each.rule for each in core) for core in outcome.cores
        )
        assert_each_hint_is_there(case.get("ways", []), [way.hint for way in outcome.ways_out])
    else:
        assert isinstance(outcome, Choice)
        assert case["gives"] == given(outcome, case["gives"])
        assert case.get("pairs", {}) == dict(outcome.best.companions)
    assert set(case.get("warns", [])) - {each.code for each in outcome.warnings} == set()
    assert [piece for piece in case.get("says", []) if piece not in sentences(outcome)] == []


def given(choice, fields):
    build = choice.best.build
    found = {"native": choice.native, **{name: getattr(build, name) for name in fields if name != "native"}}
    return {name: str(found[name]) if name == "torch" else found[name] for name in fields}


def sentences(outcome):
    if isinstance(outcome, Conflict):
        return "\n".join(reason.text for core in outcome.cores for reason in core)
    told = [*(each.text for each in outcome.reasons), *(each.reason.text for each in outcome.ranges)]
    return "\n".join(told)


def assert_each_hint_is_there(pieces, hints):
    """Every piece is in a hint, and every hint has a piece when pieces are named at all."""
    assert [piece for piece in pieces if not any(piece in hint for hint in hints)] == []
    if pieces:
        assert [hint for hint in hints if not any(piece in hint for piece in pieces)] == []
