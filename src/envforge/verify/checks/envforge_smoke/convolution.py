"""cuDNN: where an incomplete or mixed stack fails although every product works."""

from envforge_smoke.device import Precise
from envforge_smoke.figures import UNIT, integers, short
from envforge_smoke.outcomes import Failed, of_exception


def conv_cudnn(bench):
    """conv2d forward and both gradients on integers, both memory formats: rounds to the exact result."""
    torch = bench.torch
    images = integers(torch, 4 * 16, 20 * 20, 31, -2, 2).view(4, 16, 20, 20)
    filters = integers(torch, 32 * 16, 9, 32, -1, 1).view(32, 16, 3, 3)
    measured = _cudnn_versions(bench) if bench.kind == "cuda" else {}
    truth = _run(torch, images, filters, "cpu", torch.float64, False)
    _hold_truth(torch, images, filters, truth[0])
    for name, dtype in bench.float_types():
        for last in (False, True):
            if name == "float64" and last:
                continue
            got = _on_device(bench, images, filters, dtype, last, name)
            if got is None:
                measured[name] = "unsupported"
                continue
            measured[name] = short(max(_errors(truth, got, name, last)))
    return measured


def _run(torch, images, filters, device, dtype, last):
    inputs = []
    for host in (images, filters):
        there = host.to(device, dtype).clone()
        if last:
            there = there.contiguous(memory_format=torch.channels_last)
        inputs.append(there.requires_grad_(True))
    out = torch.nn.functional.conv2d(inputs[0], inputs[1], padding=1)
    pattern = ((torch.arange(out.numel(), device=device) % 3) - 1).view(out.shape).to(dtype)
    (out * pattern).sum().backward()  # a gradient that is given to `backward` makes torch import SymPy
    return out.detach(), inputs[0].grad, inputs[1].grad


def _on_device(bench, images, filters, dtype, last, name):
    try:
        with Precise(bench.torch):
            got = _run(bench.torch, images, filters, bench.device, dtype, last)
        bench.sync()
        return [part.cpu().double() for part in got]
    except RuntimeError as error:
        if bench.lacks(error):
            return None
        code, outcome = of_exception(error)
        if outcome != "fail" or bench.kind != "cuda":
            raise
        if code == "E_EXCEPTION" and "CUDA error" not in str(error):
            code = "E_CUDNN"  # "Unable to find a valid cuDNN algorithm", "GET was unable to find an engine"
        raise Failed(code, "%s: %s" % (name, str(error)[:300])) from error


def _errors(truth, got, name, last):
    """Largest error of forward and gradients; sums of 1600 terms may pass 256, so the limit grows with the type.

    Below one unit no term is lost or doubled. Winograd's transforms leave 16-bit types less than half a unit to spare.
    """
    floor = 0.9 if name in ("float16", "bfloat16") else 0.45
    for what, exact, part in zip(("forward", "input gradient", "filter gradient"), truth, got):
        limit = max(floor, float(exact.abs().max()) * 2 * UNIT[name])
        error = float((part - exact).abs().max())
        if not error <= limit:
            detail = "%s %s%s is off by %.3g" % (name, what, ", channels last" if last else "", error)
            raise Failed("E_WRONG", detail, {"error": short(error), "limit": short(limit)})
        yield error


def _hold_truth(torch, images, filters, forward):
    """Compute a few outputs with plain integers: the CPU's convolution may itself be the broken one."""
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    for n, f, y, x in ((0, 0, 0, 0), (1, 7, 5, 11), (3, 31, 19, 19)):
        exact = int((padded[n, :, y : y + 3, x : x + 3] * filters[f]).sum())
        if float(forward[n, f, y, x]) != exact:
            raise Failed("E_WRONG", "float64 on the CPU gives %g where the sum is %d" % (forward[n, f, y, x], exact))


def _cudnn_versions(bench):
    """Hold the loaded cuDNN against the one that torch was built with, by torch's rule: the same major, no older."""
    if bench.hip:
        return {}
    cudnn, inner = bench.torch.backends.cudnn, bench.torch._C._cudnn
    if not cudnn.enabled or not cudnn.is_available():
        raise Failed("E_CUDNN", "cuDNN is not available in this build")
    loaded, built = tuple(inner.getRuntimeVersion()), tuple(inner.getCompileVersion())
    measured = {name: ".".join(str(part) for part in parts) for name, parts in (("cudnn", loaded), ("built", built))}
    measured["cudnn_built_with"] = measured.pop("built")
    if built[0] != loaded[0] or loaded[:2] < built[:2]:
        detail = "cuDNN %(cudnn)s is loaded, torch was built with %(cudnn_built_with)s" % measured
        raise Failed("E_CUDNN_VERSION", detail, measured)
    return measured
