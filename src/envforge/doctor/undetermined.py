"""The honest answer where something failed and no rule says why: the codes, and the next two questions."""

from __future__ import annotations

from collections.abc import Iterator

from envforge.doctor import readers as r
from envforge.doctor.chart import Chart, Missing
from envforge.model import Undetermined

NOT_LOADED, NO_LIBRARY = 9, 12
NO_DEVICE = 100


def undetermined(p: Chart) -> Iterator[Undetermined]:
    """Give one answer when codes of failure were seen; none when all is well, or when there is just no GPU."""
    codes = list(_codes(p))
    if codes:
        asked = [question for _, topic in codes for question in _questions(p, topic)]
        yield Undetermined(codes=tuple(text for text, _ in codes), questions=tuple(dict.fromkeys(asked))[:2])


def _codes(p: Chart) -> Iterator[tuple[str, str]]:
    """Give what failed as ``(text, topic)``."""
    nvml, cuda = p.maybe("nvml", "init", "code"), p.maybe("cuda", "cuInit", "code")
    quiet = (NO_LIBRARY,) if _gpu_here(p) is None else () if _gpu_here(p) else (NO_LIBRARY, NOT_LOADED)
    if isinstance(nvml, int) and nvml and nvml not in quiet:
        yield f"NVML {nvml} {p.known.name_of('nvml', nvml)}", f"nvml {nvml}"
    if isinstance(cuda, int) and cuda and not (cuda == NO_DEVICE and _gpu_here(p) is False):
        yield f"cuInit {cuda} {p.known.name_of('cuda', cuda)}", f"cuInit {cuda}"
    failed = p.maybe("nvidia_smi", "exit")
    if nvml is None and isinstance(failed, int) and failed and not r.nvml_hangs(p):
        said = " ".join(str(p.maybe("nvidia_smi", "text") or "").split())[:120]
        yield f"nvidia-smi exit {failed}{f': {said}' if said else ''}", f"nvml {failed}"
    if hang := r.nvml_hangs(p):
        yield hang, "hang"
    if context := r.ctx_create(p):
        yield f"cuCtxCreate {context} {p.known.name_of('cuda', context)}", f"ctx {context}"
    yield from ((f"NVML {device['error']} for GPU {device.get('index')}", "other") for device in _lost(p))
    yield from _of_environment(p)
    for complaint in (p.maybe("app_error"), p.maybe("docker", "error"), p.maybe("podman", "error")):
        if complaint:
            yield " ".join(str(complaint).split())[-200:], "other"


def _of_environment(p: Chart) -> Iterator[tuple[str, str]]:
    if p.maybe("env_probe", "import") not in (None, "ok") and p.maybe("env_probe", "torch"):
        yield str(p.maybe("env_probe", "error") or "torch cannot be imported"), "import"
    kernel = p.maybe("env_probe", "smoke_kernel")
    if kernel not in (None, "ok", "not run", True):
        yield str(kernel), "kernel"


def _lost(p: Chart) -> list[r.Device]:
    try:
        return [device for device in r.devices(p) if device.get("error")]
    except Missing:
        return []


def _gpu_here(p: Chart) -> bool | None:
    """Tell whether a GPU was promised; None when nothing tells.

    A container sees its host's bus, and that is no promise: the driver's libraries in it, or a scheduler's word, are.
    """
    try:
        if r.in_container(p):
            return bool(p.maybe("libraries", "libcuda.so.1")) or (p.maybe("env") is not None and r.given_gpus(p))
        return bool(r.gpus_on_bus(p))
    except Missing:
        return None


def _questions(p: Chart, topic: str) -> list[str]:
    table = p.known["questions"]
    return list(table.get(topic, table["other"]))
