"""Completion in the shells that people have: bash, zsh's protocol, fish."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cli.calling import envforge as call

SPEC = "name: demo\ntargets:\n  a100: {driver: '535', gpus: [NVIDIA A100-SXM4-80GB]}\n  laptop: {gpus: []}\n"
BASH = """
eval "$(envforge --show-completion bash)"
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _envforge_completion envforge; printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture
def place(tmp_path):
    """A folder with a spec, its lock, another below it, and an environment."""
    for name in ("demo.yaml", "demo.lock.yaml", "more/inner.yaml", "more/readme.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(SPEC if name == "demo.yaml" else "")
    for name in ("vision", ".vision.stage"):
        (tmp_path / "envs" / name).mkdir(parents=True)
    return tmp_path


def around(place, shell):
    own = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    kept = {key: text for key, text in os.environ.items() if not key.startswith("ENVFORGE_")}
    return {**kept, "PATH": own, "SHELL": shell, "HOME": str(place), "ENVFORGE_ENVS_DIR": str(place / "envs")}


def in_bash(place, *words):
    done = subprocess.run(
        ["bash", "-c", BASH, "bash", *words],
        capture_output=True,
        text=True,
        cwd=place,
        env=around(place, "bash"),
        check=True,
    )
    return done.stdout.split("\n")[:-1]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("envforge", "veri"), ["verify"]),
        (("envforge", "verify", "v"), ["vision"]),
        (("envforge", "run", "-n", ""), ["vision"]),
        (("envforge", "plan", "d"), ["demo.yaml"]),
        (("envforge", "plan", "more/"), ["more/inner.yaml"]),
        (("envforge", "create", "demo.yaml", "--target", ""), ["a100", "laptop"]),
        (("envforge", "matrix", "demo.yaml", "--target", "l"), ["laptop"]),
        (("envforge", "export", "demo.lock.yaml", "--target", "a"), ["a100"]),
        (("envforge", "lock", "--target", ""), [""]),
        (("envforge", "export", "d"), ["demo.lock.yaml", "demo.yaml"]),
        (("envforge", "facts", "u"), ["update"]),
        (("envforge", "sche"), ["schema"]),
    ],
)
def test_bash_completes_commands_environments_specs_and_targets(place, words, expected):
    assert expected == in_bash(place, *words)


def test_a_spec_that_cannot_be_read_has_no_targets(place):
    (place / "demo.yaml").write_text("nonsense: [")
    assert [""] == in_bash(place, "envforge", "create", "demo.yaml", "--target", "")


def test_a_command_of_two_words_is_offered_word_by_word(place):
    assert [] == [word for word in in_bash(place, "envforge", "") if " " in word]


def test_fish_completes_too(place):
    fish = shutil.which("fish")
    if fish is None:
        pytest.skip("fish is not installed")
    code = "envforge --show-completion fish | source; complete -C 'envforge create demo.yaml --target '"
    done = subprocess.run(
        [fish, "-c", code], capture_output=True, text=True, cwd=place, env=around(place, fish), check=True
    )
    assert ["a100", "laptop"] == done.stdout.split()


def test_zsh_is_told_in_its_own_form(place):
    asked = {"_ENVFORGE_COMPLETE": "complete_zsh", "_TYPER_COMPLETE_ARGS": "envforge create demo.yaml --target "}
    done = call(cwd=place, ENVFORGE_ENVS_DIR=str(place / "envs"), **asked)
    assert '_arguments \'*: :(("a100"\n"laptop"))\'\n' == done.stdout
