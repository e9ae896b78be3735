"""Silent corruption: large exact products, the same product on other multiprocessors, and again and again."""

import time

from envforge_smoke import health, nvml
from envforge_smoke.device import Precise
from envforge_smoke.figures import hashed, ternary
from envforge_smoke.outcomes import Failed


def freivalds(bench, a, b, c, seed, rounds=2):
    """Count rows where C r and A (B r) differ; exact for integers, no tolerance.

    With |sums| <= 256 and r < 2**20 every number stays below 2**53 in any order of summation; a wrong row is missed
    with a chance of at most 2**-20 a round.
    """
    torch, n = bench.torch, c.shape[1]
    wrong = torch.zeros((), dtype=torch.int64, device=bench.device)
    step = max(1, (1 << 23) // n)
    for k in range(rounds):
        r = (hashed(torch, n, seed + k, bench.device) % (1 << 20)).double()
        br = torch.cat([_times(b[row : row + step], r) for row in range(0, b.shape[0], step)])
        for row in range(0, a.shape[0], step):
            wrong += (_times(a[row : row + step], br) != _times(c[row : row + step], r)).sum()
    return int(wrong)


def _times(matrix, vector):
    """A product by elements, so that the matrix library under test is not its own judge."""
    return (matrix.double() * vector).sum(1)


def gemm_repeat(bench):
    """Products that must be exact, independent of place, and equal when repeated."""
    types = [("float32", bench.torch.float32), (str(bench.half()).split(".")[1], bench.half())]
    return {
        name: done for name, done in ((name, _one(bench, name, dtype, len(types))) for name, dtype in types) if done
    }


def burn(bench):
    """The same at full load for long, with temperature and power at the end."""
    before = nvml.counters(bench)
    measured = gemm_repeat(bench)
    after = nvml.counters(bench)
    if after:
        measured["temperature_c"], measured["power_mw"] = after.get("temperature_c"), after.get("power_mw")
        health.hold(before, after, measured)
    return measured


def _one(bench, name, dtype, shares):
    torch, n = bench.torch, bench.matrix_size(4 if name == "float32" else 2)
    with Precise(torch):
        a, b = ternary(bench, n, n, 101, dtype), ternary(bench, n, n, 102, dtype)
        try:
            c = a @ b
        except RuntimeError as error:
            if bench.lacks(error):
                return None
            raise
        _hold_exact(bench, name, a, b, c)
        _hold_everywhere(bench, name, a, b, c)
        return {"n": n, "repeats": _hold_repeats(bench, name, n, dtype, bench.settings["seconds"] / shares)}


def _hold_exact(bench, name, a, b, c):
    wrong = freivalds(bench, a, b, c, 103)
    if wrong:
        detail = "%s: %d of %d rows of an exact product are wrong" % (name, wrong, 2 * c.shape[0])
        raise Failed("E_SDC", detail, {"n": c.shape[0], "wrong_rows": wrong})


def _hold_everywhere(bench, name, a, b, c):
    """Rows in reverse order land on other multiprocessors."""
    turned = bench.torch.arange(c.shape[0] - 1, -1, -1, device=bench.device)
    moved = int(((a[turned] @ b)[turned] != c).sum())
    if moved:
        detail = "%s: %d elements depend on where they are computed" % (name, moved)
        raise Failed("E_SDC", detail, {"n": c.shape[0], "wrong_elements": moved})


def _hold_repeats(bench, name, n, dtype, seconds):
    torch = bench.torch
    g = torch.randn(n, n, device=bench.device).to(dtype)
    first, changed = g @ g, torch.zeros((), dtype=torch.int64, device=bench.device)
    count, until = 0, time.perf_counter() + seconds
    while count < 3 or time.perf_counter() < until:
        for _ in range(8 if bench.kind == "cuda" else 1):
            changed += ((g @ g) != first).sum()
            count += 1
        bench.sync()
    if int(changed):
        detail = "%s: %d elements changed between %d equal products" % (name, int(changed), count)
        raise Failed("E_SDC", detail, {"n": n, "repeats": count})
    return count
