"""`doctor` on the real host and on recorded machines."""

import sys
from pathlib import Path

import pytest

from cli.calling import envelope, envforge

ROOT = Path(__file__).parents[2]
RECORDINGS = ROOT / "tests/machines/recordings"
NOUVEAU = RECORDINGS / "nouveau-has-the-card.yaml"


def test_the_real_host_gets_a_verdict():
    document = envelope(envforge("doctor", "--json"))
    assert document["data"]["verdict"] in {"healthy", "advisory", "degraded", "blocked", "undetermined"}
    assert [] == document["data"]["crashed"]


def test_an_ill_machine_exits_1_and_names_the_cause():
    document = envelope(envforge("doctor", "--machine", NOUVEAU, "--json"))
    assert (1, "blocked") == (document["exit"], document["data"]["verdict"])
    assert ["nouveau-owns-gpu"] == [each["id"] for each in document["data"]["findings"]]


def test_github_gets_a_step_summary(tmp_path):
    place = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md")}
    envforge("doctor", "--machine", NOUVEAU, **place)
    lines = (tmp_path / "summary.md").read_text().splitlines()
    assert "### envforge doctor: blocked" == lines[0]
    assert lines[-1].startswith("| nouveau-owns-gpu | blocker | certain | ")


def test_a_rule_can_be_left_out_or_asked_alone():
    without = envelope(envforge("doctor", "--machine", NOUVEAU, "--skip", "nouveau-owns-gpu", "--json"))["data"]
    assert "nouveau-owns-gpu" not in {each["id"] for each in without["findings"]}
    alone = envelope(envforge("doctor", "--machine", NOUVEAU, "--only", "nouveau-owns-gpu", "--json"))["data"]
    assert ["nouveau-owns-gpu"] == [each["id"] for each in alone["findings"]]


def test_a_rule_in_the_place_of_an_environment_is_met_with_its_flag():
    done = envforge("doctor", "nouveau-owns-gpu", COLUMNS="200")
    assert (2, "hint: `envforge doctor --only nouveau-owns-gpu` asks the rule of this name") == (
        done.returncode,
        done.stderr.splitlines()[-1],
    )


def test_the_rules_are_listed():
    assert "nouveau-owns-gpu" in envforge("doctor", "--list").stdout


@pytest.mark.parametrize(
    "words", [("--only", "nouveau-owns-gpus"), ("--machine", ROOT / "no.yaml"), ("no-such-environment",)]
)
def test_what_cannot_be_examined_exits_2(words, tmp_path):
    done = envforge("doctor", *words, HOME=str(tmp_path))
    assert (2, "", 1) == (done.returncode, done.stdout, done.stderr.count("error: "))


def test_it_looks_inside_an_interpreter():
    without = envelope(envforge("doctor", "--json"))["data"]["skipped"]
    inside = envelope(envforge("doctor", "--python", sys.executable, "--json"))["data"]["skipped"]
    assert [each for each in without if "env_probe" in each["missing"]]
    assert [] == [each for each in inside if "env_probe" in each["missing"]]


def test_an_interpreter_that_is_not_there_is_a_usage_error():
    assert 2 == envforge("doctor", "--python", "/no/such/python").returncode


def test_a_misspelled_rule_is_guessed():
    assert "hint: did you mean `nouveau-owns-gpu`?" in envforge("doctor", "--only", "nouveau-owns-gpus").stderr


def test_an_interpreter_belongs_to_this_machine():
    assert 2 == envforge("doctor", "--python", sys.executable, "--machine", NOUVEAU).returncode


def test_this_machine_is_read_whole():
    skipped = envelope(envforge("doctor", "--json"))["data"]["skipped"]
    missing = {name for each in skipped for name in each["missing"]}
    assert {"env", "user", "limits", "libraries", "dlopen", "which"}.isdisjoint(missing)
