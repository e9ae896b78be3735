"""Containers: was the GPU passed in, with its libraries, and is it still?"""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.permissions import allowed
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

MISMATCH = 18
FRESH_S = 60
GPU_NODE = re.compile(r"/dev/nvidia(\d+|ctl)$")


def runtime(p: Chart) -> str:
    return str(p.maybe("container", "runtime") or p.maybe("platform", "virt") or "").lower()


def is_pod(p: Chart) -> bool:
    marks = f"{runtime(p)} {p.maybe('container', 'env_marker')} {'KUBERNETES_SERVICE_HOST' in r.variables(p)}"
    return bool(re.search(r"k8s|kubernetes|KUBERNETES|kubepods|True", marks)) or "runtime_class" in str(
        p.maybe("container")
    )


def is_lxc(p: Chart) -> bool:
    return bool(re.search(r"lxc|lxd|incus|proxmox", f"{runtime(p)} {p.maybe('platform', 'virt')}".lower()))


def is_apptainer(p: Chart) -> bool:
    names = " ".join(r.variables(p))
    return bool(re.search(r"apptainer|singularity", runtime(p))) or bool(
        re.search(r"(APPTAINER|SINGULARITY)_(CONTAINER|NAME)", names)
    )


def empty_handed(p: Chart) -> bool:
    """Tell whether neither the nodes nor the libraries of the driver are in here."""
    if not r.in_container(p) or r.is_wsl(p) or r.is_tegra(p) or p.maybe("nvml", "init", "code") == 0:
        return False
    nodes = [path for path in r.nodes(p) if GPU_NODE.match(path)]
    return not nodes and not r.library(p, "libcuda.so.1") and not r.library(p, "libnvidia-ml.so.1")


def gpu_on_host(p: Chart) -> str | None:
    """Give the reason to expect a GPU from the host; a container that wants none is well."""
    version = r.loaded_version(p) if p.maybe("proc_driver_nvidia") else None
    if r.cpu_only(p):
        return None
    if version:
        return f"the host runs driver {version}"
    return "the host has a GPU" if p.maybe("pci") and r.bound(p) else p.said("Found no NVIDIA driver")


@sign("container-without-gpu")
def nothing_passed(p: Chart) -> Evidence | None:
    why = gpu_on_host(p) if empty_handed(p) and not is_lxc(p) else None
    version = r.loaded_version(p) if p.maybe("proc_driver_nvidia") else None
    if not why:
        return None
    wanted = p.maybe("env_probe", "torch") or p.maybe("app_error") or "NVIDIA_VISIBLE_DEVICES" in r.variables(p)
    severity = None if wanted else "advisory"
    return r.likely("no GPU nodes, no driver libraries", why, driver=version, severity=severity)


@sign("container-without-gpu")
def libraries_without_nodes(p: Chart) -> Evidence | None:
    """The driver's libraries come with the image, or were bound alone; without a node they reach no GPU."""
    if not r.in_container(p) or is_lxc(p) or r.is_wsl(p) or r.is_tegra(p) or r.nvml_code(p) == 0:
        return None
    version = r.loaded_version(p) if p.maybe("proc_driver_nvidia") else None
    if not version or any(GPU_NODE.match(path) for path in r.nodes(p)) or not r.library(p, "libnvidia-ml.so.1"):
        return None
    return r.likely("no GPU nodes", f"the host runs driver {version}", driver=version)


@sign("container-visible-devices-void")
def hidden_by_variable(p: Chart) -> Evidence | None:
    given = r.env(p, "NVIDIA_VISIBLE_DEVICES")
    if r.cpu_only(p):
        return None
    if not r.in_container(p) or given is None or any(GPU_NODE.match(path) for path in r.nodes(p)):
        return None
    if given in ("", "void", "none"):
        return r.certain(f"NVIDIA_VISIBLE_DEVICES={given}", value=given)
    named = re.match(r"(GPU|MIG)-|\d", given) and p.maybe("nvml", "init", "code") != 0
    return r.possible(f"NVIDIA_VISIBLE_DEVICES={given}, no nodes", value=given) if named else None


@sign("container-capabilities-lack-compute")
def utility_only(p: Chart) -> Evidence | None:
    if not r.in_container(p) or r.library(p, "libcuda.so.1") or not r.library(p, "libnvidia-ml.so.1"):
        return None
    given = p.maybe("env", "NVIDIA_DRIVER_CAPABILITIES")
    if given and re.search(r"compute|all", str(given)):
        return None
    say = r.certain if given else r.likely
    return say("libnvidia-ml is mounted, libcuda is not", value=given or "not set")


@sign("container-cgroup-access-lost")
def cgroup_refuses(p: Chart) -> Evidence | None:
    closed = [path for path in r.refused(p, "EPERM") if allowed(p, r.nodes(p)[path]) is not False]
    if not r.in_container(p) or is_lxc(p) or not closed:
        return None
    reload = p.noted(r"daemon_reload")
    words = {"node": closed[0], "mode": r.nodes(p)[closed[0]].get("mode")}
    since = ", and systemd reloaded since the start" if reload else ""
    return r.likely(f"{closed[0]}: EPERM", reload or "", since=since, **words)


@sign("container-no-cgroups-misconfig")
def told_to_leave_rules(p: Chart) -> Evidence | None:
    if not r.refused(p, "EPERM") or "rootless" in runtime(p):
        return None
    note = p.noted(r"no[-_]cgroups", like="true|1")
    if note:
        return r.certain(note, f"{r.refused(p, 'EPERM')[0]}: EPERM")
    age = p.maybe("container", "started_ago_s")
    fresh = isinstance(age, int | float) and age < FRESH_S and r.in_container(p)
    return r.possible(f"EPERM {age} s after the start") if fresh else None


def foreign_library(p: Chart) -> tuple[str, str] | None:
    """Give library and module version where they differ in a container."""
    module, library = r.loaded_version(p), r.library_version(p, "libnvidia-ml.so.1")
    if not r.in_container(p) or not module or not library or module == library:
        return None
    return (str(library), str(module)) if r.nvml_code(p) == MISMATCH else None


def image_brings_driver(p: Chart, module: str) -> str | None:
    """Give the evidence that the image has a driver: its packages, or the host's files mounted beside them."""
    packages = p.noted(r"image_packages|container.*packages", like=r"nvidia|libcuda")
    mounts = p.noted(r"bind_mounts|mountinfo|mounts_of_driver", like=re.escape(module))
    gone = p.noted(r"mount", like=r"deleted")
    return None if gone else packages or mounts


@sign("container-driver-libs-shadowed-by-image")
def image_has_its_own(p: Chart) -> Evidence | None:
    pair = foreign_library(p)
    if not pair:
        return None
    library, module = pair
    why = image_brings_driver(p, module)
    newer = (r.library_version(p, "libnvidia-ml.so.1") or 0) > (r.loaded_version(p) or 0)  # type: ignore[operator]
    if not why and not newer:
        return None
    say = r.certain if why else r.likely
    return say(why or "the library is newer than the module", f"{library} / {module}", library=library, module=module)


@sign("container-stale-after-host-upgrade")
def host_went_on(p: Chart) -> Evidence | None:
    pair = foreign_library(p)
    if not pair or image_brings_driver(p, pair[1]):
        return None
    gone = p.noted(r"mount", like="deleted") or p.noted(r"container.*(before|older|stale|created_before|upgrade)")
    older = (r.library_version(p, "libnvidia-ml.so.1") or 0) < (r.loaded_version(p) or 0)  # type: ignore[operator]
    if not gone and not older:
        return None
    return r.likely(gone or "", f"library {pair[0]}, module {pair[1]}", library=pair[0], module=pair[1])


@sign("singularity-without-nv")
def no_driver_bound(p: Chart) -> Evidence | None:
    if not is_apptainer(p) or r.library(p, "libcuda.so.1"):
        return None
    return r.likely("Apptainer without libcuda", gpu_on_host(p) or "") if gpu_on_host(p) else None


@sign("kubernetes-runtimeclass-missing")
def pod_without_runtime(p: Chart) -> Evidence | None:
    why = gpu_on_host(p) if is_pod(p) and empty_handed(p) else None
    version = r.loaded_version(p) if p.maybe("proc_driver_nvidia") else None
    return r.likely("no GPU nodes, no driver libraries in this pod", why, driver=version) if why else None


@sign("docker-in-lxc-cgroup")
def rules_are_refused(p: Chart) -> Evidence | None:
    """A rootless engine is refused likewise, outside of LXC."""
    line = p.said(r"bpf_prog_query\(BPF_CGROUP_DEVICE\) failed|cgroup/devices\S*: permission denied")
    rootless = p.noted("rootless", like="true|1") or "rootless" in runtime(p)
    if not line or rootless or not (is_lxc(p) or r.in_container(p)):
        return None
    return (r.certain if is_lxc(p) else r.likely)(line)


@sign("lxc-gpu-not-passed")
def guest_lacks(p: Chart) -> Evidence | None:
    if not is_lxc(p) or (
        p.maybe("nvml", "init", "code", default=0) == 0 and p.maybe("nvml", "devices") and r.serves(p)
    ):
        return None
    problem = _lack(p)
    return r.likely(problem, problem=problem) if problem else None


def _lack(p: Chart) -> str | None:
    nodes = r.nodes(p)
    closed = [path for path, node in nodes.items() if "nvidia" in path and node.get("open") not in ("ok", None)]
    if closed:
        return f"{closed[0]} cannot be opened ({nodes[closed[0]].get('open')})"
    absent = [name for name in ("/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia-uvm") if name not in nodes]
    if absent:
        return f"{absent[0]} is not there"
    return (
        "the libraries are of another version than the host's module" if p.maybe("nvml", "init", "code") == 18 else None
    )
