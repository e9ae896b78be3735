"""The doctor on recorded machines, on healthy ones, and on an ill patient and its twin for every rule."""

import pytest

from envforge.doctor import examine, load_rules, verdict
from envforge.model import Crashed, Finding
from patients import healthy, pairs, patient, recorded, reported

RULES = load_rules()
RECORDED, HEALTHY, PAIRS, REPORTED = recorded(), healthy(), pairs(), reported()


def answers(snapshot, opened=frozenset()):
    return list(examine(patient(snapshot), RULES, opened))


def findings(snapshot, opened=frozenset()):
    return [answer for answer in answers(snapshot, opened) if isinstance(answer, Finding)]


def told(snapshot, opened=frozenset()):
    """Give the ids that were reported, folded ones too."""
    return {name for each in findings(snapshot, opened) for name in (each.id, *each.explains)}


@pytest.mark.parametrize("name", RECORDED)
def test_the_cause_of_a_recorded_machine_is_reported_and_nothing_forbidden(name):
    expected = RECORDED[name]["expected"]
    reported = {each.id for each in findings(RECORDED[name]["snapshot"])}
    missed = set(expected["root_causes"]) - reported
    if reported & set(expected.get("also_acceptable", ())):
        missed = set()
    assert (set(), set()) == (missed, reported & set(expected.get("must_not_report", ())))


@pytest.mark.parametrize("name", [name for name, row in RECORDED.items() if not row["expected"]["root_causes"]])
def test_a_recorded_machine_without_a_cause_is_well(name):
    assert verdict(answers(RECORDED[name]["snapshot"])) in ("healthy", "advisory")


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_machine_has_no_blocker_and_nothing_degraded(name):
    alarms = [(each.id, each.evidence) for each in findings(HEALTHY[name]) if each.severity in ("blocker", "degraded")]
    assert [] == alarms


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_machine_is_not_undetermined(name):
    assert verdict(answers(HEALTHY[name])) in ("healthy", "advisory")


def test_healthy_machines_are_many():
    assert len(HEALTHY) >= 40


def test_every_rule_has_its_ill_patient():
    assert {rule.id for rule in RULES} == set(PAIRS)


@pytest.mark.parametrize("rule", PAIRS)
def test_an_ill_patient_is_told(rule):
    ill, _, opened = PAIRS[rule]
    assert rule in told(ill, opened)


@pytest.mark.parametrize("rule", PAIRS)
def test_its_healthy_twin_is_not(rule):
    _, twin, opened = PAIRS[rule]
    assert rule not in told(twin, opened)


@pytest.mark.parametrize("rule", [rule for rule, row in PAIRS.items() if row[2]])
def test_checks_of_a_purpose_are_silent_until_it_is_opened(rule):
    assert rule not in told(PAIRS[rule][0])


@pytest.mark.parametrize("name", [*RECORDED, *HEALTHY])
def test_no_rule_crashes(name):
    snapshot = RECORDED[name]["snapshot"] if name in RECORDED else HEALTHY[name]
    opened = frozenset({"build", "train", "multi-gpu", "container"})
    assert [] == [each for each in answers(snapshot, opened) if isinstance(each, Crashed)]


@pytest.mark.parametrize("name", REPORTED)
def test_the_cause_of_a_reported_machine_is_found_and_nothing_false(name):
    row, snapshot = REPORTED[name]
    found = answers(snapshot)
    told = {each.id for each in found if isinstance(each, Finding)}
    faults = {each.id for each in found if isinstance(each, Finding) and each.severity in ("blocker", "degraded")}
    others = set(row.get("or", ()))
    missed = set() if told & others else (set(row["causes"]) or others) - told
    assert (set(), set(), set()) == (missed, told & set(row["never"]), faults - set(row["causes"]) - others)
    assert verdict(found, len(RULES)) == row.get("verdict", verdict(found, len(RULES)))


@pytest.mark.law
@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_machine_stays_so_when_a_reading_is_missing(name):
    whole = HEALTHY[name]
    alarms = {
        (gone, each.id)
        for gone in whole
        for each in findings({key: item for key, item in whole.items() if key != gone})
        if each.severity in ("blocker", "degraded")
    }
    assert set() == alarms


def dropped(snapshot):
    """Give the recording without one key, or without one key of a key, for each of them."""
    for name, value in snapshot.items():
        rest = {key: item for key, item in snapshot.items() if key != name}
        yield name, rest
        for inner in value if isinstance(value, dict) else ():
            yield f"{name}.{inner}", rest | {name: {key: item for key, item in value.items() if key != inner}}


@pytest.mark.law
@pytest.mark.slow
@pytest.mark.parametrize("name", RECORDED)
def test_less_evidence_makes_nobody_surer_of_another_cause(name):
    """A missing reading may leave a cause untold, or told with less certainty; it never accuses another for certain."""
    whole, expected = RECORDED[name]["snapshot"], RECORDED[name]["expected"]
    allowed = told(whole) | set(expected["root_causes"]) | set(expected.get("also_acceptable", ()))
    surer = {
        (gone, each.id)
        for gone, rest in dropped(whole)
        for each in findings(rest)
        if each.severity in ("blocker", "degraded") and each.certainty == "certain" and each.id not in allowed
    }
    assert set() == surer
