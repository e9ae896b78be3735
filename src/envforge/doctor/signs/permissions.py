"""May this user, in this place, open the nodes?"""

from __future__ import annotations

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart, Missing
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

NO_PERMISSION = 4


def mode_of(node: r.Device) -> int | None:
    """Read ``0666``, ``0o666`` or ``crw-rw-rw-``; None for anything else."""
    text = str(node.get("mode") or "")
    digits = text.removeprefix("0o")
    if digits and set(digits) <= set("01234567"):
        return int(digits, 8)
    if len(text) == 10:
        bits = "".join("1" if char in "rwxst" else "0" for char in text[1:])
        return int(bits, 2) | (0o1000 if text[-1] in "tT" else 0)
    return None


def allowed(p: Chart, node: r.Device) -> bool | None:
    """Tell whether the mode lets this user read and write; None when the mode is not known."""
    mode = mode_of(node)
    if mode is None:
        return None
    groups = [str(group) for group in p.maybe("user", "groups") or ()]
    owner = str(node.get("owner") or ":").split(":")
    in_group = len(owner) > 1 and owner[1] in groups
    return mode & 0o006 == 0o006 or (in_group and mode & 0o060 == 0o060) or uid(p) == 0


def uid(p: Chart) -> int | None:
    found = p.maybe("user", "uid", default=p.maybe("container", "uid"))
    return found if isinstance(found, int) else None


def is_bad(mode: int | None) -> bool:
    return mode is not None and bool(mode & 0o1000 or mode & 0o600 != 0o600)


@sign("dev-node-permission-denied")
def group_is_missing(p: Chart) -> Evidence | None:
    for path in r.refused(p, "EACCES"):
        node = r.nodes(p)[path]
        if allowed(p, node) is False and not is_bad(mode_of(node)):
            words = {"node": path, "mode": node.get("mode"), "owner": node.get("owner")}
            return r.certain(f"{path} {node.get('mode')} {node.get('owner')}: EACCES", **words)
    return None


@sign("dev-node-permission-denied")
def nvml_refused(p: Chart) -> Evidence | None:
    """Where something confines the program, the mode of the nodes has to be seen."""
    if r.nvml_code(p) != NO_PERMISSION or p.maybe("dev_nodes"):
        return None
    if "enforcing" in str(p.maybe("selinux")).lower() or p.maybe("container", "selinux_label"):
        raise Missing("dev_nodes")
    return r.possible("NVML 4")


@sign("dev-node-bad-mode")
def odd_mode(p: Chart) -> Evidence | None:
    for path, node in r.nodes(p).items():
        ours = "nvidia" in path and "nvidia-cap" not in path
        if ours and is_bad(mode_of(node)) and node.get("open") != "ok":
            return r.certain(f"{path} {node.get('mode')}", node=path, mode=node.get("mode"))
    return None


@sign("dev-node-bad-mode")
def odd_parameter(p: Chart) -> Evidence | None:
    given = r.module_params(p, "DeviceFileMode") or r.module_params(p, "NVreg_DeviceFileMode")
    if not given or not given.isdigit() or given in p.known["file_modes"] or not int(given) & 0o1000:
        return None
    return r.certain(f"DeviceFileMode: {given}", parameter=given)


@sign("dev-nodes-missing")
def never_made(p: Chart) -> Evidence | None:
    version, node = r.loaded_version(p), "/dev/nvidiactl"
    if not version or node in r.nodes(p) or not r.bare_linux(p) or (p.maybe("nvml", "devices") and r.devices(p)):
        return None
    return r.likely(f"module {version} is loaded", f"{node} is not there", node=node, driver=version)


@sign("selinux-denies-gpu")
def mode_allows_and_open_fails(p: Chart) -> Evidence | None:
    state, label = str(p.maybe("selinux") or ""), str(p.maybe("container", "selinux_label") or "")
    confined = "container_t" in label or "enforcing" in state.lower()
    closed = [path for path in r.refused(p, "EACCES") if allowed(p, r.nodes(p)[path])]
    if not closed or not confined or "permissive" in state.lower():
        return None
    avc = p.said(r"avc:\s+denied") if p.maybe("dmesg") or p.maybe("audit") else None
    words = {"node": closed[0], "mode": r.nodes(p)[closed[0]].get("mode"), "selinux": state or "confining it"}
    mark = f" and type {label}" if label else ""
    return (r.certain if avc else r.likely)(
        f"{closed[0]}: EACCES", f"SELinux {state} {label}", avc, label=mark, **words
    )
