"""The driver in user space: which libraries, which versions, which mode."""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Dotted, Evidence

MISMATCH, NVML_NONE = 18, 12
MISMATCH_TEXT = "Driver/library version mismatch"
API_MISMATCH = (
    r"API mismatch: the client.{0,60}has the version (?P<client>[\d.]+\d), but"
    r"\s+this kernel module has\s+the version (?P<module>[\d.]+\d)"
)
STUB, TOO_OLD, MPS_DEAD, BUSY = 34, 35, 805, 46
WRONG_PAIR, NO_FORWARD, PTX_TOO_NEW = 803, 804, 222
PACKAGE = re.compile(
    r"^(lib)?nvidia-(driver|dkms|kernel|utils|compute|cfg|gl|decode|common|open|firmware)|^cuda-drivers"
    r"|^(kmod|akmod|xorg-x11-drv)-nvidia|^libnvidia-"
)
VERSION = re.compile(r"\b(\d{3}\.\d{2,3}(?:\.\d{2})?)\b")
BUSY_TEXT = r"CUDA-capable device(s|\(s\))? (is/are|is|are) busy or unavailable"


def in_compat(path: str | None) -> bool:
    return "compat" in (path or "")


def differs(p: Chart) -> tuple[Dotted, Dotted] | None:
    """Give module and library version where they differ; a compat libcuda is another rule's."""
    module = r.loaded_version(p)
    for soname in ("libnvidia-ml.so.1", "libcuda.so.1"):
        if not in_compat(p.maybe("libraries", soname)):
            library = r.library_version(p, soname) if p.maybe("libraries", soname) else None
            if module and library and library != module:
                return module, library
    return None


@sign("driver-library-mismatch")
def two_versions(p: Chart) -> Evidence | None:
    """In a container it is the image's libraries or a host that went on: other rules, or undetermined."""
    if r.is_wsl(p) or r.is_tegra(p) or r.in_container(p):
        return None
    pair = differs(p) if p.maybe("proc_driver_nvidia") else None
    failing = r.nvml_code(p) == MISMATCH or p.maybe("cuda", "cuInit", "code") == WRONG_PAIR
    if pair and failing:
        return r.certain(f"module {pair[0]}", f"libraries {pair[1]}", driver=pair[0], library=pair[1])
    line = p.said(MISMATCH_TEXT) if p.maybe("nvidia_smi") or p.maybe("app_error") else None
    return r.likely(line or "NVML 18") if line or r.nvml_code(p) == MISMATCH else None


@sign("driver-library-mismatch")
def kernel_names_both(p: Chart) -> Evidence | None:
    """The log is of this boot: a program of another version asked the module that runs."""
    if not p.maybe("dmesg") or not r.bare_linux(p) or r.serves(p):
        return None
    told = p.told(API_MISMATCH)
    return r.likely(told[0], driver=told["module"], library=told["client"]) if told else None


@sign("driver-library-mismatch")
def engine_says_so(p: Chart) -> Evidence | None:
    line = p.said(MISMATCH_TEXT, "docker") or p.said(MISMATCH_TEXT, "podman")
    return r.likely(line) if line and not r.in_container(p) else None


@sign("mixed-driver-packages")
def several_versions(p: Chart) -> Evidence | None:
    if r.is_wsl(p):
        return None
    rows = [row for row in p.words("packages") if PACKAGE.search(row)]
    versions = sorted({match[1] for row in rows if (match := VERSION.search(row.split(":", 1)[-1]))})
    if len(versions) < 2:
        return None
    severity = "advisory" if r.serves(p) else None
    return r.likely(*rows[:6], versions=" and ".join(versions), severity=severity)


@sign("mixed-driver-packages")
def module_on_disk_differs(p: Chart) -> Evidence | None:
    """With nothing loaded, module and libraries on disk belong to one installation, or they do not."""
    disk, library = (r.module_on_disk(p) or {}).get("version"), r.library_version(p, "libnvidia-ml.so.1")
    if not r.bare_linux(p) or not disk or not library or str(disk) == str(library) or r.loaded_version(p):
        return None
    return r.possible(f"module {disk} and libraries {library} on disk", versions=f"{disk} and {library}")


@sign("mixed-driver-packages")
def installer_over_packages(p: Chart) -> Evidence | None:
    """The .run installer and packages own the same files."""
    run = p.noted(r"nvidia.uninstall|run_?file|installer_log", like="/|true|yes")
    rows = [row for row in p.words("packages") if PACKAGE.search(row)] if run else []
    failing = p.maybe("nvml", "init", "code") != 0
    return r.likely(run, *rows[:3]) if run and rows and failing and not r.is_wsl(p) else None


@sign("driver-not-installed")
def neither_half(p: Chart) -> Evidence | None:
    disk = r.module_on_disk(p)
    if not r.bare_linux(p) or not r.gpus_on_bus(p) or r.bound(p) or "nvidia" in r.loaded_modules(p):
        return None
    if (disk and (disk.get("version") or disk.get("for_kernels"))) or r.library(p, "libcuda.so.1"):
        return None
    if p.noted("file_present") or p.maybe("modules", "dkms_status"):
        return None
    return r.certain(f"{r.label(r.gpus_on_bus(p)[0])}", "no nvidia.ko, no libcuda", gpu=r.label(r.gpus_on_bus(p)[0]))


@sign("libcuda-compute-package-missing")
def nvml_without_libcuda(p: Chart) -> Evidence | None:
    whole = str(p.maybe("os_release", "ID")) == "nixos"
    if not r.bare_linux(p) or r.nvml_code(p) != 0 or r.library(p, "libcuda.so.1") or whole or p.noted("file_present"):
        return None
    return r.likely("NVML 0", "no libcuda.so.1")


@sign("libcuda-not-on-loader-path")
def file_beside_the_path(p: Chart) -> Evidence | None:
    if r.library(p, "libcuda.so.1") and p.maybe("dlopen", "libcuda.so.1") in (None, "ok"):
        return None
    note = p.noted(r"file_present|on_disk_only|found_files", like=r"libcuda|/")
    line = p.heard(r"libcuda\.so\.1: cannot open shared object")
    nix = str(p.maybe("os_release", "ID")) == "nixos" or "/nix/store" in str(p.maybe("env_probe", "prefix"))
    apart = nix and p.maybe("proc_driver_nvidia") and r.loaded_version(p) and not r.in_container(p)
    if note or (line and nix) or apart:
        return r.likely(note or "", line or "", file=note.split(" = ")[-1] if note else None)
    return None


@sign("nvidia-smi-absent-driver-ok")
def tool_is_missing(p: Chart) -> Evidence | None:
    smi = p.reading("nvidia_smi")
    gone = not smi or "not found" in str(p.maybe("nvidia_smi", "text")).replace("couldn't find", "")
    if not gone or r.cuinit(p) != 0 or r.is_tegra(p) or "No devices" in str(smi):
        return None
    return r.certain("cuInit 0", "no nvidia-smi")


@sign("driver-too-old-for-torch")
def lower_major(p: Chart) -> Evidence | None:
    """A lower minor of the same major is served."""
    driver, torch = r.cuda_driver(p), r.torch_cuda(p)
    if not driver or not torch or driver.major >= torch.major or r.kernel_ran(p):
        return None
    if p.maybe("cuda", "cuInit", "code") == STUB or p.maybe("env_probe", "is_available") is True:
        return None
    system = "win-64" if r.is_windows(p) else "linux-64"
    floor = p.known.facts.driver_floor(torch, system)
    return r.certain(f"driver: CUDA {driver}", f"torch: CUDA {torch}", floor=floor, cuda=driver, torch_cuda=torch)


@sign("ptx-unsupported-toolchain")
def launch_refused(p: Chart) -> Evidence | None:
    line = r.cuda_code(p, PTX_TOO_NEW)
    return r.certain(line) if line else None


@sign("cuda-compat-shadows-newer-driver")
def compat_is_older(p: Chart) -> Evidence | None:
    path, code = r.library(p, "libcuda.so.1"), p.maybe("cuda", "cuInit", "code")
    if not in_compat(path) or code in (0, NO_FORWARD):
        return None
    module, compat = r.loaded_version(p), r.library_version(p, "libcuda.so.1")
    if code == WRONG_PAIR or (module and compat and compat < module):
        return r.certain(f"libcuda.so.1 from {path}", f"kernel module {module}", path=path, module=module)
    return None


@sign("cuda-compat-shadows-newer-driver")
def compat_on_the_search_path(p: Chart) -> Evidence | None:
    if r.cuinit(p) != WRONG_PAIR or r.nvml_code(p) != 0 or p.maybe("libraries"):
        return None
    note = p.noted(r"ld_so_conf_d|env\.LD_LIBRARY_PATH", like="compat")
    return r.likely(note) if note else None


@sign("forward-compat-unsupported-hw")
def compat_refused(p: Chart) -> Evidence | None:
    if r.cuinit(p) != NO_FORWARD:
        return None
    path = p.maybe("libraries", "libcuda.so.1")
    module = r.loaded_version(p) if p.maybe("proc_driver_nvidia") else None
    return r.certain("cuInit 804", f"libcuda.so.1 from {path}" if path else "", path=path, module=module)


@sign("libcuda-stub-loaded")
def stub_path(p: Chart) -> Evidence | None:
    path = p.maybe("libraries", "libcuda.so.1")
    if r.cuinit(p) == STUB or (path and "/stubs/" in str(path)):
        return r.certain(f"cuInit {r.cuinit(p)}", f"libcuda.so.1 from {path}", path=path)
    return None


@sign("libcuda-duplicate-or-32bit")
def several_in_the_cache(p: Chart) -> Evidence | None:
    rows = [row for row in p.words("ldconfig") if "libcuda.so.1" in row and not re.search(r"\(libc6\)", row)]
    versions = {match[1] for row in rows if (match := re.search(r"libcuda\.so\.(\d+\.\d+(?:\.\d+)?)", row))}
    if len(versions) < 2:
        return None
    severity = "advisory" if r.serves(p) else None
    return r.likely(*rows, files=", ".join(sorted(versions)), severity=severity)


@sign("mps-daemon-unreachable")
def no_daemon(p: Chart) -> Evidence | None:
    if r.cuinit(p) != MPS_DEAD:
        return None
    directory = r.env(p, "CUDA_MPS_PIPE_DIRECTORY") if p.maybe("env") is not None else None
    return r.certain("cuInit 805", f"control socket: {p.maybe('mps', 'control_socket')}", directory=directory)


def refused_as_busy(p: Chart) -> str | None:
    """Give the words of a context that was refused: many clusters run in exclusive mode and are well."""
    return r.cuda_code(p, BUSY) or p.said(BUSY_TEXT)


def compute_mode(device: r.Device) -> str:
    """Give the mode as NVML names it; nvidia-smi prints ``Exclusive_Process``."""
    return str(device.get("compute_mode", "")).upper()


@sign("compute-mode-exclusive-busy")
def taken(p: Chart) -> Evidence | None:
    busy = [device for device in r.healthy_devices(p) if compute_mode(device).startswith("EXCLUSIVE")]
    line = refused_as_busy(p) if busy else None
    if not line:
        return None
    held = next((device for device in busy if device.get("processes")), None)
    owner = held["processes"][0] if held else None
    name = f"process {owner.get('pid')}" if isinstance(owner, dict) else "a process"
    gpu = r.name_of(held or busy[0])
    return (r.certain if held else r.likely)(line, f"GPU {gpu}: exclusive, {name}", gpu=gpu, owner=name)


@sign("compute-mode-prohibited")
def forbidden(p: Chart) -> Evidence | None:
    closed = [device for device in r.healthy_devices(p) if compute_mode(device) in ("PROHIBITED", "2")]
    return r.certain(f"GPU {r.name_of(closed[0])}: PROHIBITED", gpu=r.name_of(closed[0])) if closed else None
