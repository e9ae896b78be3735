"""`envforge import`: the spec on stdout or in a file, what is said about it on stderr."""

import pytest

from cli.calling import envelope, envforge
from envforge.spec import parse_spec

ENVIRONMENT = """\
name: vision
channels: [pytorch, nvidia, conda-forge]
dependencies: [python=3.11, pytorch=2.5.1, pytorch-cuda=12.4, "numpy<2", {pip: [-e .]}]
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "environment.yml").write_text(ENVIRONMENT)
    return tmp_path


def test_the_spec_goes_to_stdout_and_remarks_to_stderr(folder):
    done = envforge("import", "environment.yml", cwd=folder)
    spec = parse_spec(done.stdout, "vision.yaml")
    assert (done.returncode, str(spec.torch), str(spec.cuda)) == (0, "==2.5.1", "==12.4.*")
    assert "`cuda: ==12.4.*` from `pytorch-cuda=12.4` (environment.yml:3)" in done.stderr
    assert "install it afterwards" in done.stderr


def test_what_is_imported_can_be_planned(folder):
    envforge("import", "environment.yml", "-o", "vision.yaml", cwd=folder)
    machine = '{driver: "550.54.15", gpus: ["NVIDIA H100 80GB HBM3"], glibc: "2.35"}'
    done = envforge("plan", "vision.yaml", "--machine", machine, "--json", cwd=folder)
    choice = envelope(done)["data"]["choice"]
    assert (choice["torch"], choice["cuda"], choice["source"]) == (
        "2.5.1",
        "12.4",
        "https://conda.anaconda.org/pytorch",
    )


def test_a_file_that_is_there_is_kept_unless_told(folder):
    (folder / "vision.yaml").write_text("mine\n")
    refused = envforge("import", "environment.yml", "-o", "vision.yaml", cwd=folder)
    assert (refused.returncode, (folder / "vision.yaml").read_text()) == (2, "mine\n")
    assert envforge("import", "environment.yml", "-o", "vision.yaml", "-y", cwd=folder).returncode == 0
    assert "torch: ==2.5.1" in (folder / "vision.yaml").read_text()


def test_json_holds_the_spec_and_what_was_left_out(folder):
    data = envelope(envforge("import", "environment.yml", "--json", cwd=folder))["data"]
    assert (data["spec"]["torch"], data["written"]) == ("==2.5.1", None)
    assert data["left_out"][0] == {
        "text": "`-e .` is a local project: install it afterwards",
        "where": "environment.yml:3",
    }


@pytest.mark.parametrize(
    ("name", "text", "where"),
    [
        ("environment.yml", "dependencies: [pytorch=2.1|2.3]\n", "environment.yml:1"),
        ("pixi.toml", "[workspace\n", "pixi.toml:1:11"),
        ("requirements.txt", "-r base.txt\n", "base.txt"),
    ],
)
def test_a_bad_file_is_refused_with_its_place(tmp_path, name, text, where):
    (tmp_path / name).write_text(text)
    done = envforge("import", name, "--json", cwd=tmp_path)
    (error,) = envelope(done)["errors"]
    assert (done.returncode, error["where"]) == (2, [where])
