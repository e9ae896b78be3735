"""The engine: four outcomes, causes before consequences, an honest verdict."""

import time

import pytest

from envforge.doctor import examine, load_known, load_rules, verdict
from envforge.doctor.examine import say
from envforge.doctor.signs import SIGNS, Sign
from envforge.model import (
    Crashed,
    Evidence,
    Finding,
    Machine,
    Patient,
    Reading,
    Remedy,
    Rule,
    Skipped,
    SmokeReport,
    Undetermined,
)
from envforge.model.verifying import CheckResult
from patients import bases, edited, patient

RULES = load_rules()
WELL = bases()["workstation"]


def rule(name, severity="blocker", **more):
    base = {"area": "bus", "title": name, "place": "host", "says": (f"{name} is so",), "why": "because"}
    return Rule(id=name, severity=severity, **base | more)


def ask(rules, signs, snapshot=WELL):
    table = {name: [Sign(look=look)] for name, look in signs.items()}
    return list(examine(patient(snapshot), rules, known=load_known(), signs=table))


def seen(*lines, **more):
    return lambda chart: Evidence(lines=lines, **more)


def test_an_empty_recording_yields_only_skipped():
    answers = list(examine(patient({}), RULES))
    assert {Skipped} == {type(answer) for answer in answers}


def test_an_empty_recording_is_undetermined_not_healthy():
    answers = list(examine(patient({}), RULES))
    assert "undetermined" == verdict(answers, asked=len(answers))


def test_a_skip_names_what_is_missing():
    answers = {answer.id: answer for answer in examine(patient({"pci": []}), RULES) if isinstance(answer, Skipped)}
    assert "nvml" == answers["row-remap-pending"].missing[0]


def test_a_reading_that_failed_is_missing_not_empty():
    machine = Machine(name="x", readings=(Reading(source="pci", error="permission denied"),))
    skipped = {answer.id for answer in examine(Patient(machine=machine), RULES) if isinstance(answer, Skipped)}
    assert "vfio-pci-bound" in skipped


def test_a_sign_that_raises_is_crashed_and_the_doctor_goes_on():
    def broken(chart):
        raise RuntimeError("no")

    crashed, found = rule("broken-one"), rule("other")
    answers = ask([crashed, found], {"broken-one": broken, "other": seen("x")})
    assert [("other", Finding), ("broken-one", Crashed)] == [(answer.id, type(answer)) for answer in answers]
    assert "healthy" == verdict([answers[1]])


def test_a_sentence_that_cannot_be_filled_is_a_broken_rule():
    (answer,) = ask([rule("a", says=("{nobody} knows",))], {"a": seen("x")})
    assert isinstance(answer, Crashed)


def test_a_consequence_is_folded_under_its_cause():
    rules = [rule("cause"), rule("middle", rule_out_first=("cause",)), rule("end", rule_out_first=("middle",))]
    (answer,) = ask(rules, {each.id: seen("x") for each in rules})
    assert ("cause", ("middle", "end")) == (answer.id, answer.explains)


def test_a_lighter_finding_explains_no_heavier_one():
    rules = [rule("light", severity="advisory"), rule("heavy", rule_out_first=("light",))]
    assert ["light", "heavy"] == [answer.id for answer in ask(rules, {each.id: seen("x") for each in rules})]


def test_a_cause_that_was_not_found_explains_nothing():
    rules = [rule("cause"), rule("end", rule_out_first=("cause",))]
    assert ["end"] == [each.id for each in ask(rules, {"cause": lambda chart: None, "end": seen("x")})]


def test_several_signs_give_the_surest_certainty_and_all_lines():
    table = {"a": [Sign(look=seen("one", certainty="possible")), Sign(look=seen("two", certainty="certain"))]}
    (answer,) = examine(patient(WELL), [rule("a")], known=load_known(), signs=table)
    assert ("certain", ("one", "two")) == (answer.certainty, answer.evidence)


def test_evidence_may_weigh_less_than_its_rule():
    (answer,) = ask([rule("a")], {"a": seen("x", severity="advisory")})
    assert ("advisory", "advisory") == (answer.severity, verdict([answer]))


def test_sentences_carry_the_patients_own_numbers():
    ill = edited(WELL, {"nvml": {"devices": {0: {"error": 15}}}})
    finding = next(answer for answer in examine(patient(ill), RULES) if isinstance(answer, Finding))
    assert "NVIDIA GeForce RTX 4090" in finding.says
    assert "NVML 15 GPU_IS_LOST" in finding.says


@pytest.mark.parametrize(("driver", "run"), [("550.54.15", "fm-550=550.54.15"), (None, "fm-<branch>=<driver version>")])
def test_a_command_carries_the_patients_own_driver_where_it_is_known(driver, run):
    step = Remedy(text="install it", run="fm-<branch>=<driver version>")
    told = {"nvml": {"driver_version": driver}, "proc_driver_nvidia": {"version": ""}}
    (answer,) = ask([rule("a", remedy=(step,))], {"a": seen("x")}, edited(WELL, told))
    assert (run,) == tuple(each.run for each in answer.remedy)


def test_the_first_sentence_that_can_be_filled_is_used():
    assert "b 2" == say(("a {one}", "b {two}", "c"), {"two": "2"})


@pytest.mark.parametrize(
    ("code", "question"),
    [(802, "NVSwitches"), (999, "suspended"), (304, "nvidia-uvm")],
)
def test_a_code_without_a_rule_is_undetermined_with_two_questions(code, question):
    snapshot = edited(WELL, {"cuda": {"cuInit": {"code": code}, "device_count": 0}, "env_probe": "~gone"})
    answers = list(examine(patient(snapshot), RULES))
    (answer,) = [each for each in answers if isinstance(each, Undetermined)]
    assert (2, "undetermined") == (len(answer.questions), verdict(answers))
    assert question in " ".join(answer.questions)


def test_a_found_cause_leaves_nothing_undetermined():
    snapshot = edited(WELL, {"cuda": {"cuInit": {"code": 805}, "device_count": 0}})
    assert not [each for each in examine(patient(snapshot), RULES) if isinstance(each, Undetermined)]


def test_findings_keep_causes_before_what_they_may_explain():
    place = {each.id: index for index, each in enumerate(RULES)}
    late = [(each.id, first) for each in RULES for first in each.rule_out_first if place[first] > place[each.id]]
    assert [] == late


def test_a_separate_environment_wins_over_the_machines_own_probe():
    bad = edited(WELL["env_probe"], {"torch": {"version": "2.9.1+cpu", "cuda": None}, "smoke_kernel": "not run"})
    answers = examine(Patient(machine=patient(WELL).machine, environment=bad), RULES)
    assert "torch-cpu-build-pip" in {each.id for each in answers if isinstance(each, Finding)}


def test_a_smoke_report_that_passed_silences_the_tables():
    ran = CheckResult(check="matmul", device="0", outcome="pass", took_s=0.1)
    smoke = SmokeReport(python="3.12", torch="2.9.1", cuda="13.0", machine="x", results=(ran,))
    old = edited(WELL, {"nvml": {"devices": {0: {"cc": "7.0"}}}, "env_probe": {"smoke_kernel": "~gone"}})
    without = {each.id for each in examine(patient(old), RULES) if isinstance(each, Finding)}
    machine = patient(old).machine
    ran_there = {each.id for each in examine(Patient(machine=machine, smoke=smoke), RULES) if isinstance(each, Finding)}
    assert {"torch-arch-dropped-for-old-gpu"} == without - ran_there


@pytest.mark.parametrize("junk", [None, 7, "x" * 300_000, [[[]]], {"a": {"b": [None, {"c": 1}]}}, [1, "two", None]])
def test_garbage_in_every_reading_crashes_no_rule(junk):
    answers = examine(patient(dict.fromkeys([*WELL, "dmesg", "mounts", "wsl", "container"], junk)), RULES)
    assert [] == [answer for answer in answers if isinstance(answer, Crashed)]


def test_a_very_large_recording_is_read_in_bounded_time():
    line = "NVRM: " + "x" * 200
    snapshot = edited(WELL, {"dmesg": [line] * 100_000})
    began = time.process_time()
    list(examine(patient(snapshot), RULES))
    assert time.process_time() - began < 5


def test_a_whole_examination_is_quick():
    began = time.process_time()
    list(examine(patient(WELL), RULES))
    assert time.process_time() - began < 0.3


def test_every_sign_belongs_to_a_rule_and_every_rule_can_be_seen():
    ids = {each.id for each in RULES}
    assert (set(), set()) == (set(SIGNS) - ids, {each.id for each in RULES if not each.prints} - set(SIGNS))
