"""`init`: a spec to start from."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import yaml

from cli.calling import envelope, envforge

H100 = Path(__file__).parents[1] / "machines/profiles/h100-550.54.yaml"


def test_what_is_asked_for_is_written_and_planned(tmp_path):
    spec = tmp_path / "vision.yaml"
    data = envelope(envforge("init", spec, "--with", "torchvision", "--machine", H100, "--offline", "--json"))["data"]
    assert "with:\n- torchvision\n" == spec.read_text()
    assert ["torchvision"] == list(data["plan"]["choice"]["companions"])


def test_a_file_that_is_there_is_left_alone(tmp_path):
    spec = tmp_path / "vision.yaml"
    spec.write_text("name: mine\n")
    done = envforge("init", spec, "--offline")
    assert (2, "name: mine\n") == (done.returncode, spec.read_text())
    assert "is there already" in " ".join(done.stderr.split())


def test_a_spec_that_could_not_be_read_is_not_written(tmp_path):
    done = envforge("init", tmp_path / "bad.yaml", "--torch", ">=>2", "--offline")
    assert (2, []) == (done.returncode, list(tmp_path.iterdir()))


def test_a_folder_that_is_not_there_exits_5(tmp_path):
    assert 5 == envforge("init", tmp_path / "no" / "vision.yaml", "--machine", H100, "--offline").returncode


def at_a_terminal(answers, *words):
    """Run `init` with a person at its terminal, who types these lines."""
    ours, theirs = pty.openpty()
    kept = {key: text for key, text in os.environ.items() if not key.startswith("ENVFORGE_")}
    command = [sys.executable, "-m", "envforge", "init", *map(str, words)]
    done = subprocess.Popen(
        command, stdin=theirs, stdout=subprocess.PIPE, stderr=theirs, env={**kept, "COLUMNS": "300"}, text=True
    )
    os.close(theirs)
    os.write(ours, "".join(f"{line}\n" for line in answers).encode())
    page = done.communicate(timeout=120)[0]
    os.close(ours)
    return done.returncode, page


def test_a_person_is_asked(tmp_path):
    spec = tmp_path / "vision.yaml"
    answers = (">=2.6,<3", "torchvision, torchaudio", "timm>=1,<2 einops", "", "y")
    code, page = at_a_terminal(answers, spec, "--machine", H100, "--offline")
    assert 0 == code
    assert {
        "torch": ">=2.6,<3",
        "with": ["torchvision", "torchaudio"],
        "wheels": ["timm>=1,<2", "einops"],
        "gpu": "required",
    } == yaml.safe_load(spec.read_text())
    assert f"wrote `{spec}`" in page


def test_empty_answers_leave_the_choice_to_envforge(tmp_path):
    spec = tmp_path / "vision.yaml"
    assert 0 == at_a_terminal(("", "", "", "", ""), spec, "--machine", H100, "--offline")[0]
    assert {"cuda": "auto"} == yaml.safe_load(spec.read_text())


def test_flags_are_an_answer(tmp_path):
    spec = tmp_path / "vision.yaml"
    assert 0 == at_a_terminal((), spec, "--with", "torchvision", "--machine", H100, "--offline")[0]
    assert 0 == at_a_terminal((), tmp_path / "other.yaml", "--yes", "--machine", H100, "--offline")[0]


def test_this_machine_becomes_a_target_that_decides_like_it(tmp_path):
    spec = tmp_path / "vision.yaml"
    first = envelope(envforge("init", spec, "--here", "desk", "--offline", "--json"))["data"]["plan"]
    assert ["desk"] == list(yaml.safe_load(spec.read_text())["targets"])
    again = envelope(envforge("plan", spec, "--target", "desk", "--offline", "--json"))["data"]
    chosen = [(each["choice"]["torch"], each["choice"]["cuda"]) for each in (first, again)]
    assert chosen[0] == chosen[1]
