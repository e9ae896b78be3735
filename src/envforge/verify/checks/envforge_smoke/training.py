"""A small network learns: layers, autograd, optimiser, autocast, as one."""

import math

from envforge_smoke.figures import hashed, short
from envforge_smoke.outcomes import Failed


def train_step(bench):
    """The gradient agrees with differences, and twenty AdamW steps halve the loss, plain and under autocast."""
    _hold_gradient(bench)
    losses = {}
    for label, half in _modes(bench):
        try:
            first, last, finite = _train(bench, half)
        except RuntimeError as error:
            if half is not None and bench.lacks(error):
                losses[label] = None
                continue
            raise
        losses[label] = [short(first), short(last)]
        if not (math.isfinite(last) and finite and last < bench.settings["ratio"] * first):
            raise Failed("E_WRONG", "%s: loss %.3f, then %.3f after 20 steps" % (label, first, last), {"loss": losses})
    return {"loss": losses}


def _modes(bench):
    yield "float32", None
    if bench.kind == "cuda" or (bench.kind == "cpu" and bench.version >= tuple(bench.settings["cpu_autocast"])):
        yield "autocast", bench.half()


def _hold_gradient(bench):
    """d/dx of sum(x^3) is 3x^2: exact in float32 for small integers."""
    torch = bench.torch
    x = torch.arange(-8.0, 9.0, device=bench.device, requires_grad=True)
    (x * x * x).sum().backward()
    if not torch.equal(x.grad.cpu(), 3 * torch.arange(-8.0, 9.0) ** 2):
        raise Failed("E_WRONG", "the gradient of x^3 is not 3 x^2")


def _network(bench):
    nn = bench.torch.nn
    see = (nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten())
    judge = (nn.Linear(800, 32), nn.LayerNorm(32), nn.GELU(), nn.Linear(32, 4))
    return nn.Sequential(*see, *judge).to(bench.device)


def _train(bench, half):
    """Give first loss, last loss, and whether every weight is finite."""
    torch = bench.torch
    torch.manual_seed(0)
    network = _network(bench)
    x = (hashed(torch, 32 * 144, 61, "cpu") % 256).float().div(128).sub(1).view(32, 1, 12, 12).to(bench.device)
    y = (torch.arange(32) % 4).to(bench.device)
    optimiser = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(20):
        optimiser.zero_grad()
        loss = _loss(bench, network, x, y, half)
        loss.backward()
        optimiser.step()
        losses.append(loss.detach())
    finite = all(bool(torch.isfinite(weight).all()) for weight in network.parameters())
    return float(losses[0]), float(losses[-1]), finite


def _loss(bench, network, x, y, half):
    cross_entropy = bench.torch.nn.functional.cross_entropy
    if half is None:
        return cross_entropy(network(x), y)
    with _autocast(bench, half):
        return cross_entropy(network(x).float(), y)


def _autocast(bench, half):
    torch = bench.torch
    if hasattr(torch, "autocast"):
        return torch.autocast(device_type=bench.kind, dtype=half)
    return torch.cuda.amp.autocast()
