"""All-reduce in one process a GPU; when it fails, controls (no peer traffic, one rank alone) say whose fault it is."""

import json
import os
import subprocess
import sys
import time

from envforge_smoke.outcomes import Failed, Skipped, Unclear

RANK = """
import json, sys
sys.path.insert(0, sys.argv[1])
from envforge_smoke import rank
rank.main(json.loads(sys.argv[2]))
"""


def allreduce(bench):
    """Exact sums in every type over NCCL (gloo on a CPU, in two processes); bus bandwidth is reported."""
    backend = _backend(bench)
    world = bench.torch.cuda.device_count() if bench.kind == "cuda" else 2
    outcome = _ranks(bench, backend, world, {})
    if outcome["fault"] is None:
        return outcome["measured"]
    if backend != "nccl" or world < 2:
        raise Failed(outcome["code"], outcome["fault"], outcome["measured"])
    control = _ranks(bench, backend, world, {"NCCL_P2P_DISABLE": "1"})
    measured = dict(outcome["measured"], without_p2p=control["fault"] or "works")
    if control["fault"] is None:
        raise Failed("E_COLLECTIVE_P2P", outcome["fault"] + "; with NCCL_P2P_DISABLE=1 it works", measured)
    if outcome["code"] == "E_COLLECTIVE_WRONG" or control["code"] == "E_COLLECTIVE_WRONG":
        raise Failed("E_COLLECTIVE_WRONG", outcome["fault"], measured)
    single = _ranks(bench, backend, 1, {})
    if single["fault"]:
        raise Failed("E_COLLECTIVE", single["fault"] + "; one rank alone fails", measured)
    raise Unclear("E_COLLECTIVE", outcome["fault"] + "; one rank works, peer traffic is not the cause", measured)


def _backend(bench):
    distributed = bench.torch.distributed
    if not distributed.is_available():
        raise Skipped("S_TORCH", "torch was built without `torch.distributed`")
    if bench.kind != "cuda":
        return "gloo"
    if not distributed.is_nccl_available():
        raise Skipped("S_TORCH", "torch was built without NCCL")
    return "nccl"


def _ranks(bench, backend, world, extra):
    """Run one process a rank; give code, fault (None when all is right) and what was measured."""
    store = os.path.join(bench.scratch(), "store-%d" % time.monotonic_ns())
    ranks = [_start(bench, backend, world, number, store, extra) for number in range(world)]
    until = time.monotonic() + bench.settings["limit"]
    said, dead = [], []
    for number, (child, log) in enumerate(ranks):
        try:
            out = child.communicate(timeout=max(0.1, until - time.monotonic()))[0]
            if child.returncode == 0:
                said.append(json.loads(out.decode().strip().split("\n")[-1]))
                continue
            dead.append("rank %d ended with %d: %s" % (number, child.returncode, _tail(log)))
        except subprocess.TimeoutExpired:
            dead.append("rank %d gave no answer: %s" % (number, _tail(log)))
    for child, log in ranks:
        if child.poll() is None:
            child.kill()
        log.close()
    return _judge(backend, world, said, dead)


def _start(bench, backend, world, number, store, extra):
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    order = {
        "rank": number,
        "world": world,
        "backend": backend,
        "store": store,
        "seconds": bench.settings["limit"] // 2,
    }
    order["bandwidth"] = bench.settings["bandwidth"] if bench.kind == "cuda" else []
    order["bf16"], order["path"] = bench.can("bf16"), sys.path
    env = dict(os.environ, TORCH_NCCL_ASYNC_ERROR_HANDLING="1", **extra)
    env.setdefault("NCCL_DEBUG", "WARN")
    log = open(os.path.join(bench.scratch(), "rank%d-%d.log" % (number, time.monotonic_ns())), "w+b")  # noqa: SIM115
    argv = [sys.executable, "-I", "-B", "-u", "-c", RANK, here, json.dumps(order)]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=env), log


def _tail(log):
    log.seek(0)
    return " ".join(log.read()[-900:].decode("utf-8", "replace").split())[-300:]


def _judge(backend, world, said, dead):
    measured = {"backend": backend, "world": world}
    if dead:
        return {"code": "E_COLLECTIVE", "fault": "; ".join(dead)[:900], "measured": measured}
    wrong = {name: _sum(rank["wrong"][name] for rank in said) for name in said[0]["wrong"]}
    measured.update(wrong_elements=wrong, bus_gb_per_s=said[0]["bus_gb_per_s"], nccl=said[0].get("nccl"))
    measured["setup_s"] = max(rank["setup_s"] for rank in said)
    bad = sorted(name for name, count in wrong.items() if count)
    return {
        "code": "E_COLLECTIVE_WRONG",
        "fault": "wrong sums in %s" % ", ".join(bad) if bad else None,
        "measured": measured,
    }


def _sum(counts):
    """None where no rank has the type."""
    known = [count for count in counts if count is not None]
    return sum(known) if known else None
