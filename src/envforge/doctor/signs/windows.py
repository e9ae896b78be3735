"""WSL and Windows."""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

BLOCKED = 17
WSL_LIBRARIES = "/usr/lib/wsl"


def build_of(p: Chart) -> int | None:
    """Give the build number of ``10.0.19045 ...``."""
    match = re.search(r"10\.0\.(\d{5})", str(p.maybe("wsl", "windows") or p.maybe("windows", "version") or ""))
    return int(match[1]) if match else None


def dxg(p: Chart) -> bool:
    return "/dev/dxg" in r.nodes(p)


def is_wsl1(p: Chart) -> bool:
    release = str(p.maybe("kernel", "release") or "")
    told = p.maybe("platform", "kind") == "wsl1" or p.maybe("wsl", "version") == 1
    return told or bool(re.match(r"4\.4\.0-\d+-Microsoft", release))


@sign("wsl1-not-wsl2")
def kernel_is_translated(p: Chart) -> Evidence | None:
    p.need("kernel", "release")
    return r.certain(f"kernel {p.maybe('kernel', 'release')}") if is_wsl1(p) else None


@sign("wsl-custom-kernel-no-dxg")
def no_dxg(p: Chart) -> Evidence | None:
    if not r.is_wsl(p) or is_wsl1(p) or r.in_container(p) or p.maybe("container", "runtime") or dxg(p):
        return None
    return r.likely(f"kernel {p.maybe('kernel', 'release')}", "no /dev/dxg")


@sign("wsl-linux-driver-installed")
def packages_inside(p: Chart) -> Evidence | None:
    if not r.is_wsl(p) or is_wsl1(p) or r.in_container(p) or p.maybe("container", "runtime"):
        return None
    packages = [str(each) for each in p.maybe("wsl", "linux_driver_packages") or ()]
    path = p.maybe("libraries", "libcuda.so.1") or p.maybe("libraries", "libnvidia-ml.so.1")
    foreign = path and not str(path).startswith(WSL_LIBRARIES) and re.search(r"\.so\.\d+\.\d+", str(path))
    if not packages and not foreign:
        return None
    mild = "advisory" if packages and not foreign and r.serves(p) else None
    what = ", ".join(packages) or f"libraries of a Linux driver ({path})"
    say = r.certain if packages and foreign else r.likely
    return say(*packages, f"libcuda.so.1 from {path}" if foreign else "", what=what, severity=mild)


@sign("wsl-gpu-blocked-tcc")
def model_is_not_wddm(p: Chart) -> Evidence | None:
    if not r.is_wsl(p) or r.nvml_code(p) != BLOCKED or not dxg(p) or p.maybe("container", "runtime"):
        return None
    model = p.maybe("wsl", "driver_model")
    if model == "WDDM":
        return None
    return (r.certain if model else r.likely)("NVML 17, /dev/dxg is there", f"driver model {model}", model=model)


@sign("wsl-windows-too-old")
def build_is_too_old(p: Chart) -> Evidence | None:
    build, wanted = build_of(p), p.known["windows_build"]
    if not r.is_wsl(p) or is_wsl1(p) or build is None or build >= wanted or r.serves(p):
        return None
    return r.likely(f"Windows build {build}", windows=p.maybe("wsl", "windows"), wanted=wanted)


@sign("wsl-windows-too-old")
def windows_driver_is_too_old(p: Chart) -> Evidence | None:
    found, wanted = re.match(r"\d{3}", str(p.need("wsl", "windows_driver"))), p.known["wsl_driver"]
    if not found or int(found[0]) >= wanted or r.serves(p):
        return None
    return r.likely(f"Windows driver {p.maybe('wsl', 'windows_driver')}, wanted {wanted}")


@sign("wsl-docker-gpu-blocked")
def blocked_in_container(p: Chart) -> Evidence | None:
    inside = r.in_container(p) or bool(p.maybe("container", "runtime"))
    wsl = r.is_wsl(p) or "microsoft" in str(p.maybe("kernel", "release") or "").lower()
    if not inside or not wsl or r.nvml_code(p) != BLOCKED:
        return None
    return r.likely("NVML 17 inside a container", "" if dxg(p) else "no /dev/dxg")


@sign("windows-torch-dll-dependency")
def dll_is_unresolved(p: Chart) -> Evidence | None:
    name = p.need("windows", "unresolved_dll")
    return r.certain(f"unresolved: {name}", r.import_error(p), dll=name) if name and r.import_failed(p) else None


@sign("windows-triton-unavailable")
def compile_fails_on_windows(p: Chart) -> Evidence | None:
    line = p.said(r"Failed to find C compiler|Cannot find a working triton|No module named 'triton'")
    return r.likely(line) if line and r.is_windows(p) else None
