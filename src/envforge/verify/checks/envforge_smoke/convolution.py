"""cuDNN: where an incomplete or mixed stack fails although every product works."""

from envforge_smoke.device import Precise
from envforge_smoke.figures import UNIT, integers
from envforge_smoke.outcomes import Failed


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
            measured[name] = max(_errors(truth, got, name, last))
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
    out.backward(pattern)
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
        code = "E_CUDNN" if bench.kind == "cuda" else "E_EXCEPTION"
        raise Failed(code, "%s: %s" % (name, str(error)[:300])) from error


def _errors(truth, got, name, last):
    """Largest error of forward and gradients; sums of 1600 terms may pass 256, so the limit grows with the type."""
    for what, exact, part in zip(("forward", "input gradient", "filter gradient"), truth, got):
        limit = max(0.45, float(exact.abs().max()) * 2 * UNIT[name])
        error = float((part - exact).abs().max())
        if not error <= limit:
            detail = "%s %s%s is off by %.3g" % (name, what, ", channels last" if last else "", error)
            raise Failed("E_WRONG", detail, {"error": error, "limit": limit})
        yield error


def _hold_truth(torch, images, filters, forward):
    """Compute a few outputs with plain integers: the CPU's convolution may itself be the broken one."""
    padded = torch.nn.functional.pad(images, (1, 1, 1, 1))
    for n, f, y, x in ((0, 0, 0, 0), (1, 7, 5, 11), (3, 31, 19, 19)):
        exact = int((padded[n, :, y : y + 3, x : x + 3] * filters[f]).sum())
        if float(forward[n, f, y, x]) != exact:
            raise Failed("E_WRONG", "float64 on the CPU gives %g where the sum is %d" % (forward[n, f, y, x], exact))


def _cudnn_versions(bench):
    cudnn = bench.torch.backends.cudnn
    if not cudnn.enabled or not cudnn.is_available():
        raise Failed("E_CUDNN", "cuDNN is not available in this build")
    loaded = cudnn.version()
    measured = {"cudnn": loaded}
    try:
        built = tuple(bench.torch._C._cudnn.getCompileVersion())
    except AttributeError:
        return measured
    # 9.13.0 is 91300; 8.9.7 was 8907
    split = (loaded // 10000, loaded // 100 % 100, loaded % 100) if loaded >= 90000 else None
    split = split or (loaded // 1000, loaded // 100 % 10, loaded % 100)
    measured["cudnn_built_with"] = ".".join(str(part) for part in built)
    if built[0] != split[0] or split < built:
        detail = "cuDNN %d.%d.%d is loaded, torch was built with %s" % (*split, measured["cudnn_built_with"])
        raise Failed("E_CUDNN_VERSION", detail, measured)
    return measured
