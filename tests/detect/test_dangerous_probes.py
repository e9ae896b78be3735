"""NVML and libcuda that hang, abort and fail, as real libraries that the loader takes; NVML and cuda hold their deadline."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from detect.libraries import ASK, build
from patience import fits

COMPILER = shutil.which("gcc") or shutil.which("cc")
pytestmark = pytest.mark.skipif(COMPILER is None, reason="no C compiler to build stand-ins for NVML and libcuda")


@pytest.fixture(scope="session")
def libraries(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("driver")
    build(folder, ("libnvidia-ml.so.1", "libcuda.so.1"), COMPILER or "cc")
    return folder


@pytest.fixture(scope="session")
def only_cuda(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compute-only")
    build(folder, ("libcuda.so.1",), COMPILER or "cc")
    return folder


def ask(folder: Path, deadline_s: float = 5, patience_s: float = 6, **variables: str) -> dict[str, Any]:
    environ = {name: text for name, text in os.environ.items() if not name.startswith("CUDA_")}
    environ |= {"LD_LIBRARY_PATH": str(folder), **variables}
    command = [sys.executable, "-c", ASK, str(deadline_s), str(patience_s)]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)


def test_two_cards_are_told_with_what_they_can_do(libraries: Path):
    machine = ask(libraries)["machine"]
    assert machine["driver"]["version"] == "550.54.15"
    assert (machine["cuda_version"], [gpu["compute_capability"] for gpu in machine["gpus"]]) == ("12.4", ["8.0", "8.0"])
    assert [(gpu["memory_bytes"], gpu["mig"]) for gpu in machine["gpus"]] == [(80 << 30, False)] * 2


def test_fabric_persistence_and_confidential_computing_are_told(libraries: Path):
    recording = ask(libraries, FAKE_NVML="server")["recording"]
    assert {"feature": "ON", "gpus_ready": False} == recording["conf_compute"]
    card = recording["nvml"]["devices"][0]
    assert ({"state": "IN_PROGRESS", "status": 0}, 0) == (card["fabric"], card["persistence_mode"])


def test_the_library_that_the_loader_took_is_told(libraries: Path):
    assert ask(libraries)["recording"]["libraries"]["libcuda.so.1"] == str(libraries / "libcuda.so.1")


def test_a_hang_is_an_answer_within_the_deadline(libraries: Path):
    told = ask(libraries, 0.5, FAKE_NVML="hang", FAKE_CUDA="hang")
    assert fits(told["took_s"], 2)
    hung = "the probe hung (state S) and was ended at its deadline"
    assert {name: told["recording"]["errors"].get(name) for name in ("nvml", "cuda")} == {"nvml": hung, "cuda": hung}
    assert told["machine"]["cuda_version"] == "12.4"


def test_a_slow_start_is_waited_for(libraries: Path):
    told = ask(libraries, 0.5, FAKE_NVML="slow")
    assert (2, None) == (len(told["recording"]["nvml"]["devices"]), told["recording"].get("errors"))


def test_what_is_slow_for_ever_is_ended_and_not_called_a_hang(libraries: Path):
    told = ask(libraries, 0.5, patience_s=1.5, FAKE_NVML="endless")
    assert fits(told["took_s"], 3)
    assert "still at work (state S) after" in told["recording"]["errors"]["nvml"]


def test_what_came_before_a_hang_is_kept(libraries: Path):
    nvml = ask(libraries, 1, FAKE_NVML="hang-late")["recording"]["nvml"]
    assert (nvml["driver_version"], [row["index"] for row in nvml["devices"]]) == ("550.54.15", [0])


def test_an_abort_is_an_answer_and_prints_nothing(libraries: Path):
    told = ask(libraries, FAKE_NVML="abort")
    assert told["recording"]["errors"] == dict.fromkeys(("nvml", "conf_compute"), "the probe died (SIGABRT)")
    assert [gpu["compute_capability"] for gpu in told["machine"]["gpus"]] == ["8.0"]


def test_a_refusal_is_told_by_its_code(libraries: Path):
    recording = ask(libraries, FAKE_NVML="mismatch", FAKE_CUDA="mismatch")["recording"]
    assert recording["nvml"] == {"init": {"code": 18, "name": "LIB_RM_VERSION_MISMATCH"}}
    assert recording["cuda"]["cuInit"] == {"code": 803, "name": "CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"}


def test_one_lost_card_does_not_hide_the_others(libraries: Path):
    devices = ask(libraries, FAKE_NVML="lost")["recording"]["nvml"]["devices"]
    assert [(row["index"], row.get("cc"), row.get("error")) for row in devices] == [(0, "8.0", None), (1, None, 15)]


def test_a_container_without_nvml_is_told_by_libcuda(only_cuda: Path):
    told = ask(only_cuda)
    assert told["recording"]["nvml"]["init"] == {"code": 12, "name": "LIBRARY_NOT_FOUND"}
    assert (told["machine"]["cuda_version"], [gpu["name"] for gpu in told["machine"]["gpus"]]) == (
        "12.4",
        ["NVIDIA A100-SXM4-80GB"],
    )


def test_a_hidden_card_is_found_by_asking_without_the_variable(only_cuda: Path):
    cuda = ask(only_cuda, CUDA_VISIBLE_DEVICES="")["recording"]["cuda"]
    assert cuda["cuInit"]["code"] == 100
    assert cuda["ab_tests"]["without CUDA_VISIBLE_DEVICES"]["device_count"] == 1
