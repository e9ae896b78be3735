"""Products in eight bits."""

import re

from envforge_smoke.figures import UNIT, gaussian, integers, short, ternary
from envforge_smoke.outcomes import Failed, Skipped


def fp8_matmul(bench):
    """float8 products: exact on small integers (within the 14 bits that fp8 units keep), then normal numbers."""
    torch, n = bench.torch, bench.settings["n"]
    _hold_offered(bench)
    narrow = torch.float8_e4m3fn
    a, b = ternary(bench, n, n, 81, torch.float32, 4), ternary(bench, n, n, 82, torch.float32, 4)
    exact = a.cpu().double() @ b.cpu().double().T
    wrong = int((_scaled(bench, a.to(narrow), b.to(narrow)) != exact).sum())
    if wrong:
        raise Failed("E_WRONG", "%d of %d elements of an exact fp8 product are wrong" % (wrong, n * n))
    x, y = gaussian(torch, n, n, 83).to(narrow), gaussian(torch, n, n, 84).to(narrow)
    exact, scale = x.double() @ y.double().T, x.double().abs() @ y.double().abs().T
    got = _scaled(bench, x.to(bench.device), y.to(bench.device))
    eta, limit = float(((got - exact).abs() / scale).max()), UNIT["bfloat16"] + 2.0**-9
    if not eta <= limit:
        raise Failed("E_INACCURATE", "error %.2e, limit %.2e" % (eta, limit))
    return {"n": n, "eta": short(eta), "eta_limit": short(limit)}


def _scaled(bench, a, b):
    """a @ b.T by ``_scaled_mm``, whose arguments differ by version: tuple in 2.1, scales mandatory later.

    One factor by rows, one by columns, sizes by 16, one scale for each whole matrix: what every version takes.
    """
    torch = bench.torch
    one = torch.ones((), dtype=torch.float32, device=bench.device)
    options = {"out_dtype": torch.bfloat16}
    known = [argument.name for argument in torch.ops.aten._scaled_mm.default._schema.arguments]
    if "scale_a" in known:
        options.update(scale_a=one, scale_b=one)
    if "use_fast_accum" in known:
        options["use_fast_accum"] = False
    out = torch._scaled_mm(a, b.t(), **options)
    return (out[0] if isinstance(out, tuple) else out).cpu().double()


def _hold_offered(bench):
    """Skip where torch itself refuses the card: 2.1 took Hopper only, and a build for an old CUDA takes none."""
    n = bench.settings["n"]
    narrow = bench.torch.zeros(n, n, device=bench.device).to(bench.torch.float8_e4m3fn)
    try:
        _scaled(bench, narrow, narrow)
    except RuntimeError as error:
        if "only supported" in str(error) or "not supported" in str(error):
            raise Skipped("S_TORCH", str(error).strip().split("\n")[0][:160]) from error
        raise


def int8_matmul(bench):
    """int8 times int8 into int32 is exact."""
    torch = bench.torch
    a, b = integers(torch, 128, 256, 91, -128, 127), integers(torch, 256, 64, 92, -128, 127)
    exact = (a.unsqueeze(2) * b.unsqueeze(0)).sum(1)
    try:
        got = torch._int_mm(a.to(bench.device, torch.int8), b.to(bench.device, torch.int8))
    except (RuntimeError, NotImplementedError) as error:
        # cuBLASLt before CUDA 12.3 has no kernel for this layout below sm_80, and says so
        if bench.kind == "cuda" and not re.search("not support|CUBLAS_STATUS_NOT_SUPPORTED", str(error)):
            raise
        raise Skipped("S_TORCH", str(error).strip()[:160]) from error
    wrong = int((got.cpu().to(torch.int64) != exact).sum())
    if wrong:
        raise Failed("E_WRONG", "%d of %d elements are not exact" % (wrong, exact.numel()))
    return {"shape": [128, 256, 64]}
