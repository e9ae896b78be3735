"""The first contact: a context, an addition, copies, integers. Everything here is exact."""

from envforge_smoke import driver, nvml
from envforge_smoke.figures import hashed
from envforge_smoke.outcomes import Failed, Noted


def device_init(bench):
    """A context can be made, and 41 + 1 is 42: where dead drivers hang."""
    got = _add(bench)
    if got != 42:
        raise Failed("E_WRONG", "41 + 1 = %d" % got)
    if bench.kind != "cuda":
        return {}
    card = bench.properties
    bench.baseline = nvml.baseline(bench)
    measured = {
        "name": card.name,
        "capability": "%d.%d" % bench.capability,
        "memory_bytes": card.total_memory,
        "free_bytes": bench.free_bytes(),
        "multiprocessors": card.multi_processor_count,
        "uuid": str(getattr(card, "uuid", "") or ""),
    }
    if measured["free_bytes"] < bench.settings["busy_below"] * card.total_memory:
        free, whole = measured["free_bytes"] >> 20, card.total_memory >> 20
        raise Noted("W_BUSY", "%d of %d MiB are free: another program uses the GPU" % (free, whole), measured)
    return measured


def _add(bench):
    """41 + 1; where the build has no code for the card, its arch list says whether it is too old or too new."""
    torch = bench.torch
    try:
        tensor = torch.full((1,), 41, dtype=torch.int32, device=bench.device) + 1
        bench.sync()
        return int(tensor.cpu()[0])
    except RuntimeError as error:
        if bench.kind == "cuda" and not bench.hip and "no kernel image" in str(error):
            driver.arch_match(bench)
        raise


def alloc_copy(bench):
    """Hashed words go to the device and come back, pageable and pinned, over a target that held something else."""
    torch, words = bench.torch, bench.settings["bytes"] // 4
    host = hashed(torch, words, 7, "cpu").to(torch.int32)
    for pinned in (False, True) if bench.kind == "cuda" else (False,):
        wrong = _there_and_back(bench, host, pinned)
        if wrong:
            way = "pinned" if pinned else "pageable"
            raise Failed("E_COPY", "%d of %d words changed in a %s copy" % (wrong, words, way), {"wrong_words": wrong})
    return {"bytes": words * 4}


def _there_and_back(bench, host, pinned):
    torch = bench.torch
    source = host.pin_memory() if pinned else host
    there = torch.full((host.numel(),), -1, dtype=torch.int32, device=bench.device)
    there.copy_(source, non_blocking=pinned)
    back = torch.full((host.numel(),), -2, dtype=torch.int32)
    back = back.pin_memory() if pinned else back
    back.copy_(there, non_blocking=pinned)
    bench.sync()
    return int((back != host).sum())


def int_kernels(bench):
    """Elementwise, sum, scan, sort, gather and maximum of integers, each against a second way to know the answer."""
    torch, count = bench.torch, bench.settings["elements"]
    host = hashed(torch, count, 3, "cpu").to(torch.int32)
    here, there = _integer_results(torch, host), _integer_results(torch, host.to(bench.device))
    bench.sync()
    for name in here:
        if not torch.equal(there[name].cpu(), here[name]):
            raise Failed("E_WRONG", "`%s` differs from the CPU" % name, {"operation": name})
    _hold_identities(torch, host, there)
    return {"elements": count, "operations": sorted(here)}


def _integer_results(torch, x):
    mixed = ((x >> 3) ^ (x << 1)) & 0xFFFFF
    return {
        "elementwise": mixed,
        "sum": mixed.sum(dtype=torch.int64),
        "cumsum": (mixed & 1023).to(torch.int32).cumsum(0, dtype=torch.int32),
        "sort": mixed.sort()[0],
        "gather": x[(mixed % x.numel()).to(torch.int64)],
        "max": mixed.max(),
    }


def _hold_identities(torch, host, got):
    """What must be true whoever computed it: on a CPU the device is its own reference."""
    ordered, mixed = got["sort"].cpu(), got["elementwise"].cpu()
    facts = (
        ("elementwise", mixed[:64].tolist() == [((x >> 3) ^ (x << 1)) & 0xFFFFF for x in host[:64].tolist()]),
        ("sort", bool((ordered[1:] >= ordered[:-1]).all())),
        ("max", int(ordered[-1]) == int(got["max"])),
        ("sum", int(ordered.to(torch.int64).sum()) == int(got["sum"]) == sum(mixed.tolist())),
        ("cumsum", int(got["cumsum"][-1]) == sum(value & 1023 for value in mixed.tolist())),
    )
    for name, true in facts:
        if not true:
            raise Failed("E_WRONG", "`%s` is wrong by its own arithmetic" % name, {"operation": name})
