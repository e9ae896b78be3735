"""Packages of the environment that do not fit each other or the system."""

from __future__ import annotations

import re

from packaging.version import Version

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

LIBRARY_GONE = r"lib(cudnn|cublas|cusparse|cufft|curand|cusolver|nccl|nvJitLink|cupti|cudart)\S*: cannot open"
NO_WHEEL = (
    r"No matching distribution found for torch|satisfies the requirement torch\b|from versions: none"
    r"|not a supported wheel on this platform"
)
NO_NMS = r"torchvision::nms|Couldn't load custom C\+\+ ops|_C\.so: undefined symbol"
NUMPY_TEXT = r"compiled using NumPy 1\.x|_ARRAY_API not found|Numpy is not available"
CUDA_PARTS = re.compile(r"^(cuda-|libcu|cudatoolkit|pytorch-cuda|libnv|cudnn)")


@sign("conda-cuda-virtual-missing")
def solver_sees_no_driver(p: Chart) -> Evidence | None:
    packages = [str(each) for each in p.need("conda_info", "virtual_packages") or ()]
    if any("__cuda" in each for each in packages) or (p.maybe("env") and r.env(p, "CONDA_OVERRIDE_CUDA")):
        return None
    cpu_build = "cpu" in str(p.maybe("env_probe", "conda_meta", "pytorch"))
    if p.maybe("nvml", "init", "code") != 0 and not r.scheduler(p) and not cpu_build:
        return None
    return r.certain(f"virtual packages: {', '.join(packages)}", virtual=", ".join(packages) or "none")


@sign("mixed-cuda-majors-pip")
def one_library_two_majors(p: Chart) -> Evidence | None:
    """Wheels without a suffix live in a folder of their own and may stand beside these."""
    majors: dict[str, set[str]] = {}
    for name in r.packages(p):
        if match := re.fullmatch(r"(nvidia-[a-z-]+)-cu(\d+)", name):
            majors.setdefault(match[1], set()).add(match[2])
    twice = {name: found for name, found in majors.items() if len(found) > 1}
    if not twice:
        return None
    numbers = " and ".join(sorted({number for found in twice.values() for number in found}))
    severity = "advisory" if r.kernel_ran(p) else "blocker" if r.import_failed(p) else None
    lines = [f"{name}-cu{number}" for name, found in twice.items() for number in sorted(found)]
    say = r.certain if r.import_failed(p) else r.likely
    return say(*lines, libraries=", ".join(twice), majors=numbers, severity=severity)


@sign("extension-torch-abi-mismatch")
def extension_lacks_a_symbol(p: Chart) -> Evidence | None:
    rows = p.need("env_probe", "extensions")
    for name, item in rows.items() if isinstance(rows, dict) else ():
        error = str(item.get("error") or "") if isinstance(item, dict) else str(item)
        if re.search(r"undefined symbol: _ZN|libtorch_cuda_c(u|pp)\.so|version `?(GLIBCXX|CXXABI)", error):
            return r.certain(f"{name}: {error}", extension=name)
    return None


@sign("torchvision-torch-mismatch")
def pair_is_wrong(p: Chart) -> Evidence | None:
    torch, vision = r.torch_version(p), r.installed(p, "torchvision")
    if not torch or not vision or torch.is_prerelease:
        return None
    wanted = p.known.facts.companion(Version(torch.base_version), "torchvision")
    minors = {Version(each).release[:2] for each in wanted or ()}
    words = {"torchvision": vision}
    line = p.said(NO_NMS) if p.maybe("env_probe") or p.maybe("app_error") else None
    say = r.certain if line else r.likely
    if minors and vision.release[:2] not in minors:
        return say(f"torch {torch}, torchvision {vision}", line or "", wanted=" or ".join(wanted or ()), **words)
    mixed = torch.local and vision.local and ("cpu" in str(torch.local)) != ("cpu" in str(vision.local))
    return say(f"torch {torch}, torchvision {vision}", line or "", **words) if mixed else None


@sign("numpy2-vs-old-torch")
def numpy_is_too_new(p: Chart) -> Evidence | None:
    numpy = r.installed(p, "numpy")
    if not numpy or numpy.major < 2 or not r.torch_at_most(p, p.known["numpy2_torch"]):
        return None
    line = p.heard(NUMPY_TEXT)
    return (r.certain if line else r.likely)(f"numpy {numpy}, torch {r.torch_version(p)}", line or "", numpy=numpy)


@sign("mkl-2024-1-ijit")
def mkl_without_symbol(p: Chart) -> Evidence | None:
    mkl, torch = r.conda_record(p, "mkl"), r.conda_record(p, "pytorch") or ""
    limits, found = p.known["mkl_ijit"], re.match(r"\d+\.\d+", mkl or "")
    if not found or Version(found[0]) < Version(limits["mkl"]) or "conda-forge" in torch:
        return None
    if not r.torch_at_most(p, limits["torch"]) or not r.import_failed(p):
        return None
    return r.likely(f"mkl {mkl}", f"pytorch {torch}", mkl=found[0])


@sign("openmp-duplicate")
def message_names_files(p: Chart) -> Evidence | None:
    told = p.told(r"Initializing (\S+), but found (\S+) already initialized")
    return r.certain(told[0], files=f"{told[1]} and {told[2]}") if told else None


@sign("libstdcxx-too-old")
def runtime_lacks_symbol(p: Chart) -> Evidence | None:
    told = p.told(r"([^\s:]{0,300}libstdc\+\+\.so\.6): version .?((?:GLIBCXX|CXXABI)_[\d.]+)")
    return r.certain(told[0], library=told[1], symbol=told[2].rstrip(".")) if told else None


@sign("glibc-too-old")
def symbol_of_a_newer_glibc(p: Chart) -> Evidence | None:
    told = p.told(r"version .?(GLIBC_2\.\d+).? not found")
    return r.certain(told[0], symbol=told[1], glibc=r.libc(p)) if told else None


@sign("glibc-too-old")
def below_the_wheels_floor(p: Chart) -> Evidence | None:
    here = r.libc(p)
    refused = p.heard(NO_WHEEL)
    failed = p.maybe("env_probe", "import") not in (None, "ok")
    if here is None or not (refused or failed):
        return None
    newest = p.known["glibc_floors"][0][1]
    torch = r.torch_version(p) if p.maybe("env_probe", "torch") else None
    floors = [row for row in p.known["glibc_floors"] if torch and Version(torch.base_version) >= Version(row[0])]
    floor = floors[0][1] if floors else newest
    if here >= type(here)(floor) or (torch and not floors):
        return None
    return r.likely(refused or "", f"glibc {here}, wanted {floor}", glibc=here, floor=floor)


@sign("conda-channel-mixing")
def parts_of_several_channels(p: Chart) -> Evidence | None:
    rows = p.need("env_probe", "conda_meta")
    found = {
        match[1]: name
        for name, item in (rows.items() if isinstance(rows, dict) else ())
        if (CUDA_PARTS.match(str(name)) or name == "pytorch") and (match := re.search(r"\(([^)]+)\)", str(item)))
    }
    alien = {"conda-forge", "nvidia"} <= set(found) or {"conda-forge", "pytorch"} <= set(found)
    if not alien or not r.import_failed(p) or "undefined symbol: cu" not in r.import_error(p):
        return None
    return r.likely(*(f"{name} from {channel}" for channel, name in found.items()), channels=" and ".join(found))


@sign("torch-installed-twice")
def conda_and_pip(p: Chart) -> Evidence | None:
    record, torch = r.conda_record(p, "pytorch"), r.torch_version(p)
    if not record or not torch or not r.within(r.torch_file(p), str(p.maybe("env_probe", "prefix"))):
        return None
    wheel = r.packages(p).get("torch") if p.maybe("env_probe", "packages") else None
    conda = re.match(r"\d+(\.\d+)*", record)
    given = Version(wheel or str(torch))
    if not conda or given.base_version == Version(conda[0]).base_version:
        return None
    return r.likely(f"conda pytorch {record}", f"wheel torch {given}", conda=conda[0], torch=given)


@sign("torch-install-partial")
def listed_and_not_there(p: Chart) -> Evidence | None:
    missing = [str(each) for each in p.need("env_probe", "missing_files") or ()]
    if not missing or not r.import_failed(p):
        return None
    package = missing[0].split("/")[0]
    return r.certain(*missing[:3], r.import_error(p), count=len(missing), package=package, file=missing[0])


@sign("torch-install-partial")
def library_of_an_installed_package(p: Chart) -> Evidence | None:
    """torch itself cannot find a library of a package that is listed as installed."""
    error = r.import_error(p)
    match = re.search(LIBRARY_GONE, error)
    if not match or not r.torch_cuda(p):
        return None
    owner = next((name for name in r.packages(p) if match[1].lower() in name), None)
    return r.likely(error, f"{owner} is listed as installed") if owner else None


@sign("torch-install-partial")
def core_is_missing(p: Chart) -> Evidence | None:
    inside = "site-packages" in r.torch_file(p)
    return r.likely(r.import_error(p)) if inside and "No module named 'torch._C'" in r.import_error(p) else None


@sign("python-without-wheel")
def python_is_outside(p: Chart) -> Evidence | None:
    line = p.said(NO_WHEEL)
    minor = str(p.maybe("env_probe", "python") or "")
    if not line:
        return None
    musl = p.noted(r"libc|os_release.ID$", like="musl|alpine")
    narrow = p.noted(r"(bits|pointer|machine|arch)$", like="^(32|i[36]86|armv7l)$")
    reason = "on musl" if musl else "with 32 bits" if narrow else "here"
    return r.likely(line, musl or "", narrow or "", python=minor or None, reason=reason)
