"""What surrounds the driver, read from directory trees; programs asked for real."""

from pathlib import Path
from typing import Any

import pytest

from envforge.detect import MACHINE_SOURCES, assemble, take_readings
from envforge.model import Reading

DPKG = """\
Package: libnvidia-compute-530
Status: install ok installed
Version: 530.41.03-0ubuntu0.22.04.2

Package: nvidia-dkms-530
Status: install ok half-configured
Version: 530.41.03-0ubuntu0.22.04.2

Package: nvidia-driver-470
Status: deinstall ok config-files
Version: 470.1

Package: zlib1g
Status: install ok installed
Version: 1.2
"""
LOG = """\
6,1,1000,-;usb 1-1: new device
4,2,2000,-;NVRM: GPU 0000:01:00.0 is already bound to nouveau.\\x0aNVRM: Unload it.
 SUBSYSTEM=pci
6,3,3000,-;PM: suspend exit
"""
SYSTEMD = "run/systemd/system/x"
FM = "nvidia-fabricmanager.service"
NAMED = b"\x30\x82\x06\x03\x55\x04\x03\x0c\x0bMint Key 01\x30\x06\x03\x55\x04\x03\x13\x05Other"
CASES: dict[str, tuple[dict[str, str], str, Any]] = {
    "SELinux enforces": ({"sys/fs/selinux/enforce": "1"}, "selinux", "Enforcing"),
    "no SELinux": ({"sys/x": ""}, "selinux", None),
    "no systemd": ({"sys/x": ""}, "services", None),
    "packages": (
        {"var/lib/dpkg/status": DPKG},
        "packages",
        {"libnvidia-compute-530": "530.41.03-0ubuntu0.22.04.2", "nvidia-dkms-530": "half-configured"},
    ),
    "interfaces that are up": (
        {"sys/class/net/eth0/operstate": "up", "sys/class/net/eth1/operstate": "down"},
        "net",
        ["eth0"],
    ),
    "suspended twice": ({"sys/power/suspend_stats/success": "2\n"}, "power", {"suspend_count": 2}),
    "prime-select": ({"etc/prime-discrete": "off\n"}, "prime_select", "intel"),
    "a dock": (
        {"sys/bus/thunderbolt/devices/0-1/authorized": "0\n"},
        "thunderbolt",
        {"0-1": {"authorized": "0"}},
    ),
    "switches": ({"proc/driver/nvidia-nvswitch/devices/a": ""}, "nvswitch", {"devices": 1}),
    "runtimes": (
        {"etc/docker/daemon.json": '{"runtimes": {"nvidia": {}}, "default-runtime": "nvidia"}'},
        "docker",
        {"runtimes": ["runc", "nvidia"], "default_runtime": "nvidia"},
    ),
    "the log keeps long sentences whole": (
        {"dev/kmsg": LOG},
        "dmesg",
        ["NVRM: GPU 0000:01:00.0 is already bound to nouveau.\nNVRM: Unload it.", "PM: suspend exit"],
    ),
    "CDI": (
        {"etc/cdi/nvidia.yaml": "cdiVersion: 0.7.0\n"},
        "cdi",
        {"/etc/cdi/nvidia.yaml": {"readable": True, "cdiVersion": "0.7.0"}},
    ),
    "loader directories": (
        {
            "etc/ld.so.conf.d/cuda-compat.conf": "# x\n/usr/local/cuda/compat\n",
            "etc/ld.so.conf.d/libc.conf": "/usr/lib\n",
        },
        "ld_so_conf_d",
        {"cuda-compat.conf": "/usr/local/cuda/compat"},
    ),
}


def plant(root: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def one(root: Path, source: str, environ: dict[str, str] | None = None) -> Reading:
    (reading,) = take_readings(environ or {}, (source,), root=root)
    return reading


@pytest.mark.parametrize("case", CASES)
def test_what_surrounds_the_driver_is_read(tmp_path: Path, case: str):
    files, source, expected = CASES[case]
    assert one(plant(tmp_path, files), source) == Reading(source=source, value=expected)


def test_services_are_told_by_their_control_groups(tmp_path: Path):
    files = {SYSTEMD: "", f"sys/fs/cgroup/system.slice/{FM}/x": "", "etc/systemd/system/nvidia-imex.service": ""}
    services = one(plant(tmp_path, files), "services").value
    assert [services[name] for name in ("nvidia-fabricmanager", "nvidia-imex", "nvidia-persistenced")] == [
        "active",
        "inactive",
        "not-found",
    ]


def test_dkms_is_read_from_its_own_tree(tmp_path: Path):
    files = {
        "proc/modules": "",
        "var/lib/dkms/nvidia/470.256.02/build/make.log": "Error! Bad return status\n",
        "var/lib/dkms/nvidia/550.90.07/6.8.0/x86_64/module/nvidia.ko": "",
    }
    modules = one(plant(tmp_path, files), "modules").value
    assert modules["dkms_status"] == ["nvidia/470.256.02: added", "nvidia/550.90.07, 6.8.0, x86_64: installed"]
    assert modules["dkms_log_tail"] == "Error! Bad return status"


def test_enrolled_keys_are_read_by_name(tmp_path: Path):
    plant(tmp_path, {"proc/modules": ""})
    path = tmp_path / "sys/firmware/efi/efivars/MokListRT-605dab50-e046-4300-abb6-3dd810dd8b23"
    path.parent.mkdir(parents=True)
    path.write_bytes(NAMED)
    assert one(tmp_path, "modules").value["mok_enrolled"] == ["Mint Key 01", "Other"]


def test_gsp_firmware_is_looked_for_only_where_the_kernels_files_are(tmp_path: Path):
    plant(tmp_path, {"sys/module/nvidia/version": "570.86.15", "proc/sys/kernel/osrelease": "6.8.0"})
    assert one(tmp_path, "firmware").value is None
    plant(tmp_path, {"lib/modules/6.8.0/x": "", "lib/firmware/nvidia/570.86.15/gsp_tu10x.bin": ""})
    assert one(tmp_path, "firmware").value == {
        "/lib/firmware/nvidia/570.86.15/gsp_tu10x.bin": "present",
        "/lib/firmware/nvidia/570.86.15/gsp_ga10x.bin": "absent",
    }


@pytest.mark.parametrize(
    ("source", "files", "error"),
    [
        ("packages", {}, "there is no dpkg here; other package databases are not read"),
        (
            "docker",
            {"etc/docker/daemon.json": "{"},
            "Expecting property name enclosed in double quotes: line 1 column 2 (char 1)",
        ),
    ],
)
def test_what_cannot_be_read_says_why(tmp_path: Path, source: str, files: dict[str, str], error: str):
    assert one(plant(tmp_path, files), source) == Reading(source=source, error=error)


def program(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("echo GPU 0", {"exit": 0}),
        ("echo NVIDIA-SMI has failed; exit 9", {"exit": 9, "text": "NVIDIA-SMI has failed"}),
    ],
)
def test_nvidia_smi_is_asked_how_it_ends(tmp_path: Path, script: str, expected: dict[str, Any]):
    program(tmp_path, "nvidia-smi", script)
    assert one(Path("/"), "nvidia_smi", {"PATH": f"{tmp_path}:/usr/bin:/bin"}).value == expected


def test_compilers_are_asked_for_their_versions(tmp_path: Path):
    nvcc = program(tmp_path, "nvcc", "echo Cuda compilation tools, release 12.8, V12.8.93")
    program(tmp_path, "gcc", "echo 13.3.0")
    toolchain = one(Path("/"), "toolchain", {"PATH": f"{tmp_path}:/bin"}).value
    assert (toolchain["nvcc"], toolchain["gcc"]) == ({"path": str(nvcc), "version": "12.8.93"}, "13.3.0")


def test_the_sources_of_a_machine_suffice_to_assemble_it():
    whole, part = (assemble(take_readings({}, only), "m") for only in (None, MACHINE_SOURCES))
    names = [name for name in whole.__slots__ if name != "readings"]
    assert [getattr(whole, name) for name in names] == [getattr(part, name) for name in names]
