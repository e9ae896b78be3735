"""What is true and worth knowing before going on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from difflib import get_close_matches

from envforge.facts import Facts
from envforge.model import Candidate, Driver, Machine, Spec, Warned
from envforge.resolve.constraints import has_gpus, named, on_gpu, policy_of, speaks
from envforge.resolve.constraints.driver import ModuleFlavour
from envforge.resolve.constraints.kernels import PTX
from envforge.resolve.constraints.source import SourceAnswers
from envforge.resolve.inquiry import Inquiry, Ruling


def warnings(inquiry: Inquiry, ruling: Ruling, best: int | None) -> tuple[Warned, ...]:
    """Give every warning about the best candidate (None: there is none), the machines and the sources."""
    found = [*_sources(inquiry), *_strange(ruling.spec, inquiry.facts)]
    candidate = None if best is None else ruling.candidate(best)
    if candidate is None or on_gpu(candidate.build) is not False:
        found += (each for machine in ruling.machines for each in _driver(machine, inquiry.facts))
    if candidate is not None and best is not None:
        found = [*_build(candidate, ruling, inquiry.facts), *_unknown(ruling, best), *found]
    return tuple(dict.fromkeys(found))


def _sources(inquiry: Inquiry) -> Iterator[Warned]:
    for offer in inquiry.offers:
        if offer.error is not None:
            said = SourceAnswers(source=offer.source, error=offer.error)
            yield Warned(code="source-unreachable", text=str(said))


def _strange(spec: Spec, facts: Facts) -> Iterator[Warned]:
    """Say which companions nobody knows, and which may have been meant."""
    for name in spec.companions:
        if name not in facts.companions.names:
            text = f"no companion of torch is known as `{name}`"
            other = "only conda's metadata can pair it; what does not follow torch belongs under `conda` or `wheels`"
            yield Warned(code="unknown-companion", text=_meant(text, name, facts.companions.names, other))


def _meant(text: str, word: str, known: Iterable[str], other: str) -> str:
    near = get_close_matches(word, sorted(known), n=1, cutoff=0.75)
    return f"{text}: did you mean `{near[0]}`?" if near else f"{text}: {other}"


def _driver(machine: Machine, facts: Facts) -> Iterator[Warned]:
    if not isinstance(machine.driver, Driver):
        return
    branch = facts.branch(machine.driver.version)
    if branch and branch.eol and branch.eol < facts.dated[: len(branch.eol)]:
        since = f"driver branch {branch.name} has had no fixes since {branch.eol}"
        text = f"{since}, {machine.name} has {machine.driver.version}"
        yield Warned(code="eol-driver", text=text, where=(branch.where,))


def _unknown(ruling: Ruling, best: int) -> Iterator[Warned]:
    untold = ruling.named(ruling.judged.untold(best))
    modules = [rule for rule in untold if isinstance(rule, ModuleFlavour)]
    split = len({rule.demanded for rule in modules}) > 1 and len({rule.hosts for rule in modules}) == 1
    if split:
        wants = ", ".join(f"{rule.card} only with the {rule.demanded} one" for rule in modules)
        text = f"no kernel module drives all cards of {modules[0].host} at once: {wants}"
        yield Warned(code="module-split", text=text, where=tuple(place for rule in modules for place in rule.where))
    for rule in untold:
        if not (split and rule in modules):
            told = rule.doubt(ruling.candidate(best))
            yield Warned(code=f"unknown-{rule.rule}", text=f"not checked: {told}", where=rule.where)


def _build(candidate: Candidate, ruling: Ruling, facts: Facts) -> Iterator[Warned]:
    build = candidate.build
    if build.confidence == "inferred" and on_gpu(build) is not False:
        text = f"what {named(build)} contains is inferred, not read from the build"
        yield Warned(code="inferred-facts", text=text, where=build.where)
    known = facts.python(candidate.python)
    if known and known.eol < facts.dated:
        text = f"Python {candidate.python} has had no fixes since {known.eol}"
        yield Warned(code="eol-python", text=text, where=(known.where,))
    for name in ruling.spec.companions:
        if build.kind == "wheel" and facts.companions.is_extension(name):
            abi = facts.cxx11_abi(build)
            url = None if abi is None else facts.companions.extension_url(name, build, candidate.python, cxx11_abi=abi)
            text = (
                f"{name} has a wheel for exactly {named(build)} on Python {candidate.python}, but beside its releases, "
                f"on no index: name it by its URL in `wheels`{f', `{name} @ {url}`' if url else ''}"
            )
            yield Warned(code="extension-apart", text=text)
    if on_gpu(build):
        yield from _on_gpu(candidate, ruling, facts)
    elif policy_of(ruling.spec) != "none" and any(has_gpus(machine) for machine in ruling.machines):
        yield Warned(code="cpu-fallback", text=f"{named(build)} is a CPU build: the GPU stays idle", where=build.where)


def _on_gpu(candidate: Candidate, ruling: Ruling, facts: Facts) -> Iterator[Warned]:
    build = candidate.build
    if without := [machine.name for machine in ruling.machines if has_gpus(machine) is False]:
        on = f" on {', '.join(without[:3])}{' and others' * (len(without) > 3)}" if len(ruling.machines) > 1 else ""
        text = f"{named(build)} is a CUDA build, and there is no GPU to use it{on}"
        yield Warned(code="gpu-missing", text=text, where=build.where)
    if ruling.ranking.native(build) is False:
        spoken = min(found for machine in ruling.machines if (found := speaks(machine, facts)))
        text = (
            f"CUDA {build.cuda} runs by minor-version compatibility under a driver that speaks CUDA {spoken}: "
            "code compiled at run time (NVRTC, PTX, `torch.compile`) may need a newer driver"
        )
        yield Warned(code="ptx-caveat", text=text, where=build.where)
    if ruling.ranking.kernels(build) == PTX:
        text = f"{named(build)} has no machine code for this GPU: the driver compiles its PTX, slowly at first"
        yield Warned(code="ptx-only", text=text, where=build.where)
