"""Reading a host: real directory trees stand for computers, this one included."""

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from detect.planted import plant
from envforge.detect import SOURCES, assemble, take_readings
from envforge.model import ABSENT, Machine, Reading
from patience import in_time

BANNER = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.86.15  Release Build\nGCC version:  gcc 13.3.0\n"
HOST = {
    "proc/sys/kernel/osrelease": "6.8.0-60-generic\n",
    "proc/cmdline": "quiet splash\n",
    "proc/modules": "nvidia_uvm 4096 0 - Live 0x0\nnvidia 4096 1 nvidia_uvm, Live 0x0 (OE)\next4 4096 1 - Live 0x0\n",
    "proc/devices": "Character devices:\n195 nvidia-frontend\n  1 mem\n",
    "proc/driver/nvidia/version": BANNER,
    "proc/driver/nvidia/params": "ModifyDeviceFiles: 1\n",
    "proc/cpuinfo": "processor: 0\nmodel name\t: Some CPU\nflags\t\t: fpu sse sse2 avx avx2\n",
    "proc/self/mounts": "tmpfs /tmp tmpfs rw,noexec 0 0\n",
    "etc/os-release": 'ID=ubuntu\nVERSION_ID="24.04"\n',
    "etc/modprobe.d/blacklist.conf": "# no\nblacklist nouveau\n",
    "sys/module/nvidia/version": "570.86.15\n",
    "sys/module/nvidia_uvm/parameters/uvm_disable_hmm": "N\n",
    "sys/kernel/security/lockdown": "none [integrity] confidentiality\n",
    "sys/bus/pci/devices/0000:01:00.0/vendor": "0x10de\n",
    "sys/bus/pci/devices/0000:01:00.0/device": "0x2b85\n",
    "sys/bus/pci/devices/0000:01:00.0/class": "0x030000\n",
    "sys/bus/pci/devices/0000:01:00.0/resource": "0x0 0x0 0x0\n0x4000000000 0x47ffffffff 0x14220c\n",
    "sys/bus/pci/devices/0000:01:00.0/power/runtime_status": "active\n",
    "sys/bus/pci/devices/0000:01:00.1/vendor": "0x10de\n",
    "sys/bus/pci/devices/0000:01:00.1/class": "0x040300\n",
    "sys/bus/pci/devices/0000:00:02.0/vendor": "0x8086\n",
    "dev/nvidia0": "",
    "dev/nvidiactl": "",
}


def look(root: Path, environ: dict[str, str] | None = None, only: tuple[str, ...] | None = None) -> dict[str, Reading]:
    return {each.source: each for each in take_readings(environ or {}, only, root=root)}


def machine(root: Path, environ: dict[str, str] | None = None) -> Machine:
    return assemble(take_readings(environ or {}, root=root), "m")


@pytest.fixture
def host(tmp_path: Path) -> Path:
    plant(tmp_path, HOST)
    driver = tmp_path / "sys/bus/pci/drivers/nvidia"
    driver.mkdir(parents=True)
    (tmp_path / "sys/bus/pci/devices/0000:01:00.0/driver").symlink_to(driver)
    with socket.socket(socket.AF_UNIX) as node:
        here = Path.cwd()
        os.chdir(tmp_path / "dev")
        node.bind("nvidia-uvm")
        os.chdir(here)
    return tmp_path


def test_this_host_is_read_in_a_fraction_of_a_second():
    with in_time(2.4):
        readings = take_readings(os.environ)
    assert [each.source for each in readings] == list(SOURCES)


def test_only_what_is_asked_for_is_read():
    assert list(look(Path("/"), only=("kernel", "libraries"))) == ["kernel", "libraries"]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("os_release", {"ID": "ubuntu", "VERSION_ID": "24.04"}),
        ("proc_driver_nvidia", {"version": BANNER.strip()}),
        ("module_params", {"nvidia_uvm.uvm_disable_hmm": "N", "nvidia.ModifyDeviceFiles": "1"}),
        ("modprobe_d", {"blacklist.conf": ["blacklist nouveau"]}),
        ("proc_devices", ["195 nvidia-frontend"]),
        ("modules", {"loaded": ["nvidia_uvm", "nvidia"], "version": "570.86.15"}),
        ("container", None),
        ("tegra", None),
        ("wsl", None),
    ],
)
def test_the_hosts_files_are_read(host: Path, source: str, expected: Any):
    assert look(host, only=(source,))[source] == Reading(source=source, value=expected)


def test_nvidias_displays_on_the_bus_are_read_with_their_driver(host: Path):
    assert look(host)["pci"].value == [
        {
            "bdf": "0000:01:00.0",
            "id": "10de:2b85",
            "class": "0x030000",
            "runtime_status": "active",
            "bar1": 32 << 30,
            "driver": "nvidia",
        }
    ]


def test_opening_a_node_decides_and_tells_its_errno(host: Path):
    nodes = look(host)["dev_nodes"].value
    assert {row["path"]: row["open"] for row in nodes} == {
        "/dev/nvidia-uvm": "ENXIO",
        "/dev/nvidia0": "ok",
        "/dev/nvidiactl": "ok",
    }


def test_a_sleeping_card_is_not_woken(host: Path):
    (host / "sys/bus/pci/drivers/nvidia/0000:01:00.0").symlink_to(host / "sys/bus/pci/devices/0000:01:00.0")
    (host / "sys/bus/pci/devices/0000:01:00.0/power/runtime_status").write_text("suspended\n")
    asleep = {row["path"]: row.get("asleep") for row in look(host)["dev_nodes"].value}
    assert asleep == {"/dev/nvidia-uvm": None, "/dev/nvidia0": True, "/dev/nvidiactl": None}


def test_a_driver_is_known_by_its_module_where_its_libraries_are_not(host: Path):
    found = machine(host)
    assert (str(found.driver.version), found.driver.module, found.platform) == ("570.86.15", "open", "bare-metal")
    assert [gpu.pci_id for gpu in found.gpus or ()] == ["10de:2b85"]


def test_a_module_on_disk_is_read_as_modinfo_does(host: Path):
    tree = host / "lib/modules/6.8.0-60-generic/updates/dkms"
    tree.mkdir(parents=True)
    (tree / "nvidia.ko").write_bytes(b"\x7fELF\0version=570.86.16\0license=Dual MIT/GPL\0signer=me\0vermagic=6.8\0")
    (host / "lib/modules/6.8.0-60-generic/modules.dep").write_text("")
    assert look(host)["modules"].value["on_disk"] == {
        "version": "570.86.16",
        "license": "Dual MIT/GPL",
        "signer": "me",
        "for_kernels": ["6.8.0-60-generic"],
    }


@pytest.mark.parametrize("masked", ["proc", "sys", "dev"])
def test_a_masked_file_system_is_told_from_an_empty_one(tmp_path: Path, masked: str):
    for name in ("proc", "sys", "dev"):
        (tmp_path / name).mkdir()
        if name != masked:
            (tmp_path / name / "something").write_text("")
    sources = {"proc": "kernel", "sys": "pci", "dev": "dev_nodes"}
    reading = look(tmp_path)[sources[masked]]
    assert (reading.value, reading.error) == (None, f"`/{masked}` is empty: it is masked or not mounted")


def test_a_host_without_any_files_raises_nothing(tmp_path: Path):
    found = machine(tmp_path / "nowhere")
    assert (found.driver, found.gpus, found.platform) == (None, None, None)


def test_secure_boot_is_read_from_its_efi_variable(host: Path):
    folder = host / "sys/firmware/efi/efivars"
    folder.mkdir(parents=True)
    (folder / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c").write_bytes(b"\6\0\0\0\1")
    kernel = look(host)["kernel"].value
    assert (kernel["secure_boot"], kernel["lockdown"]) == (True, "integrity")


WSL = {"proc/sys/kernel/osrelease": "6.6.87.2-microsoft-standard-WSL2", "dev/dxg": ""}
JETSON = {
    "proc/sys/kernel/osrelease": "5.15.148-tegra",
    "proc/device-tree/model": "NVIDIA Jetson Orin NX\0",
    "etc/nv_tegra_release": "# R36 (release), REVISION: 4.3, GCID: 38968081, BOARD: generic, EABI: aarch64",
}


@pytest.mark.parametrize(
    ("files", "environ", "platform", "runtime"),
    [
        ({"run/.containerenv": ""}, {}, "container", "podman"),
        ({".dockerenv": ""}, {}, "container", "docker"),
        ({".dockerenv": ""}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "container", "kubernetes"),
        ({}, {"APPTAINER_NAME": "x.sif"}, "container", "apptainer"),
        ({"run/systemd/container": "lxc\n"}, {}, "container", "lxc"),
        ({"proc/1/cgroup": "0::/kubepods/besteffort/pod1\n"}, {}, "container", "kubernetes"),
        ({"sys/class/dmi/id/product_name": "VirtualBox\n"}, {}, "vm", None),
        (WSL, {}, "wsl2", None),
        ({"proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft"}, {}, "wsl1", None),
        (JETSON, {}, "bare-metal", None),
    ],
)
def test_the_kind_of_computer_is_told(
    host: Path, files: dict[str, str], environ: dict[str, str], platform: str, runtime: Any
):
    found = machine(plant(host, files), environ)
    assert (found.platform, found.container) == (platform, runtime)


def test_a_jetson_is_told_by_its_own_files(host: Path):
    tegra = look(plant(host, JETSON))["tegra"].value
    assert tegra == {"nv_tegra_release": "R36 (release), REVISION: 4.3", "model": "NVIDIA Jetson Orin NX"}


def test_linux_drivers_inside_wsl_are_told(host: Path):
    files = WSL | {"var/lib/dpkg/info/libnvidia-compute-535:amd64.list": "", "var/lib/dpkg/info/nvidia-smi.list": ""}
    assert look(plant(host, files))["wsl"].value == {
        "version": 2,
        "dxg": True,
        "linux_driver_packages": ["libnvidia-compute-535"],
    }


def test_only_variables_that_steer_are_read_and_no_secret(tmp_path: Path):
    environ = {
        "CUDA_VISIBLE_DEVICES": "",
        "LD_LIBRARY_PATH": "/usr/local/cuda/lib64",
        "HTTPS_PROXY": "http://alice:hunter2@proxy:8080",
        "NVIDIA_API_KEY": "nvapi-1",
        "CONDA_TOKEN": "x",
        "SHELL": "/bin/sh",
    }
    assert look(tmp_path, environ, ("env",))["env"].value == {
        "CUDA_VISIBLE_DEVICES": "",
        "HTTPS_PROXY": "http://proxy:8080",
        "LD_LIBRARY_PATH": "/usr/local/cuda/lib64",
    }


def test_condas_override_variables_are_honoured(host: Path):
    stated = machine(host, {"CONDA_OVERRIDE_CUDA": "12.4", "CONDA_OVERRIDE_GLIBC": "2.17"})
    nothing = machine(host, {"CONDA_OVERRIDE_CUDA": ""})
    assert (str(stated.cuda_version), str(stated.glibc)) == ("12.4", "2.17")
    assert (nothing.driver, nothing.gpus) == (ABSENT, ())


def test_an_override_that_is_no_version_is_said(tmp_path: Path):
    reading = look(tmp_path, {"CONDA_OVERRIDE_CUDA": "newest"}, ("overrides",))["overrides"]
    assert reading.error == "`CONDA_OVERRIDE_CUDA=newest` is not a version"
