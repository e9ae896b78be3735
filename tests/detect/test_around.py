"""What surrounds the driver, read from directory trees; programs asked for real."""

import gzip
import lzma
from pathlib import Path
from typing import Any

import pytest

from detect.planted import plant
from envforge.detect import MACHINE_SOURCES, assemble, take_readings
from envforge.detect.modinfo import read_module
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
    "packages of pacman": (
        {
            "var/lib/pacman/local/nvidia-utils-580.95.05-1/desc": "",
            "var/lib/pacman/local/lib32-nvidia-utils-1:575.64-2/desc": "",
        },
        "packages",
        {"nvidia-utils": "580.95.05-1", "lib32-nvidia-utils": "1:575.64-2"},
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
        ("packages", {}, "no list of packages can be read here: neither dpkg's nor pacman's, and rpm did not answer"),
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


RPM = """\
nvidia-driver 580.95.05-1.fc43
kmod-nvidia-6.17.8-300.fc43.x86_64 575.64.05-1.fc43
nvidia-persistenced 575.57.08-1.fc43
glibc 2.42-4.fc43
"""
JOURNAL = """\
{"MESSAGE": "NVRM: The NVIDIA GPU 0000:01:00.0\\nNVRM: installed in this system"}
{"MESSAGE": [1, 2]}
{"MESSAGE": "usb 1-1: new device"}
not json
"""


def told_by(tmp_path: Path, name: str, text: str, source: str, files: dict[str, str]) -> Reading:
    """Read a source where a program of this name prints this text."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "said").write_text(text)
    program(tmp_path / "bin", name, f"cat {tmp_path}/said")
    return one(plant(tmp_path / "host", files), source, {"PATH": f"{tmp_path}/bin:/usr/bin:/bin"})


def test_rpm_is_asked_where_it_keeps_the_packages(tmp_path: Path):
    reading = told_by(tmp_path, "rpm", RPM, "packages", {"var/lib/rpm/rpmdb.sqlite": ""})
    assert (None, {"nvidia-driver": "580.95.05-1.fc43", "nvidia-persistenced": "575.57.08-1.fc43"}) == (
        reading.error,
        reading.value,
    )


def test_the_journal_tells_where_the_log_is_closed(tmp_path: Path):
    files = {"var/log/journal/x/system.journal": "", "dev/x": ""}
    (tmp_path / "host/dev/kmsg").mkdir(parents=True)
    reading = told_by(tmp_path, "journalctl", JOURNAL, "dmesg", files)
    assert ["NVRM: The NVIDIA GPU 0000:01:00.0\nNVRM: installed in this system"] == reading.value


def test_modinfo_is_asked_of_a_compressed_module(tmp_path: Path):
    files = {
        "proc/modules": "",
        "proc/sys/kernel/osrelease": "6.8.0",
        "lib/modules/6.8.0/modules.dep": "",
        "lib/modules/6.8.0/updates/dkms/nvidia.ko.zst": "packed",
    }
    said = "filename: x\nversion:        580.95.05\nlicense:        NVIDIA\nsigner:         me\nsupported: external\n"
    on_disk = told_by(tmp_path, "modinfo", said, "modules", files).value["on_disk"]
    assert {"version": "580.95.05", "license": "NVIDIA", "signer": "me", "for_kernels": ["6.8.0"]} == on_disk


@pytest.mark.parametrize("pack", [lzma.compress, gzip.compress], ids=["xz", "gz"])
def test_a_packed_module_is_read_without_modinfo(tmp_path: Path, pack: Any):
    file = tmp_path / f"nvidia.ko.{'xz' if pack is lzma.compress else 'gz'}"
    file.write_bytes(pack(b"\x7fELF\0version=580.95.05\0license=NVIDIA\0"))
    assert {"version": "580.95.05", "license": "NVIDIA"} == read_module(file)


def test_a_module_that_is_damaged_tells_nothing(tmp_path: Path):
    (tmp_path / "nvidia.ko.xz").write_bytes(b"\xfd7zXZ\0 broken")
    assert {} == read_module(tmp_path / "nvidia.ko.xz")


def hang(root: Path, name: str, place: str, numa: str = "-1") -> None:
    """Put a card into a tree of bridges, as sysfs does: the bus lists a link to where it hangs."""
    folder = root / "sys/devices" / place / name
    folder.mkdir(parents=True)
    for file, text in {"vendor": "0x10de", "class": "0x030000", "numa_node": numa}.items():
        (folder / file).write_text(text)
    bus = root / "sys/bus/pci/devices"
    bus.mkdir(parents=True, exist_ok=True)
    (bus / name).symlink_to(folder)


def test_what_cards_share_is_told_in_the_words_of_topo(tmp_path: Path):
    for name, place in {
        "0000:03:00.0": "pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:00.0",
        "0000:04:00.0": "pci0000:00/0000:00:01.0/0000:01:00.0/0000:02:01.0",
        "0000:0b:00.0": "pci0000:00/0000:00:03.1",
        "0000:81:00.0": "pci0000:80/0000:80:01.1",
    }.items():
        hang(tmp_path, name, place)
    (tmp_path / "sys/kernel/iommu_groups/0").mkdir(parents=True)
    found = one(tmp_path, "pcie").value
    assert (True, ["PIX", "PHB", "SYS", "PHB", "SYS", "SYS"]) == (found["iommu_groups"], list(found["topo"].values()))


def test_cards_on_one_socket_are_a_node_apart(tmp_path: Path):
    for number in ("00", "40"):
        hang(tmp_path, f"0000:{number[0]}1:00.0", f"pci0000:{number}/0000:{number}:01.1", numa="0")
    assert ["NODE"] == list(one(tmp_path, "pcie").value["topo"].values())


def test_a_link_is_told_with_what_it_could_be(tmp_path: Path):
    hang(tmp_path, "0000:01:00.0", "pci0000:00/0000:00:01.0")
    folder = tmp_path / "sys/bus/pci/devices/0000:01:00.0"
    for name, text in {
        "current_link_speed": "2.5 GT/s PCIe",
        "max_link_speed": "16.0 GT/s PCIe",
        "current_link_width": "8",
    }.items():
        (folder / name).write_text(text)
    (row,) = one(tmp_path, "pci").value
    assert {"current_speed": "2.5 GT/s PCIe", "current_width": "8", "max_speed": "16.0 GT/s PCIe"} == row["link"]
