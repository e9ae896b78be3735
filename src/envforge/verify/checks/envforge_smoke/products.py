"""Matrix products: exact on small integers, then as accurate as the number format allows."""

import math

from envforge_smoke.device import Precise
from envforge_smoke.figures import EXACT, UNIT, eta_limit, gaussian, integers, short
from envforge_smoke.outcomes import Failed


def _modes(bench):
    """(label, type, tf32) of every product that this device must get right."""
    modes = [(name, dtype, False) for name, dtype in bench.float_types()]
    if bench.kind == "cuda" and bench.can("tf32"):
        modes.append(("tf32", bench.torch.float32, True))
    return modes


def _product(bench, a, b, tf32):
    """The device's product in float64 on the CPU; None where a CPU has no kernel for the type."""
    try:
        with Precise(bench.torch, tf32):
            return (a.to(bench.device) @ b.to(bench.device)).cpu().double()
    except RuntimeError as error:
        if bench.lacks(error):
            return None
        raise


def matmul_exact(bench):
    """Integers whose sums stay within 256: every type must be right bit for bit."""
    torch, n = bench.torch, bench.settings["n"]
    a = integers(torch, n, n, 11, -2, 2)
    drawn = integers(torch, n, n, 12, -16, 16)
    b = drawn.sign() * (drawn.abs() == 16).to(drawn.dtype)  # one entry in sixteen is not zero
    truth = _integer_product(torch, a, b)
    if int(truth.abs().max()) > EXACT:
        raise Failed("E_WRONG", "the inputs made on the CPU leave the exact range")
    wrong = {}
    for label, dtype, tf32 in _modes(bench):
        got = _product(bench, a.to(dtype), b.to(dtype), tf32)
        wrong[label] = None if got is None else int((got != truth).sum())
        if wrong[label]:
            detail = "%s: %d of %d elements are not exact" % (label, wrong[label], n * n)
            raise Failed("E_WRONG", detail, {"n": n, "wrong_elements": wrong})
    _hold_required(bench, wrong)
    return {"n": n, "wrong_elements": wrong}


def _hold_required(bench, wrong):
    """A required type that this device has no product for is a failure."""
    for word, label in (("fp16", "float16"), ("bf16", "bfloat16"), ("tf32", "tf32"), ("fp64", "float64")):
        if word in bench.order["require"] and wrong.get(label) is None:
            raise Failed("E_REQUIRED", "%s is required, and this device has none" % word, {"wrong_elements": wrong})


def _integer_product(torch, a, b):
    """A product that no matrix library computes: sums of selected columns, in int64."""
    truth = torch.zeros(a.shape[0], b.shape[1], dtype=torch.int64)
    for k in range(a.shape[1]):
        row = b[k]
        hit = row.nonzero().view(-1)
        truth[:, hit] += a[:, k : k + 1] * row[hit]
    return truth.double()


def matmul_accuracy(bench):
    """Normal numbers against float64: the error is what the type's rounding explains, and no more."""
    torch, n = bench.torch, bench.settings["n"]
    eta, limit = {}, {}
    for label, dtype, tf32 in _modes(bench):
        a, b = gaussian(torch, n, n, 21).to(dtype), gaussian(torch, n, n, 22).to(dtype)
        got = _product(bench, a, b, tf32)
        if got is None:
            continue
        error, limit[label] = _eta(a, b, got), _limit(bench, label, n)
        eta[label] = short(error)
        if not error <= limit[label]:  # false for NaN too
            detail = "%s: error %.2e, limit %.2e" % (label, error, limit[label])
            raise Failed(_accuracy_code(label, error, n), detail, {"n": n, "eta": eta})
    return {"n": n, "eta": eta, "eta_limit": {label: short(number) for label, number in limit.items()}}


def _limit(bench, label, n):
    """Old torch adds up 16-bit types in themselves on a CPU."""
    narrow = bench.kind == "cpu" and bench.version < tuple(bench.settings["half_sums_before"])
    if narrow and label in ("float16", "bfloat16"):
        return UNIT[label] * (1 + 4 * math.sqrt(n))
    return eta_limit(label, n)


def _eta(a, b, got):
    """Largest |C' - C| / (|A||B|); eight rows are summed without a matrix library, which may be the faulty one."""
    exact, scale = a.double() @ b.double(), a.double().abs() @ b.double().abs()
    for row in range(0, a.shape[0], a.shape[0] // 8):
        exact[row] = (a[row].double().unsqueeze(1) * b.double()).sum(0)
    return float(((got - exact).abs() / scale).max())


def _accuracy_code(label, error, n):
    """TF32 that was switched off and runs all the same has a size of its own."""
    return "E_TF32_LEFT_ON" if label == "float32" and error <= eta_limit("tf32", n) else "E_INACCURATE"
