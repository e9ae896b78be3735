"""`doctor` where a machine is at its worst: masked file systems, hanging drivers, no rights, absurd files."""

import os
import shutil
import subprocess
import sys
import time

import pytest

from cli.calling import envelope, envforge
from detect.libraries import build
from patience import fits, in_time

COMPILER = shutil.which("gcc") or shutil.which("cc")
UNSHARE = shutil.which("unshare")
SETPRIV = shutil.which("setpriv")
DOCTOR = [sys.executable, "-m", "envforge", "doctor", "--json"]
SECONDS = 3.0


def in_namespace(script):
    """Run a shell script with a mount namespace of its own; skip where that is forbidden."""
    if UNSHARE is None or subprocess.run([UNSHARE, "-Urm", "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine forbids namespaces of one's own")
    argv = [UNSHARE, "-Urm", "sh", "-c", f'{script} || exit 77; exec "$@"', "sh", *DOCTOR]
    began = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode == 77:
        pytest.skip(f"nothing may be mounted here: {done.stderr.strip()}")
    return envelope(done), time.monotonic() - began


@pytest.fixture(scope="module")
def hanging(tmp_path_factory):
    """A folder with an NVML and a libcuda that do as ``FAKE_NVML`` and ``FAKE_CUDA`` say."""
    if COMPILER is None:
        pytest.skip("no C compiler to build stand-ins for NVML and libcuda")
    folder = tmp_path_factory.mktemp("driver")
    build(folder, ("libnvidia-ml.so.1", "libcuda.so.1"), COMPILER)
    return folder


def test_this_very_machine_is_told_calmly_and_fast():
    with in_time(SECONDS):
        document = envelope(envforge("doctor", "--json"))
    assert [] == document["data"]["crashed"]


@pytest.mark.parametrize("masked", ["/proc", "/sys"])
def test_a_masked_file_system_makes_nothing_up(masked):
    document, took_s = in_namespace(f"mount -t tmpfs none {masked}")
    faults = [each["id"] for each in document["data"]["findings"] if each["severity"] in {"blocker", "degraded"}]
    assert ([], [], True) == (document["data"]["crashed"], faults, fits(took_s, SECONDS))
    assert [each for each in document["data"]["skipped"] if each["missing"]]


def test_a_namespace_that_looks_like_a_container_is_none_of_a_fault():
    document, took_s = in_namespace("mount -t tmpfs none /run && touch /run/.containerenv")
    assert (True, []) == (fits(took_s, SECONDS), document["data"]["crashed"])
    assert "driver-not-installed" not in {each["id"] for each in document["data"]["findings"]}


@pytest.mark.parametrize(
    ("variables", "named"), [({"FAKE_NVML": "hang"}, "nvml"), ({"FAKE_CUDA": "hang", "FAKE_NVML": ""}, "cuda")]
)
def test_a_driver_that_hangs_is_said_within_three_seconds(hanging, variables, named):
    with in_time(SECONDS):
        document = envelope(envforge("doctor", "--json", LD_LIBRARY_PATH=str(hanging), **variables))
    told = [code for each in document["data"]["undetermined"] for code in each["codes"]]
    found = [line for each in document["data"]["findings"] for line in each["evidence"]]
    assert [line for line in (*told, *found) if named in line and "hung" in line]


def test_a_user_without_rights_gets_the_same_calm(tmp_path):
    if os.getuid() != 0 or SETPRIV is None:
        pytest.skip("only root can become nobody")
    nobody = [SETPRIV, "--reuid=65534", "--regid=65534", "--clear-groups"]
    if subprocess.run([*nobody, sys.executable, "-c", "import envforge"], capture_output=True, check=False).returncode:
        pytest.skip("nobody cannot read this installation")
    environ = {**os.environ, "HOME": str(tmp_path)}
    done = subprocess.run([*nobody, *DOCTOR], capture_output=True, text=True, check=False, env=environ, cwd="/")
    document = envelope(done)
    assert ([], []) == (
        document["data"]["crashed"],
        [each for each in document["data"]["findings"] if each["severity"] == "blocker"],
    )


def test_half_a_gigabyte_of_garbage_is_refused_at_once(tmp_path):
    recording = tmp_path / "garbage.yaml"
    with recording.open("wb") as file:
        file.truncate(512 << 20)
    with in_time(1):
        done = envforge("doctor", "--machine", recording)
    assert (2, "", 1) == (done.returncode, done.stdout, done.stderr.count("error: "))


@pytest.mark.parametrize(
    "text", ["\x00" * 4096, "[" * 100_000, "a: &a [*a, *a]\n", "- 1\n- 2\n", "schema: envforge.machine/1\nnvml: 7\n"]
)
def test_garbage_of_any_kind_is_refused_or_read_without_a_crash(tmp_path, text):
    recording = tmp_path / "garbage.yaml"
    recording.write_text(text)
    done = envforge("doctor", "--machine", recording, "--json")
    document = envelope(done)
    assert document["exit"] in {2, 3} or document["data"]["crashed"] == []


@pytest.mark.parametrize("text", ["schema: envforge.machine/1\n", "snapshot: {}\nsource: nowhere\n"])
def test_an_empty_recording_is_undetermined(tmp_path, text):
    recording = tmp_path / "empty.yaml"
    recording.write_text(text)
    document = envelope(envforge("doctor", "--machine", recording, "--json"))
    data = document["data"]
    assert (3, "undetermined", [], [], []) == (
        document["exit"],
        data["verdict"],
        data["findings"],
        data["crashed"],
        data["undetermined"],
    )
    assert data["skipped"]
