"""The environment: which torch is imported, what it was built for, what the loader gave it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from packaging.version import InvalidVersion, Version

from envforge.doctor.chart import Chart, Missing
from envforge.model import Dotted


def probe(p: Chart) -> dict[str, Any]:
    found = p.reading("env_probe")
    if not isinstance(found, Mapping):
        raise Missing("env_probe")
    return dict(found)


def torch_version(p: Chart) -> Version | None:
    """Give torch's version; None when no torch is there."""
    return _version(p.need("env_probe", "torch", "version")) if p.need("env_probe", "torch") else None


def torch_at_most(p: Chart, limit: str) -> bool:
    """Tell whether torch is older than a release."""
    version = torch_version(p)
    return version is not None and Version(version.base_version) < Version(limit)


def torch_cuda(p: Chart) -> Dotted | None:
    """Give the CUDA that torch was built for; None for a build without it."""
    found = p.need("env_probe", "torch", "cuda") if p.need("env_probe", "torch") else None
    match = re.match(r"\d+\.\d+", str(found or ""))
    return Dotted(match[0]) if match else None


def cpu_only(p: Chart) -> bool:
    """Tell whether torch is known to be a build without CUDA, which needs no GPU."""
    label = str(p.maybe("env_probe", "torch", "version")).partition("+")[2]
    built = p.maybe("env_probe", "torch", "cuda", default="" if label.startswith("cpu") else "unread")
    return bool(p.maybe("env_probe", "torch")) and not built


def torch_file(p: Chart) -> str:
    return _slashed(p.need("env_probe", "torch", "file"))


def within(path: str, prefix: str) -> bool:
    return _slashed(path).startswith(_slashed(prefix).rstrip("/") + "/")


def _slashed(item: Any) -> str:
    return str(item or "").replace("\\", "/")


def arch_flags(p: Chart) -> list[str]:
    """Give the build's arch flags; raises Missing when they were not read or are not known."""
    found = p.words("env_probe", "torch", "arch_list")
    if not found:
        raise Missing("env_probe.torch.arch_list")
    return found


def import_failed(p: Chart) -> bool:
    return str(p.need("env_probe", "import")) != "ok"


def import_error(p: Chart) -> str:
    return str(p.need("env_probe", "error") or "") if import_failed(p) else ""


def kernel_ran(p: Chart) -> bool:
    """Tell whether a kernel of this environment ran on a GPU: that beats every table."""
    if p.patient.smoke is not None and p.patient.smoke.verdict == "pass":
        return True
    return str(p.maybe("env_probe", "smoke_kernel")) in ("ok", "True")


def ab_helps(p: Chart, change: str) -> bool:
    """Tell whether a probe works with one thing changed (and does not without): torch's, or libcuda's own."""
    for source in ("env_probe", "cuda"):
        found = p.maybe(source, "ab_tests")
        for name, item in found.items() if isinstance(found, Mapping) else ():
            if change in str(name) and _helped(item):
                return True
    return False


def _helped(item: Any) -> bool:
    if isinstance(item, Mapping):
        started = item.get("cuInit")
        code = started.get("code") if isinstance(started, Mapping) else None
        return code == 0 and item.get("device_count") != 0
    return bool(re.match(r"ok|works|true|True|0$", str(item)))


def packages(p: Chart) -> dict[str, str]:
    """Give the wheels by normalized name."""
    found = p.need("env_probe", "packages")
    rows = found.items() if isinstance(found, Mapping) else ()
    return {re.sub(r"[-_.]+", "-", str(name)).lower(): str(item) for name, item in rows}


def package(p: Chart, name: str) -> Version | None:
    """Give a wheel's version; None when it is not there."""
    found = packages(p).get(name)
    return _version(found) if found else None


def installed(p: Chart, name: str) -> Version | None:
    """Give a package's version from the wheels, else from conda's records; None when it is in neither."""
    if p.maybe("env_probe", "packages") is None and p.maybe("env_probe", "conda_meta") is None:
        raise Missing("env_probe.packages")
    wheel = package(p, name) if p.maybe("env_probe", "packages") is not None else None
    record = conda_record(p, name) if p.maybe("env_probe", "conda_meta") is not None else None
    return wheel or (_version(record.split("-")[0]) if record else None)


def conda_record(p: Chart, name: str) -> str | None:
    """Give ``version-build (channel)`` of a conda package; None when it is not there."""
    found = p.need("env_probe", "conda_meta")
    given = found.get(name) if isinstance(found, Mapping) else None
    return str(given) if given else None


def mapped_outside(p: Chart, pattern: str) -> str | None:
    """Give a library (soname pattern) that the loader takes from outside the prefix, as ``soname from path``."""
    prefix = _slashed(probe(p).get("prefix"))
    for section in ("mapped", "ldd"):
        found = p.maybe("env_probe", section)
        for soname, path in found.items() if isinstance(found, Mapping) else ():
            given = _slashed(path)
            if re.search(pattern, str(soname)) and given.startswith("/") and prefix and not within(given, prefix):
                return f"{soname} from {given}"
    return None


def _version(item: Any) -> Version | None:
    try:
        return Version(str(item).split(" ")[0])
    except InvalidVersion:
        match = re.match(r"\d+(\.\d+)*", str(item))
        return Version(match[0]) if match else None
