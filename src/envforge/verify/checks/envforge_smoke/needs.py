"""Prerequisites of checks, held against the torch and the device at hand."""

from envforge_smoke.outcomes import Skipped


def hold(bench, needs):
    """Raise Skipped with the first prerequisite that is not there."""
    kinds = needs.get("kinds")
    if kinds and bench.kind not in kinds:
        raise Skipped("S_KIND", "needs %s, this is %s" % (" or ".join(kinds), bench.kind))
    if needs.get("nvidia") and bench.hip:
        raise Skipped("S_KIND", "needs an NVIDIA device, this is ROCm")
    _hold_versions(bench, needs)
    if needs.get("attribute") and not has(bench.torch, needs["attribute"]):
        raise Skipped("S_TORCH", "this torch has no `torch.%s`" % needs["attribute"])


def _hold_versions(bench, needs):
    if needs.get("torch") and bench.version < numbers(needs["torch"]):
        raise Skipped("S_TORCH", "needs torch %s or newer" % needs["torch"])
    floor = needs.get("capability")
    if floor and bench.capability and not bench.hip and bench.capability < numbers(floor):
        raise Skipped("S_CAPABILITY", "needs compute capability %s, this is %d.%d" % (floor, *bench.capability))


def numbers(dotted):
    """Turn ``8.9`` into (8, 9)."""
    return tuple(int(part) for part in dotted.split("."))


def has(torch, path):
    """Say whether ``torch.a.b`` is there."""
    here = torch
    for name in path.split("."):
        here = getattr(here, name, None)
    return here is not None
