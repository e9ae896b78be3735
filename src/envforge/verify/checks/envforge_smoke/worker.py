"""Import torch once, run the checks of an order one after the other, say each start and each result."""

import faulthandler
import json
import os
import platform
import signal
import sys
import time
import traceback
from importlib import import_module

from envforge_smoke import device, driver, needs, outcomes, start
from envforge_smoke.events import Pipe

PTX_PATIENCE = 10
POISONED = 75  # exit code: the CUDA context is unusable, replace me


def main(fd):
    """Work through the order on stdin; leave with `POISONED` when a fresh process must go on."""
    order, pipe = json.load(sys.stdin), Pipe(fd)
    faulthandler.enable()
    if hasattr(signal, "SIGUSR1"):
        faulthandler.register(signal.SIGUSR1, all_threads=True, chain=False)
    torch = start.import_torch(pipe, order["import_torch"], order.get("prefix"))
    code = 3 if torch is None else _work(torch, order, pipe)
    pipe.send("bye")
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)  # a broken context may hang or crash in the interpreter's teardown


def _work(torch, order, pipe):
    bench = device.Bench(torch, order)
    _say_hello(bench, pipe)
    usable, patience = True, 1
    for check in order["checks"]:
        if not usable and check["scope"] != "host":
            pipe.send("result", **_plain(check, "skip", "S_NO_DEVICE", "the device could not be used"))
            continue
        pipe.send("start", check=check["name"], limit_s=check["limit_s"] * patience)
        result = run_check(bench, check)
        result["kind"] = None if check["scope"] == "host" else bench.known_kind
        lost = _context_lost(bench, check, result)
        pipe.send("result", **result)
        if check["name"] == "device_init":
            usable = result["outcome"] == "pass"
            patience = PTX_PATIENCE if usable and _only_ptx(bench) else 1
            _say_device(bench, pipe, usable)
        elif lost:
            return POISONED
    bench.close()
    return 0


def run_check(bench, check):
    """Run one check and give its result; whatever it raises becomes one."""
    began = time.perf_counter()
    try:
        needs.hold(bench, check.get("needs") or {})
        bench.take_settings(check)
        result = _plain(check, "pass", None, "", find(check["run"])(bench) or {})
    except outcomes.Said as said:
        result = _plain(check, said.outcome, said.code, str(said), said.measured)
    except BaseException as error:
        code, outcome = outcomes.of_exception(error)
        detail = "%s: %s" % (type(error).__name__, str(error).strip()[:500])
        result = _plain(check, outcome, code, detail, {"trace": traceback.format_exc()[-1500:]})
    result["took_s"] = round(time.perf_counter() - began, 4)
    return result


def find(name):
    """Give the function that ``module.function`` names."""
    module, function = name.split(".")
    kept, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # our own pages, not what they import when run
    try:
        return getattr(import_module("envforge_smoke." + module), function)
    finally:
        sys.dont_write_bytecode = kept


def _plain(check, outcome, code, detail, measured=None):
    return {
        "check": check["name"],
        "outcome": outcome,
        "code": code,
        "detail": detail,
        "measured": measured or {},
        "took_s": 0.0,
    }


def _context_lost(bench, check, result):
    """Say whether the device still answers after a check that failed or that breaks it on purpose."""
    if check["scope"] == "host" or bench.known_kind != "cuda":
        return False
    if result["outcome"] in ("pass", "skip") and not check.get("breaks"):
        return False
    try:
        bench.torch.zeros(1, device=bench.device).add_(1).item()
        bench.torch.cuda.empty_cache()
    except Exception:
        result["measured"]["context_lost"] = True
        return True
    return False


def _only_ptx(bench):
    """Say whether the driver must compile every kernel when it is first called."""
    if bench.known_kind != "cuda" or bench.hip:
        return False
    return driver.arch_verdict(bench.capability, bench.torch.cuda.get_arch_list())[0] == "ptx"


def _say_hello(bench, pipe):
    version = bench.torch.version
    pipe.send(
        "hello",
        pid=os.getpid(),
        python=platform.python_version(),
        prefix=sys.prefix,
        torch=bench.torch.__version__,
        cuda=getattr(version, "cuda", None),
        hip=getattr(version, "hip", None),
    )


def _say_device(bench, pipe, usable):
    """Tell the parent what this worker stands on, and which further devices it sees."""
    found = []
    if usable and bench.kind == "cuda":
        for index in range(bench.torch.cuda.device_count()):
            seen = bench.torch.cuda.get_device_properties(index)
            found.append({"index": index, "name": seen.name, "uuid": str(getattr(seen, "uuid", "") or "")})
    pipe.send("device", kind=bench.known_kind, devices=found)
