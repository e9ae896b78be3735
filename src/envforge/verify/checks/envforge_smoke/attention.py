"""Scaled dot-product attention: every backend alone, against float64."""

import contextlib

from envforge_smoke.device import Precise
from envforge_smoke.figures import UNIT, gaussian, short
from envforge_smoke.outcomes import Failed

NAMES = {"math": "MATH", "efficient": "EFFICIENT_ATTENTION", "flash": "FLASH_ATTENTION", "cudnn": "CUDNN_ATTENTION"}
ABSENT = ("No available kernel", "No viable backend", "no viable backend", "execution plan")  # the last is cuDNN's word


def sdpa(bench):
    """Torch's choice, then each backend alone, causal and not, in the device's 16-bit type.

    A backend that torch does not offer here is said, not failed.
    """
    half = _type(bench)
    found, worst = {}, 0.0
    for name in bench.settings["backends"]:
        reason = _why_not(bench, name)
        errors = reason or _errors(bench, name, half)
        if isinstance(errors, str):
            found[name] = errors
            _hold_required(bench, name, errors, found)
            continue
        found[name], worst = short(max(error for error, _ in errors)), max(worst, *(error for error, _ in errors))
        for error, limit in errors:
            if not error <= limit:
                detail = "%s attention: error %.3g, limit %.3g" % (name, error, limit)
                raise Failed("E_INACCURATE", detail, {"error": found})
    return {"error": found, "type": str(half), "worst": short(worst)}


def _hold_required(bench, name, reason, found):
    if name in bench.order["require"]:
        raise Failed("E_REQUIRED", "%s attention is required: %s" % (name, reason), {"error": found})


def _type(bench):
    """The 16-bit type, or float32 on a CPU without kernels for it."""
    half, torch = bench.half(), bench.torch
    try:
        torch.ones(32, 32, dtype=half, device=bench.device) @ torch.ones(32, 32, dtype=half, device=bench.device)
    except RuntimeError as error:
        if not bench.lacks(error):
            raise
        return torch.float32
    return half


def _why_not(bench, name):
    if name not in bench.settings["floors"]:
        return None
    floor = bench.settings["floors"][name]
    if bench.kind not in floor["kinds"]:
        return "not for %s" % bench.kind
    if bench.version < tuple(floor["torch"]):
        return "needs torch %d.%d" % tuple(floor["torch"])
    if bench.capability and not bench.hip and bench.capability < tuple(floor["capability"]):
        return "needs compute capability %d.%d" % tuple(floor["capability"])
    return None


def _errors(bench, name, half):
    """(error, limit) for the plain and the causal case, or a sentence when torch does not offer the backend."""
    torch, found = bench.torch, []
    inputs = [gaussian(torch, 2 * 4 * 128, 64, seed).view(2, 4, 128, 64).to(half) for seed in (71, 72, 73)]
    for causal in (False, True):
        exact = _exact(torch, [part.double() for part in inputs], causal)
        try:
            got = _attend(bench, name, inputs, causal)
        except RuntimeError as error:
            if name not in ("math", "chosen") and any(sign in str(error) for sign in ABSENT):
                return "unavailable: " + str(error).split("\n")[0][:120]
            raise
        # probabilities and output are rounded to the type: a few units of it; float32 adds its exponentials
        units = bench.settings["units"] * (8 if half == torch.float32 else 1)
        limit = units * UNIT[str(half).split(".")[1]] * float(exact.abs().max())
        found.append((float((got - exact).abs().max()), limit))
    return found


def _exact(torch, inputs, causal):
    query, key, worth = inputs
    scores = query @ key.transpose(-1, -2) / 8.0
    if causal:
        scores = scores.masked_fill(torch.ones(128, 128, dtype=torch.bool).triu(1), float("-inf"))
    return torch.softmax(scores, -1) @ worth


def _attend(bench, name, inputs, causal):
    query, key, worth = [part.to(bench.device) for part in inputs]
    with Precise(bench.torch), _only(bench, name):
        out = bench.torch.nn.functional.scaled_dot_product_attention(query, key, worth, is_causal=causal)
    bench.sync()
    return out.cpu().double()


def _only(bench, name):
    """torch's switch for one backend (a function since 2.3, a class with three flags before); none for its choice."""
    if name == "chosen":
        return contextlib.nullcontext()
    try:
        from torch.nn.attention import SDPBackend, sdpa_kernel
    except ImportError:
        return bench.torch.backends.cuda.sdp_kernel(
            enable_flash=name == "flash", enable_math=name == "math", enable_mem_efficient=name == "efficient"
        )
    return sdpa_kernel([getattr(SDPBackend, NAMES[name])])
