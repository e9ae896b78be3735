"""`plan` on the specs that people start from, and on the twelve machines of the expected outcomes."""

import json
from pathlib import Path

import pytest

from cli.calling import envelope, envforge

ROOT = Path(__file__).parents[2]
SPECS = sorted(path for path in (ROOT / "envspecs").glob("*.yaml") if not path.name.endswith(".lock.yaml"))
PROFILES = sorted((ROOT / "tests/machines/profiles").glob("*.yaml"))
H100 = ROOT / "tests/machines/profiles/h100-550.54.yaml"
ALONE = {"PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": "", "UV_NO_CONFIG": "1"}
FIFTH = '{driver: "570.86.15", gpus: ["NVIDIA GeForce RTX 5090"], glibc: "2.39"}'


def plan(*words, **environ):
    return envforge("plan", "--offline", *words, **ALONE, **environ)


@pytest.mark.parametrize("profile", PROFILES, ids=[profile.stem for profile in PROFILES])
def test_every_spec_gets_an_explained_answer_on_every_machine(profile):
    document = envelope(plan(*SPECS, "--machine", profile, "--json"))
    plans = document["data"]["plans"]
    assert [str(spec) for spec in SPECS] == [each["spec"] for each in plans]
    for each in plans:
        assert [profile.stem] == each["machines"]
        if each["choice"]:
            assert all(reason["text"] for reason in each["choice"]["reasons"])
            assert each["choice"]["reasons"]
        else:
            assert all(reason["text"] for core in each["conflict"]["cores"] for reason in core)
            assert all(way["hint"] and way["gives_up"] for way in each["conflict"]["ways_out"])
            assert each["conflict"]["ways_out"]
    assert (0 if all(each["choice"] for each in plans) else 1) == document["exit"]


@pytest.mark.parametrize(
    ("spec", "machine", "cuda"),
    [
        ("quickstart", "laptop-nogpu", None),
        ("quickstart", "h200-580.159", "13.0"),
        ("training", "a100-535.104", "12.6"),
        ("blackwell", "rtx5090-570.86", "12.9"),
        ("legacy-v100", "v100-450.80", "11.8"),
        ("cpu-only", "h100-550.54", None),
        ("ci", "laptop-nogpu", None),
    ],
)
def test_a_spec_answers_the_question_that_it_is_for(spec, machine, cuda):
    profile = ROOT / f"tests/machines/profiles/{machine}.yaml"
    data = envelope(plan(ROOT / f"envspecs/{spec}.yaml", "--machine", profile, "--json"))["data"]
    assert cuda == data["choice"]["cuda"]


def test_a_choice_fits_one_screen_and_says_why():
    done = plan(ROOT / "envspecs/training.yaml", "--machine", H100, COLUMNS="100")
    assert (0, "") == (done.returncode, done.stderr)
    assert len(done.stdout.splitlines()) <= 40
    assert ["Why", "Newer or preferred, but not here", "What would unlock more"] == [
        line for line in done.stdout.splitlines() if line[:1].isupper() and ":" not in line
    ]


def test_a_conflict_exits_1_with_ways_out():
    done = plan(ROOT / "envspecs/legacy-v100.yaml", "--machine", ROOT / "tests/machines/profiles/laptop-nogpu.yaml")
    assert 1 == done.returncode
    assert "Ways out" in done.stdout


def test_verbose_adds_where_each_fact_is_from():
    words = (ROOT / "envspecs/training.yaml", "--machine", H100)
    assert "seen 20" in plan(*words, "-v").stdout
    assert "seen 20" not in plan(*words).stdout


def test_that_sources_are_asked_is_said_once_it_takes_a_second(http_server, tmp_path):
    served = http_server(tmp_path)
    served.misbehave("torch", "hang")
    (tmp_path / "slow.yaml").write_text(f"name: slow\nsources: [pytorch, '{served.url}/simple']\n")
    done = envforge("plan", tmp_path / "slow.yaml", "--machine", H100, "--timeout", "2", **ALONE)
    assert (0, "asking the sources\n") == (done.returncode, done.stderr)


def test_what_never_ends_is_no_spec():
    done = plan("/dev/zero", "--machine", H100)
    assert (2, "error: the spec is larger than 64 MiB\n  /dev/zero\n") == (done.returncode, done.stderr)


def test_a_machine_may_be_written_inline():
    data = envelope(plan(ROOT / "envspecs/minimal.yaml", "--machine", FIFTH, "--json"))["data"]
    assert ["machine-1"] == data["machines"]
    assert data["choice"]["cuda"].startswith("12.")


def test_one_machine_of_a_file_of_many_is_named_after_a_hash(tmp_path):
    file = tmp_path / "fleet.yaml"
    file.write_text("old: {driver: '450.80.02', gpus: [Tesla T4]}\nnew: {driver: '580.65.06', gpus: [Tesla T4]}\n")
    spec = ROOT / "envspecs/minimal.yaml"
    assert ["new"] == envelope(plan(spec, "--machine", f"{file}#new", "--json"))["data"]["machines"]
    assert ["old", "new"] == envelope(plan(spec, "--machine", file, "--json"))["data"]["machines"]
    done = plan(spec, "--machine", f"{file}#none")
    assert (2, "hint: it has `old`, `new`") == (done.returncode, done.stderr.splitlines()[-1])


def test_the_targets_of_a_spec_are_decided_for_together():
    data = envelope(plan(ROOT / "envspecs/cluster.yaml", "--targets", "--json"))["data"]
    assert ["a100", "h100", "laptop"] == data["machines"]
    assert "12.6" == data["choice"]["cuda"]
    one = envelope(plan(ROOT / "envspecs/cluster.yaml", "--target", "laptop", "--json"))["data"]
    assert ["laptop"] == one["machines"]


def test_an_unknown_target_names_those_there_are():
    done = plan(ROOT / "envspecs/cluster.yaml", "--target", "h10")
    assert (2, "") == (done.returncode, done.stdout)
    assert "hint: its targets are `a100`, `h100`, `laptop`" in done.stderr.splitlines()


def test_machines_that_no_single_environment_serves_are_split(tmp_path):
    spec = tmp_path / "both.yaml"
    spec.write_text("name: both\nsources: [pytorch]\n")
    kepler, blackwell = '{driver: "470.57.02", gpus: ["Tesla K80"]}', FIFTH
    done = plan(spec, "--machine", kepler, "--machine", blackwell, "--json")
    covers = envelope(done)["data"]["covers"]
    assert (0, 2) == (done.returncode, len(covers))
    assert all(cover["choice"] for cover in covers)
    assert [["machine-1"], ["machine-2"]] == sorted(cover["machines"] for cover in covers)


def test_why_not_names_what_stands_against_a_release():
    words = (ROOT / "envspecs/training.yaml", "--machine", H100, "--why-not", "torch=2.15")
    missed = envelope(plan(*words, "--json"))["data"]["why_not"]
    assert {"2.15.0"} == {each["torch"] for each in missed}
    assert any("580.65.06" in reason["text"] for each in missed for reason in each["reasons"])
    assert "580.65.06" in plan(*words).stdout


@pytest.mark.parametrize("asked", ["torch=9.9", "numpy=2"])
def test_why_not_refuses_what_is_no_torch(asked):
    assert 2 == plan(ROOT / "envspecs/training.yaml", "--machine", H100, "--why-not", asked).returncode


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "does not exist"),
        ("", "the file is empty"),
        ("name: x\n\tpython: '3.12'\n", "not YAML"),
        ("name: x\npyton: '3.12'\n", "pyton"),
        ("name: x\npython: 3.10\n", "3.10"),
        ("name: x\ntorch: '>=>2'\n", "torch"),
    ],
)
def test_a_bad_spec_is_one_error_with_its_place_and_exit_2(text, message, tmp_path):
    spec = tmp_path / "bad.yaml"
    if text is not None:
        spec.write_text(text)
    done = plan(spec, "--machine", H100, COLUMNS="200")
    assert (2, "") == (done.returncode, done.stdout)
    assert 1 == done.stderr.count("error: ")
    assert message in done.stderr
    assert str(spec) in done.stderr
    assert "spec" == envelope(plan(spec, "--json"))["errors"][0]["code"] or text is None


def test_a_misspelled_spec_file_is_guessed(tmp_path):
    (tmp_path / "vision.yaml").write_text("name: vision\n")
    done = plan(tmp_path / "vison.yaml", COLUMNS="300")
    assert f"hint: did you mean `{tmp_path / 'vision.yaml'}`?" in done.stderr.splitlines()


def test_a_lock_among_several_specs_is_left_out_and_alone_is_refused(tmp_path):
    spec, lock = tmp_path / "vision.yaml", tmp_path / "vision.lock.yaml"
    spec.write_text("name: vision\n")
    lock.write_text("schema: envforge.lock/1\n")
    done = plan(spec, lock, "--machine", H100, COLUMNS="300")
    assert (0, f"`{lock}` is a lock, not a spec: left out\n") == (done.returncode, done.stderr)
    assert 2 == plan(lock, "--machine", H100).returncode


def test_a_spec_that_is_no_text_is_refused(tmp_path):
    spec = tmp_path / "bad.yaml"
    spec.write_bytes(b"name: \xff\xfe")
    assert f"error: the spec is not UTF-8 text\n  {spec}:1:7\n" == plan(spec, COLUMNS="300").stderr


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("environment.yml", "name: a\nchannels: [pytorch]\ndependencies:\n- pytorch=2.1\n"),
        ("requirements.txt", "torch==2.1\n"),
        ("pyproject.toml", "[project]\nname = 'a'\n"),
    ],
)
def test_a_file_of_another_tool_is_sent_to_import(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    done = plan(tmp_path / name, COLUMNS="300")
    assert (2, 1) == (done.returncode, done.stderr.count("error:"))
    assert f"hint: `envforge import {tmp_path / name} -o spec.yaml` makes a spec of it" in done.stderr.splitlines()


def test_a_spec_without_its_ending_is_found(tmp_path):
    (tmp_path / "vision.yaml").write_text("name: vision\n")
    done = plan(tmp_path / "vision", COLUMNS="300")
    assert f"hint: did you mean `{tmp_path / 'vision.yaml'}`?" in done.stderr.splitlines()


def test_no_color_and_a_pipe_mean_plain_text_and_force_color_colours():
    words = (ROOT / "envspecs/minimal.yaml", "--machine", H100)
    assert "\x1b" not in plan(*words).stdout
    assert "\x1b" in plan(*words, FORCE_COLOR="1").stdout
    assert "\x1b" not in plan(*words, FORCE_COLOR="1", NO_COLOR="1").stdout
    assert "\x1b" in plan(*words, "--color", "always").stdout


def test_an_ascii_terminal_gets_ascii():
    done = plan(ROOT / "envspecs/training.yaml", "--machine", H100, PYTHONIOENCODING="ascii")
    assert done.stdout.isascii()
    assert "driver >= 580.65.06" in done.stdout


def test_json_is_one_document_whatever_the_encoding():
    done = plan(ROOT / "envspecs/training.yaml", "--machine", H100, "--json", PYTHONIOENCODING="ascii")
    assert json.loads(done.stdout)["ok"]


def test_a_check_that_there_is_not_is_refused_before_anything_is_installed(tmp_path):
    spec = tmp_path / "typo.yaml"
    spec.write_text("name: typo\nchecks: [import_torch, numpy_brige]\n")
    done = plan(spec, "--machine", H100)
    assert (2, "") == (done.returncode, done.stdout)
    assert "error: unknown check `numpy_brige`" in done.stderr
    assert "typo.yaml:2" in done.stderr
    assert "did you mean `numpy_bridge`?" in done.stderr


def test_a_target_that_cannot_be_read_is_shown_where_it_stands(tmp_path):
    spec = tmp_path / "cluster.yaml"
    spec.write_text('name: cluster\ntargets:\n  old: {driver: "535", gpus: [A1000]}\n')
    done = plan(spec, "--targets", COLUMNS="300")
    assert f"error: target `old`: no fact knows a GPU `A1000`\n  {spec}:3:3\n" in done.stderr
