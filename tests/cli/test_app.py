"""What holds for every command: help, usage errors, the envelope, colours, bugs."""

import io
import os
import re
import shlex
import subprocess
import sys

import pytest

import envforge
from cli.calling import envelope
from cli.calling import envforge as call
from envforge.cli.app import COMMANDS, app, click_command, load
from envforge.cli.bug import bug_report, redact
from envforge.cli.common import Talk, guarded
from envforge.errors import DiskFailed


def test_version_is_said():
    done = call("--version")
    assert (0, f"envforge {envforge.__version__}\n") == (done.returncode, done.stdout)


def test_bare_envforge_shows_the_help_and_exits_2():
    done = call()
    assert (2, "") == (done.returncode, done.stdout)
    assert "Commands:" in done.stderr


def test_help_lists_every_command_with_a_sentence():
    lines = call("--help", COLUMNS="120").stdout.splitlines()
    listed = {match[1]: match[2] for line in lines if (match := re.fullmatch(r"  ([a-z]+(?: [a-z]+)?)  +(\S.*)", line))}
    assert set(COMMANDS) <= set(listed)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_shows_examples_and_no_markup(name):
    command = click_command(name)
    text = command.get_help(command.make_context(name, [], resilient_parsing=True))
    assert "Examples:" in text
    assert "[bold]" not in text


@pytest.mark.parametrize("name", COMMANDS)
def test_help_fits_into_80_columns_and_breaks_no_variable(name):
    done = call(*name.split(), "--help", COLUMNS="80")
    lines = [line for line in done.stdout.splitlines() if not line.strip().startswith("envforge ")]
    assert [] == [line for line in lines if len(line) > 80]
    assert [] == re.findall(r"\[env var:\s*\n|ENVFORGE_\w*\n\s*\w+[;\]]", done.stdout)


def test_help_is_plain_text_on_stdout():
    done = call("plan", "--help")
    assert (0, "") == (done.returncode, done.stderr)
    assert "Examples:" in done.stdout
    assert "\x1b" not in done.stdout


@pytest.mark.parametrize("name", COMMANDS)
def test_every_example_is_a_command_line_that_parses(name):
    examples = re.findall(r"^ +envforge (.*)$", load(name).__doc__.partition("Examples:")[2], re.MULTILINE)
    assert examples
    for words in map(shlex.split, examples):
        said = words[: next((at for at, word in enumerate(words) if word in {">", "|"}), None)]
        assert said[0] == name.split()[0]
        pair = " ".join(said[:2])
        meant = pair if pair in COMMANDS else said[0]
        click_command(meant).make_context(meant, said[len(meant.split()) :])


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_has_its_variable(name):
    flags = [each for each in click_command(name).params if each.param_type_name == "option" and each.name != "help"]
    assert [] == [each.name for each in flags if not str(each.envvar or "").startswith("ENVFORGE_")]


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (("schemas",), "no such command `schemas`", "did you mean `schema`?"),
        (("schema", "--jsn"), "no such option `--jsn`", "did you mean `--json`?"),
        (("--quiet", "schema"), "no such option `--quiet`", "write it after the command: `envforge COMMAND --quiet`"),
        (("schema", "extra"), "unexpected words: `extra`", "`envforge schema --help` shows what it takes"),
        (
            ("schema", "--color", "alwys"),
            "invalid value for `--color`: `alwys` is not one of `auto`, `always`, `never`",
            "did you mean `always`?",
        ),
        (
            ("matrix", "a.yaml", "--format", "yaml"),
            "invalid value for `--format`: `yaml` is not one of `table`, `github`, `gitlab`, `key`",
            "`envforge matrix --help` shows what it takes",
        ),
    ],
)
def test_a_usage_error_is_one_sentence_with_a_hint(words, message, hint):
    done = call(*words, COLUMNS="200")
    assert (2, "") == (done.returncode, done.stdout)
    assert f"error: {message}" == done.stderr.splitlines()[0]
    assert f"hint: {hint}" in done.stderr.splitlines()


@pytest.mark.parametrize("words", [("--json",), ("shema", "--json"), ("schema", "--json", "--wat"), ("plan", "--json")])
def test_a_usage_error_is_an_envelope_with_json(words):
    done = call(*words)
    assert ("usage", 2, "") == (envelope(done)["errors"][0]["code"], done.returncode, done.stderr)


def test_the_variable_asks_for_json_too():
    assert "usage" == envelope(call("shema", ENVFORGE_JSON="1"))["errors"][0]["code"]


def test_the_schema_comes_bare_or_in_the_envelope():
    bare = call("schema").stdout
    assert bare.startswith("{\n")
    assert envelope(call("schema", "--json"))["data"]["type"] == "object"


def test_a_reader_that_leaves_early_is_no_error():
    command = f"{shlex.quote(sys.executable)} -m envforge schema | head -1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False)
    assert (0, "{\n", "") == (done.returncode, done.stdout, done.stderr)


def test_an_error_of_ours_gives_its_exit_code(capsys):
    def work():
        raise DiskFailed("no space left", ("/data",), ("free 2 GB",))

    assert 5 == guarded(Talk(command="create"), work)
    assert "error: no space left\n  /data\n\nhint: free 2 GB\n" == capsys.readouterr().err


def test_ctrl_c_exits_130_in_an_envelope(capsys):
    def work():
        raise KeyboardInterrupt

    assert 130 == guarded(Talk(command="create", json=True), work)
    assert '"interrupted"' in capsys.readouterr().out


def test_a_bug_leaves_a_report_that_names_no_secrets(tmp_path):
    code = (
        "from envforge.cli.common import Talk, guarded\n"
        "def work(): raise RuntimeError('https://me:hunter2@example.org/t/abc-token/x')\n"
        "raise SystemExit(guarded(Talk(command='plan'), work))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "XDG_STATE_HOME": str(tmp_path)},
    )
    reports = list(tmp_path.glob("envforge/bug-*.txt"))
    assert (70, 1) == (done.returncode, len(reports))
    assert str(reports[0]) in done.stderr
    assert "Traceback" in reports[0].read_text()
    assert "hunter2" not in reports[0].read_text() + done.stderr


def test_a_bug_report_carries_versions_and_the_command():
    report = bug_report(ValueError("no"), ["plan", "vision.yaml"])
    assert f"envforge {envforge.__version__}" in report
    assert "command: envforge plan vision.yaml" in report
    assert re.search(r"py-rattler \d", report)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://user:pass@host/simple", "https://***@host/simple"),
        ("--api-key abc123", "--api-key ***"),
        ("HF_TOKEN=hf_abc", "HF_TOKEN=***"),
        ("https://conda.example/t/tk-123/channel", "https://conda.example/t/***/channel"),
        ("a token ring", "a token ***"),
    ],
)
def test_secrets_are_taken_out(text, expected):
    assert expected == redact(text)


def test_completion_is_offered():
    assert "--install-completion" in call("--help").stdout
    assert app.registered_callback is not None


def test_an_error_is_annotated_on_github(tmp_path):
    (tmp_path / "vision.yaml").write_text("name: vision\npyton: '3.12'\n")
    done = call("plan", "vision.yaml", cwd=tmp_path, GITHUB_ACTIONS="true")
    assert [line for line in done.stderr.splitlines() if line.startswith("::error file=vision.yaml,line=2,")]


def test_progress_is_silent_on_request():
    stream = io.StringIO()
    with Talk(command="create", progress=False).watching() as emit:
        emit(None)
    assert "" == stream.getvalue()
