"""`init`: a spec to start from."""

from pathlib import Path

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
