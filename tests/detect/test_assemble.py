"""Readings -> Machine: recorded machines, precedence, overrides, and the laws of not knowing."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envforge.detect import SOURCES, assemble, read_machine
from envforge.facts import load_facts
from envforge.model import ABSENT, Driver, Machine, Reading

RECORDINGS = sorted((Path(__file__).parents[1] / "machines/recordings").glob("*.yaml"))
FACTS = load_facts()
ALL = tuple(reading for path in RECORDINGS for reading in read_machine(path.read_text(), str(path), FACTS).readings)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(
    [
        "kind",
        "arch",
        "ID",
        "VERSION_ID",
        "release",
        "version",
        "loaded",
        "on_disk",
        "license",
        "init",
        "code",
        "devices",
        "index",
        "name",
        "cc",
        "memory_mib",
        "mig",
        "current",
        "driver_version",
        "cuda_version",
        "driver_cuda",
        "cuInit",
        "device_count",
        "path",
        "runtime",
        "class",
        "id",
    ]
)
TREES = st.recursive(
    JSON, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=8
)

# subdir, driver, module, CUDA, capabilities (- not known), glibc, platform, container, tegra
EXPECTED = {
    "card-refused-by-driver": "linux-64 570.144 proprietary 12.8 [-] None bare-metal None False",
    "container-without-gpu": "linux-64 550.90.07 proprietary None [] 2.36 container docker False",
    "container-without-nvml": "linux-64 550.90.07 proprietary 12.4 [8.0] 2.35 container docker False",
    "dgx-spark": "linux-aarch64 580.95.05 open 13.0 [12.1] None bare-metal None False",
    "eight-h100": "linux-64 545.23.08 proprietary 12.3 [9.0,9.0,9.0,9.0,9.0,9.0,9.0,9.0] None bare-metal None False",
    "everything-masked": "linux-64 None - None None 2.36 None None None",
    "jetson-agx-orin": "linux-aarch64 None - None None None bare-metal None True",
    "jetson-orin-jp6": "linux-aarch64 540.4.0 open 12.6 [8.7] 2.35 bare-metal None True",
    "laptop-gpu-asleep": "linux-64 595.58.03 open 13.2 [12.0] None bare-metal None False",
    "library-newer-than-module": "linux-64 460.56 proprietary None [-] None bare-metal None False",
    "login-node": "linux-64 absent - absent [] 2.28 bare-metal None False",
    "login-node-overridden": "linux-64 None - 12.4 [8.0] 2.28 bare-metal None False",
    "lxd-without-devices": "linux-64 390.48 proprietary 9.1 [] None container None False",
    "mig-without-instances": "linux-64 535.154.05 proprietary 12.2 [8.0] None bare-metal None False",
    "nouveau-has-the-card": "linux-64 None - None [-] None bare-metal None False",
    "nvml-hung": "linux-64 550.54.15 proprietary None [-] 2.35 bare-metal None False",
    "one-of-four-lost": "linux-64 520.61.05 proprietary 11.8 [7.5,7.5,7.5,7.5] None bare-metal None False",
    "pod-lost-its-gpus": "linux-64 570.133.20 open None None None container containerd/k8s False",
    "slurm-job-without-gpu": "linux-64 525.85.12 proprietary None [-] None bare-metal None False",
    "windows-rtx3080": "win-64 591.74 None 13.1 [8.6] absent bare-metal None False",
    "workstation-two-gpus": "linux-64 575.57.08 open 12.9 [8.9,8.6] 2.39 bare-metal None False",
    "wsl2-gpu-blocked": "linux-64 None - None None None wsl2 None False",
    "wsl2-rtx3080": "linux-64 516.40 None 11.7 [8.6] None wsl2 None False",
}


def summary(machine: Machine) -> str:
    driver = machine.driver
    known = driver if isinstance(driver, Driver) else None
    gpus = None if machine.gpus is None else f"[{','.join(str(gpu.compute_capability or '-') for gpu in machine.gpus)}]"
    words = (
        *(machine.subdir, known.version if known else driver, known.module if known else "-", machine.cuda_version),
        *(gpus, machine.glibc, machine.platform, machine.container, machine.tegra),
    )
    return " ".join("absent" if word is ABSENT else str(word) for word in words)


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.stem)
def test_a_recorded_machine_is_what_it_was(path: Path):
    assert EXPECTED[path.stem] == summary(read_machine(path.read_text(), str(path), FACTS))


def machine(**values: Any) -> Machine:
    return assemble([Reading(source=source, value=item) for source, item in values.items()], "m")


def test_no_readings_make_a_machine_that_knows_nothing():
    assert assemble((), "m") == Machine(name="m")


def test_nvml_is_believed_before_the_modules_own_file():
    banner = {"version": "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03"}
    found = machine(nvml={"driver_version": "550.54.15"}, proc_driver_nvidia=banner)
    assert str(found.driver.version) == "550.54.15"


def test_what_libcuda_speaks_is_known_without_the_drivers_version():
    found = machine(cuda={"driver_cuda": "12.4", "cuInit": {"code": 0}})
    assert (found.driver, str(found.cuda_version)) == (None, "12.4")


def test_a_card_that_cuda_visible_devices_hides_is_still_there():
    bare = {"cuInit": {"code": 0}, "devices": [{"index": 0, "name": "Tesla T4", "cc": "7.5"}]}
    found = machine(cuda={"cuInit": {"code": 100}, "ab_tests": {"without CUDA_VISIBLE_DEVICES": bare}})
    assert [gpu.name for gpu in found.gpus or ()] == ["Tesla T4"]


def test_an_override_stands_in_for_what_was_found():
    nvml = {"driver_version": "580.65.06", "cuda_version": "13.0", "init": {"code": 0}, "devices": []}
    overrides = {"CONDA_OVERRIDE_CUDA": "12.4", "CONDA_OVERRIDE_GLIBC": "2.17"}
    found = machine(nvml=nvml, platform={"glibc": "2.39"}, overrides=overrides)
    assert (str(found.cuda_version), str(found.glibc)) == ("12.4", "2.17")


def test_an_empty_override_states_that_there_is_none():
    nvml = {"driver_version": "580.65.06", "devices": [{"index": 0, "cc": "9.0"}]}
    overrides = {"CONDA_OVERRIDE_CUDA": "", "CONDA_OVERRIDE_GLIBC": ""}
    found = machine(nvml=nvml, platform={"glibc": "2.39"}, overrides=overrides)
    assert (found.driver, found.cuda_version, found.gpus, found.glibc) == (ABSENT, ABSENT, (), ABSENT)


def test_a_bus_that_could_not_be_read_is_not_an_empty_bus():
    masked = [Reading(source="pci", error="masked"), Reading(source="platform", value={"kind": "bare-metal"})]
    assert assemble(masked, "m").gpus is None


@pytest.mark.law
@given(st.lists(st.sampled_from(ALL), max_size=12))
def test_any_readings_assemble(readings: list[Reading]):
    assert assemble(readings, "m").readings == tuple(readings)


@pytest.mark.law
@given(
    st.lists(st.builds(Reading, source=st.sampled_from(SOURCES), value=TREES, error=st.none() | st.text(max_size=4)))
)
def test_readings_of_any_shape_assemble(readings: list[Reading]):
    assemble(readings, "m")


@pytest.mark.law
@given(st.sampled_from(RECORDINGS), st.data())
def test_knowing_less_never_invents(path: Path, data: st.DataObject):
    whole = read_machine(path.read_text(), str(path), FACTS)
    part = assemble(data.draw(st.lists(st.sampled_from(whole.readings), unique_by=lambda each: each.source)), "m")
    driver = part.driver
    assert not isinstance(driver, Driver) or (
        isinstance(whole.driver, Driver) and driver.version == whole.driver.version
    )
