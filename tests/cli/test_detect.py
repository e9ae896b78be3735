"""`detect` on the real host, its recordings, and files of machines."""

from pathlib import Path

from cli.calling import envelope, envforge

ROOT = Path(__file__).parents[2]


def test_the_real_host_is_told_with_its_pythons():
    machine = envelope(envforge("detect", "--json"))["data"]["machine"]
    assert {"driver", "cuda_version", "gpus", "glibc", "subdir", "container"} <= set(machine)
    assert machine["interpreters"]
    assert isinstance(machine["gpus"], list | None)


def test_what_the_user_states_is_said_to_be_honoured():
    stated = {"CONDA_OVERRIDE_CUDA": "12.4", "CONDA_OVERRIDE_GLIBC": "2.17"}
    assert "  stated       `CONDA_OVERRIDE_CUDA=12.4`, in the place of" in envforge("detect", **stated).stdout
    machine = envelope(envforge("detect", "--json", **stated))["data"]["machine"]
    assert (stated, "12.4", "2.17") == (machine["stated"], machine["cuda_version"], machine["glibc"])


def test_a_recording_replays_as_the_same_machine(tmp_path):
    file = tmp_path / "me.yaml"
    here = envelope(envforge("detect", "--record", file, "--json"))["data"]["machine"]
    again = envelope(envforge("detect", "--machine", file, "--json"))["data"]["machine"]
    told = ("driver", "cuda_version", "gpus", "glibc", "subdir", "container", "os")
    assert {key: here[key] for key in told} == {key: again[key] for key in told}


def test_a_recording_goes_to_stdout_alone():
    done = envforge("detect", "--record", "-")
    assert done.stdout.startswith("schema: envforge.machine/1\n")


def test_a_recording_that_cannot_be_written_exits_5(tmp_path):
    done = envforge("detect", "--record", tmp_path / "no" / "such" / "folder.yaml")
    assert (5, 1) == (done.returncode, done.stderr.count("error: the recording cannot be written"))


def test_a_profile_is_shown_as_the_machine_it_means():
    done = envforge("detect", "--machine", ROOT / "tests/machines/profiles/h100-550.54.yaml")
    assert "  driver       550.54.15\n" in done.stdout
    assert "NVIDIA H100 80GB HBM3, 80 GiB, compute capability 9.0" in done.stdout


def test_a_machine_with_a_card_that_nobody_knows_is_refused(tmp_path):
    done = envforge("detect", "--machine", '{driver: "550", gpus: ["NVIDIA Potato"]}')
    assert (2, 1) == (done.returncode, done.stderr.count("error: no fact knows a GPU `NVIDIA Potato`"))
