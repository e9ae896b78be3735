"""The engine that starts containers: has it NVIDIA's runtime, a specification of today, and sight of the driver?"""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

NO_DRIVER = (
    r"nvidia-container-cli: initialization error:.*"
    r"(load library failed|driver not loaded|driver rpc error(?!.{0,20}timed out))"
    r"|initialization error: nvml error: driver not loaded"
)
GONE = r"lib(cuda|nvidia)\S*\.so\.\d+\.\S*.{0,80}(no such file|not found)"


@sign("container-toolkit-missing", group="container")
def docker_without_runtime(p: Chart) -> Evidence | None:
    runtimes = [str(each) for each in p.need("docker", "runtimes")]
    if any("nvidia" in each for each in runtimes) or p.maybe("cdi") or not r.gpus_on_bus(p):
        return None
    return r.likely(f"runtimes: {', '.join(runtimes)}", runtimes=", ".join(runtimes), severity="advisory")


@sign("container-toolkit-missing")
def refused_for_want_of_a_runtime(p: Chart) -> Evidence | None:
    runtimes = [str(each) for each in p.need("docker", "runtimes") or ()]
    error = p.heard("could not select device driver", "docker")
    if not error or p.maybe("cdi") or any("nvidia" in each for each in runtimes):
        return None
    return r.certain(error, f"runtimes: {', '.join(runtimes)}", runtimes=", ".join(runtimes))


@sign("docker-is-snap-or-desktop")
def not_the_hosts_engine(p: Chart) -> Evidence | None:
    p.need("docker")
    note = p.noted(r"^docker\.(?!error)|^which\.docker", like="snap|desktop")
    error = p.said(r"could not select device driver|load library failed|libnvidia-ml|initialization error", "docker")
    if note and error:
        return r.likely(note, error, install=note.split(" = ")[-1])
    apart = p.maybe("nvml", "init", "code") == 0 and not r.in_container(p) and p.heard(NO_DRIVER, "docker")
    return r.possible(apart, "the host's driver answers") if apart else None


@sign("container-runtime-no-driver-on-host")
def runtime_finds_no_driver(p: Chart) -> Evidence | None:
    """Where the host's driver answers, the engine looks somewhere else."""
    line = p.said(NO_DRIVER)
    return r.likely(line) if line and p.maybe("nvml", "init", "code") != 0 else None


@sign("container-cuda-requirement")
def required_cuda(p: Chart) -> Evidence | None:
    told = p.told(r"unsatisfied condition: cuda\s*[>=]+\s*(\d+\.\d+)")
    return r.certain(told[0], wanted=told[1]) if told else None


@sign("cdi-spec-unresolvable")
def engine_cannot_read(p: Chart) -> Evidence | None:
    error = p.said("CDI", "podman") or p.said("CDI", "docker")
    specs = p.maybe("cdi")
    if not error or not specs or not isinstance(specs, dict):
        return None
    name, spec = next(iter(specs.items()))
    version = spec.get("cdiVersion") if isinstance(spec, dict) else None
    engine = f"Podman {p.maybe('podman', 'version')}" if p.maybe("podman") else "Docker"
    return r.certain(error, file=name, version=version, engine=engine)


@sign("cdi-spec-stale")
def spec_of_another_driver(p: Chart) -> Evidence | None:
    p.need("cdi")
    loaded = str(r.loaded_version(p) or "")
    for path, item in p.leaves:
        found = re.search(r"(?:\.so\.|^)(\d{3}\.\d{2,3}(?:\.\d{2})?)", str(item)) if path.startswith("cdi") else None
        if found and loaded and found[1] != loaded:
            words = {"spec": found[1], "driver": loaded, "severity": _stale(p)}
            return r.certain(f"{path}: {item}", f"driver {loaded}", **words)
    missing = p.noted(r"^cdi.*missing")
    return r.likely(missing, severity=_stale(p)) if missing else None


def _stale(p: Chart) -> str | None:
    """Weigh an old specification: it stops nobody until an engine reads it."""
    return None if p.maybe("podman", "error") or p.maybe("docker", "error") or not r.serves(p) else "advisory"


@sign("cdi-spec-stale")
def old_file_cannot_be_mounted(p: Chart) -> Evidence | None:
    line = p.said(GONE, "podman") or p.said(GONE, "docker")
    return r.likely(line) if line else None
