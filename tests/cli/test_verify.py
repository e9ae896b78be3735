"""`verify` of interpreters that are there; whole environments are verified in test_create."""

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cli.calling import envelope, envforge


@pytest.fixture
def torchless(tmp_path) -> Path:
    """A real Python without torch."""
    script = tmp_path / "python"
    script.write_text(f'#!/bin/sh\nexec "{sys.executable}" -I -S "$@"\n')
    script.chmod(0o755)
    return script


def test_a_python_without_torch_fails_and_says_so(torchless):
    document = envelope(envforge("verify", "--python", torchless, "--json"))
    assert (1, "fail") == (document["exit"], document["data"]["verdict"])
    assert "torch" in document["data"]["results"][0]["detail"]


def test_a_failure_is_written_for_ci(torchless, tmp_path):
    report, summary = tmp_path / "junit.xml", tmp_path / "summary.md"
    ci = {"GITHUB_ACTIONS": "true", "GITHUB_STEP_SUMMARY": str(summary)}
    done = envforge("verify", "--python", torchless, "--junit", report, **ci)
    assert "::error title=envforge" in done.stderr
    assert int(ElementTree.parse(report).getroot().get("failures")) >= 1
    assert summary.read_text().startswith("### envforge verify: fail")


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("--python", "/no/such/python"),
        ("vision", "--python", sys.executable),
        ("no-such-environment",),
        ("--python", sys.executable, "--checks", "no_such_check"),
    ],
)
def test_what_cannot_be_verified_is_a_usage_error(words, tmp_path):
    done = envforge("verify", *words, HOME=str(tmp_path))
    assert (2, "", 1) == (done.returncode, done.stdout, done.stderr.count("error: "))


def test_an_environments_directory_stands_for_its_python(torchless, tmp_path):
    (tmp_path / "venv" / "bin").mkdir(parents=True)
    (tmp_path / "venv" / "bin" / "python").symlink_to(torchless)
    assert 1 == envforge("verify", "--python", tmp_path / "venv").returncode
    done = envforge("verify", "--python", tmp_path, COLUMNS="300")
    assert (2, True) == (done.returncode, "is a directory without a `bin/python`" in done.stderr)


OLD = "#!/usr/bin/env python3\nprint 'hello'\n"


@pytest.mark.parametrize(
    ("program", "words"),
    [("/bin/true", "exit code 0"), (OLD, "SyntaxError"), ("#!/bin/sh\nexit 64\n", "it is older")],
    ids=["no Python", "a script for Python 2", "an older Python"],
)
def test_what_is_no_python_is_said_without_a_word_of_torch(tmp_path, program, words):
    if program.startswith("#!"):
        (tmp_path / "program").write_text(program)
        (tmp_path / "program").chmod(0o755)
        program = str(tmp_path / "program")
    done = envforge("verify", "--python", program, COLUMNS="300")
    assert (3, True, True) == (done.returncode, done.stdout.startswith("no Python"), words in done.stdout)
    assert "checks skipped: no Python answers" in done.stdout


def test_what_cannot_be_tried_without_torch_is_one_line(torchless):
    page = envforge("verify", "--python", torchless, COLUMNS="80").stdout
    assert 1 == page.count("torch does not import")
    assert "checks skipped: torch does not import (`S_NO_TORCH`)" in page


def test_requirements_may_be_given_with_commas_and_annotations_asked_for(torchless):
    done = envforge("verify", "--python", torchless, "--require", "fp8,compile", "--github", "--json")
    failed = {each["check"] for each in envelope(done)["data"]["results"] if each["outcome"] == "fail"}
    assert {"fp8_matmul", "torch_compile"} < failed
    assert "::error title=envforge%3A fp8_matmul" in done.stderr
