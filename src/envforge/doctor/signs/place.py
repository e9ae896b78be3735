"""Was a GPU given to me?"""

from __future__ import annotations

import re

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart
from envforge.doctor.signs.registry import sign
from envforge.model import Evidence

GPU_NODE = re.compile(r"/dev/nvidia\d+$")
FAILURES = (
    ("nvml", "init", "code"),
    ("cuda", "cuInit", "code"),
)


def _opens_a_card(p: Chart) -> bool:
    return any(GPU_NODE.match(path) and node.get("open") == "ok" for path, node in r.nodes(p).items())


def _works_without(p: Chart) -> bool:
    """Tell whether this job needs no GPU: it works, or its torch is a CPU build."""
    return r.serves(p) or r.cpu_only(p)


@sign("slurm-no-gpu-allocated")
def job_without_gpu(p: Chart) -> Evidence | None:
    scheduler = r.in_job(p)
    if scheduler is None or r.given_gpus(p) or _works_without(p):
        return None
    failed = [f"{'.'.join(path[:-1])}: {code}" for path in FAILURES if (code := p.maybe(*path))]
    closed = r.refused(p, "EPERM") if p.maybe("dev_nodes") else []
    if r.in_container(p) and p.maybe("dev_nodes") and _opens_a_card(p):
        return None
    if not failed and not closed:
        return None
    reason = "the device cgroup refuses the nodes" if closed else "no variable of the scheduler names a GPU"
    lines = [f"{path}: EPERM" for path in closed[:2]]
    wanted = closed or p.maybe("env_probe", "torch") or p.maybe("app_error") or (p.maybe("pci") and r.gpus_on_bus(p))
    severity = None if wanted else "advisory"
    return r.likely(
        f"{scheduler} job without GPU variables", *failed, *lines, scheduler=scheduler, reason=reason, severity=severity
    )


@sign("login-node-without-gpu")
def scheduler_and_no_card(p: Chart) -> Evidence | None:
    if r.gpus_on_bus(p) or r.in_container(p) or r.in_job(p) or not (client := r.scheduler(p)):
        return None
    return r.likely(client, "no NVIDIA function on the PCI bus", scheduler=client)
