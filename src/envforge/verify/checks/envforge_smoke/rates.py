"""How fast it is. Measured here, judged by the caller, who knows the card's data sheet."""

import time

from envforge_smoke import nvml
from envforge_smoke.outcomes import Noted


def seconds_of(bench, work):
    """Median seconds of one call, in batches that are long enough to time."""
    for _ in range(3):
        work()
    bench.sync()
    began = time.perf_counter()
    work()
    bench.sync()
    batch = max(1, min(50, int(0.02 / max(time.perf_counter() - began, 1e-6))))
    found, until = [], time.perf_counter() + bench.settings["seconds"]
    while len(found) < 3 or time.perf_counter() < until:
        found.append(_batch(bench, work, batch))
    return sorted(found)[len(found) // 2]


def _batch(bench, work, count):
    if bench.kind == "cuda":
        first, last = [bench.torch.cuda.Event(enable_timing=True) for _ in range(2)]
        first.record()
        for _ in range(count):
            work()
        last.record()
        last.synchronize()
        return first.elapsed_time(last) / 1e3 / count
    began = time.perf_counter()
    for _ in range(count):
        work()
    bench.sync()
    return (time.perf_counter() - began) / count


def perf_gemm(bench):
    """Rate of a product in the device's own 16-bit type (float32 off CUDA) on random numbers."""
    torch = bench.torch
    half = bench.kind == "cuda" and (bench.hip or bench.can("half_products"))
    dtype = bench.half() if half else torch.float32
    n = bench.matrix_size(2)
    a, b = [torch.randn(n, n, device=bench.device).to(dtype) for _ in range(2)]
    out = torch.empty(n, n, device=bench.device, dtype=dtype)
    seconds = seconds_of(bench, lambda: torch.mm(a, b, out=out))
    rate = 2.0 * n**3 / seconds / 1e12
    short = {torch.bfloat16: "bf16", torch.float16: "fp16", torch.float32: "fp32"}[dtype]
    measured = {"tflop_per_s": round(rate, 3), "format": short, "n": n, "card": _card(bench)}
    return dict(measured, held_by=_held_by(bench, lambda: torch.mm(a, b, out=out), seconds))


def _held_by(bench, work, seconds):
    """What holds the clocks down while work is queued; None without NVML."""
    card = nvml.open_card(bench)
    if card is None:
        return None
    for _ in range(max(1, min(200, int(0.1 / seconds)))):
        work()
    found = nvml.throttle_reasons(card)
    bench.sync()
    return found


def perf_membw(bench):
    """Bandwidth of a copy on the device, bytes read and bytes written."""
    torch = bench.torch
    cache = int(getattr(bench.properties, "L2_cache_size", 0) or 0) if bench.kind == "cuda" else 0
    count = min(max(bench.settings["bytes"], 4 * cache), int(bench.free_bytes() * 0.2))
    source = torch.zeros(count // 4, dtype=torch.float32, device=bench.device)
    target = torch.empty_like(source)
    seconds = seconds_of(bench, lambda: target.copy_(source))
    return {"gb_per_s": round(2.0 * count / seconds / 1e9, 2), "bytes": count, "card": _card(bench)}


def perf_pcie(bench):
    """Pinned copies both ways, and the link as NVML reports it meanwhile."""
    torch, count = bench.torch, min(bench.settings["bytes"], int(bench.free_bytes() * 0.2))
    host = torch.empty(count, dtype=torch.uint8).pin_memory()
    there = torch.empty(count, dtype=torch.uint8, device=bench.device)
    rates = [
        round(count / seconds_of(bench, lambda: there.copy_(host, non_blocking=True)) / 1e9, 2),
        round(count / seconds_of(bench, lambda: host.copy_(there, non_blocking=True)) / 1e9, 2),
    ]
    measured = {"to_device_gb_per_s": rates[0], "to_host_gb_per_s": rates[1]}
    link = nvml.link(bench)
    if not link:
        return measured
    measured.update(link)
    if " MIG " in bench.properties.name:
        return measured  # an instance has a share of the copy engines
    lane = bench.settings["lane_gb_per_s"].get("gen%s" % link["max_generation"])
    if link["width"] and link["max_width"] and link["width"] < link["max_width"]:
        raise Noted("W_PCIE_WIDTH", "the link runs x%(width)d of x%(max_width)d under load" % link, measured)
    if lane and link["max_width"]:
        measured["fraction"] = round(min(rates) / (lane * link["max_width"]), 3)
        if measured["fraction"] < bench.settings["fraction"]:
            detail = "%.1f and %.1f GB/s, %.0f %% of the link" % (*rates, 100 * measured["fraction"])
            raise Noted("W_PCIE_SLOW", detail, measured)
    return measured


def _card(bench):
    return bench.properties.name if bench.kind == "cuda" else None
