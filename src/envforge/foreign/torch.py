"""Which torch a foreign file means: version, CUDA, and where it comes from."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import reduce
from typing import Literal

from packaging.specifiers import SpecifierSet

from envforge.errors import SpecError
from envforge.facts import Facts
from envforge.foreign.channels import channel_name, known_channels, source_name
from envforge.foreign.nouns import Foreign, Remark, Wanted
from envforge.foreign.pairs import COMPANIONS, PLATFORM, extensions, for_pypis_torch, loads_in, meant, pairs
from envforge.foreign.variants import Cuda, of_build, of_tag, other_vendor, page_of, wants_cuda
from envforge.foreign.versions import version_of
from envforge.foreign.wheel_markers import here
from envforge.model import value
from envforge.plan import OLD_CHANNEL
from envforge.spec.words import in_order

CONDA_TORCH = frozenset({"pytorch", "pytorch-gpu", "pytorch-cpu"})
CPU_ONLY = frozenset({"cpuonly", "pytorch-cpu"})
OLD_CHANNELS_OWN = frozenset({"pytorch-cuda", "cpuonly"})
TOOLKITS = frozenset({"cuda-toolkit", "cudatoolkit-dev", "cuda-nvcc", "cuda-compiler", "cuda", "cuda-libraries-dev"})
_NOT_NVIDIA = "`{}` asks for builds for `{}`: envforge chooses among those for NVIDIA GPUs and for the CPU"
CUDA_NAMES = frozenset({"pytorch-cuda", "cudatoolkit", "cuda-version"})


@value
class Says:
    """Something in the file that says which CUDA: a specifier, ``none``, or None for any that is not the CPU.

    ``of_torch`` is False for what something else than torch was compiled with.
    """

    cuda: Cuda | None
    by: str
    where: str
    of_torch: bool = True


@value
class Torch:
    """What the file asks of torch, as the keys of a spec."""

    torch: SpecifierSet | None
    cuda: Cuda | None
    gpu: Literal["required", "none"] | None
    sources: tuple[str, ...]
    kind: Literal["conda", "wheel"] | None
    taken: tuple[Remark, ...] = ()
    left_out: tuple[Remark, ...] = ()


def read_torch(foreign: Foreign, facts: Facts) -> Torch:
    """Read what is asked of torch. Raises SpecError where a version cannot be said in PEP 440."""
    asked = _asked(foreign.wanted)
    compiled = for_pypis_torch(foreign)
    kind = asked[0].kind if asked else "wheel" if compiled else None
    narrowed = meant(foreign, _version(asked), facts)
    wanted = narrowed.torch
    says = (*_says(foreign, asked, kind, wanted, facts), *_of_extensions(foreign, wanted))
    chosen = next((each for each in says if each.cuda), says[0] if says else None)
    cuda = _cuda(chosen, kind, wanted, facts) if chosen else None
    return Torch(
        torch=wanted,
        cuda=cuda,
        gpu="none" if cuda == "none" else "required" if chosen else None,
        sources=_sources(foreign, asked, kind, cuda if chosen and chosen.of_torch else None, compiled=compiled),
        kind=kind,
        taken=(*_taken(asked), *narrowed.taken, *_taken_cuda(chosen, cuda)),
        left_out=(
            *narrowed.left_out,
            *(() if asked or narrowed.taken else _unasked(foreign)),
            *_contradictions(chosen, says),
            *_nightly(foreign, asked),
            *_other_vendors(foreign, asked),
            *_elsewhere(foreign.wanted, asked),
        ),
    )


def _asked(wanted: Iterable[Wanted]) -> tuple[Wanted, ...]:
    """Give the packages that are torch: the wheels where there are any, for pip has the last word."""
    found = tuple(wanted)
    wheels = tuple(each for each in found if each.kind == "wheel" and each.name == "torch" and here(each.text))
    return wheels or tuple(each for each in found if each.kind == "conda" and each.name in CONDA_TORCH)


def _version(asked: Iterable[Wanted]) -> SpecifierSet | None:
    found = [_released(version) for each in asked if (version := version_of(each)) is not None]
    joined = reduce(lambda left, right: left & right, found) if found else None
    if joined is not None and joined.is_unsatisfiable():
        raise SpecError(f"`{joined}` allows no torch at all", tuple(each.where for each in asked))
    return joined


def _released(version: SpecifierSet) -> SpecifierSet:
    """Give the release in the place of a nightly build that is pinned: no index keeps those."""
    return SpecifierSet(re.sub(r"(===?[\d.]+?)\.?(dev|a)\d+", r"\1", str(version)))


def _says(
    foreign: Foreign, asked: tuple[Wanted, ...], kind: str | None, torch: SpecifierSet | None, facts: Facts
) -> Iterator[Says]:
    """Give what says which CUDA, the most telling first."""
    for each in asked:
        yield from _of_package(each)
    if kind != "wheel":
        yield from _of_conda_packages(foreign)
        yield from _of_machine(foreign)
    if kind != "conda":
        yield from _of_companions(foreign, torch, facts)
        yield from _of_pages(foreign)


def _of_package(wanted: Wanted) -> Iterator[Says]:
    if (local := re.search(r"\+([\w.]+)", wanted.version)) and (cuda := of_tag(local[1])):
        yield Says(cuda=cuda, by=f"`+{local[1]}`", where=wanted.where)
    if wanted.index and (page := page_of(wanted.index)) and page.cuda:
        yield Says(cuda=page.cuda, by=f"`{wanted.index}`", where=wanted.where)
    if wanted.name == "pytorch-cpu":
        yield Says(cuda="none", by="`pytorch-cpu`", where=wanted.where)
    if (cuda := of_build(wanted.build)) or wants_cuda(wanted.build):
        yield Says(cuda=cuda, by=f"the build `{wanted.build}`", where=wanted.where)


def _of_conda_packages(foreign: Foreign) -> Iterator[Says]:
    packages = {each.name: each for each in foreign.wanted if each.kind == "conda"}
    if cpu := packages.get("cpuonly"):
        yield Says(cuda="none", by="`cpuonly`", where=cpu.where)
    for name in ("pytorch-cuda", "cudatoolkit", "cuda-version"):
        if (found := packages.get(name)) and (version := version_of(found)) is not None:
            yield Says(cuda=_two_parts(version), by=f"`{found.text}`", where=found.where)
    for name in ("pytorch-gpu", "pytorch-cuda"):
        if found := packages.get(name):
            yield Says(cuda=None, by=f"`{found.name}`", where=found.where)


def _of_machine(foreign: Foreign) -> Iterator[Says]:
    """Read pixi's machine: its driver speaks this CUDA, and by minor-version compatibility runs the whole major."""
    if (machine := foreign.machine_cuda) and machine.text.split(".")[0].isdigit():
        yield Says(
            cuda=f"<{int(machine.text.split('.')[0]) + 1}", by=f"a driver for CUDA {machine.text}", where=machine.where
        )


def _of_companions(foreign: Foreign, torch: SpecifierSet | None, facts: Facts) -> Iterator[Says]:
    """Read companions that go with the torch that is meant; what another one was built for says nothing."""
    releases = [each for each in {build.torch for build in facts.builds(PLATFORM)} if torch is None or each in torch]
    wheels = (each for each in foreign.wanted if each.name in COMPANIONS and each.kind == "wheel" and here(each.text))
    for each in wheels:
        if not each.version or not releases or any(pairs(each, release, facts) for release in releases):
            yield from _of_package(each)


def _of_extensions(foreign: Foreign, torch: SpecifierSet | None) -> Iterator[Says]:
    for each in extensions(foreign):
        if loads_in(each.built, torch):
            yield Says(cuda=each.built.cuda, by=f"`{each.by}`", where=each.where, of_torch=False)


def _of_pages(foreign: Foreign) -> Iterator[Says]:
    for url in filter(None, (foreign.default_index, *foreign.indexes, *foreign.find_links)):
        if (page := page_of(url)) and page.cuda:
            yield Says(cuda=page.cuda, by=f"`{url}`", where=foreign.origin)


def _two_parts(version: SpecifierSet) -> str:
    return re.sub(r"(\d+\.\d+)\.(?!\*)[\d.]+", r"\1", str(version))


def _cuda(says: Says, kind: str | None, torch: SpecifierSet | None, facts: Facts) -> Cuda | None:
    """Give the spec's ``cuda``. ``cuda-version 12.4`` lets conda-forge's builds for 12.0 to 12.4 in, so where there is
    none for just 12.4, the range is meant.
    """
    if says.cuda in (None, "none"):
        return says.cuda
    cuda = says.cuda if re.match(r"[<>=!~]", says.cuda) else f"=={says.cuda}.*"
    exact = re.fullmatch(r"==(\d+)\.(\d+)(\.\*)?", cuda)
    if kind == "conda" and exact and "cuda-version" in says.by and not _is_built(cuda, torch, facts):
        return f">={exact[1]},<={exact[1]}.{exact[2]}"
    return cuda


def _is_built(cuda: str, torch: SpecifierSet | None, facts: Facts) -> bool:
    wanted = SpecifierSet(cuda)
    return any(
        build.cuda is not None and str(build.cuda) in wanted and (torch is None or build.torch in torch)
        for build in facts.builds(PLATFORM)
        if build.source == "conda-forge"
    )


def _unasked(foreign: Foreign) -> Iterator[Remark]:
    yield Remark(text="the file asks for no torch; the spec gets the newest that serves", where=foreign.origin)


def _sources(
    foreign: Foreign, asked: tuple[Wanted, ...], kind: str | None, cuda: Cuda | None, *, compiled: bool
) -> tuple[str, ...]:
    """Give where torch comes from: the file's own channel or index, never another.

    PyPI's alone where a wheel was ``compiled`` against it: the other variants of that torch cannot load it.
    """
    if kind == "conda":
        return (_channel(foreign, asked),)
    if kind is None:
        return ("conda-forge", "pytorch", "pypi")
    tied = next((each.index for each in asked if each.index), None)
    pages = [tied, foreign.default_index, *foreign.indexes, *foreign.find_links]
    if cuda is not None or any(url and page_of(url) for url in pages):
        return ("pytorch",)
    own = tied or foreign.default_index
    source = source_name(own) if own and not own.endswith(".whl") else "pypi"
    return ("pypi", "pytorch") if source == "pypi" and not compiled else (source,)


def _channel(foreign: Foreign, asked: tuple[Wanted, ...]) -> str:
    tied = next((name for each in asked if each.channel and (name := channel_name(each.channel))), None)
    if tied:
        return tied
    if any(each.name in OLD_CHANNELS_OWN for each in foreign.wanted if each.kind == "conda"):
        return OLD_CHANNEL
    known = known_channels(foreign)
    return next((each for each in known if each in {OLD_CHANNEL, "conda-forge"}), known[0] if known else "conda-forge")


def _taken(asked: tuple[Wanted, ...]) -> Iterator[Remark]:
    if not asked:
        return
    version = _version(asked)
    said = f"`torch: {in_order(version)}`" if version else "the newest torch that serves"
    yield Remark(text=f"{said} from `{asked[0].text}`", where=asked[0].where)


def _taken_cuda(says: Says | None, cuda: Cuda | None) -> Iterator[Remark]:
    if says is not None:
        said = f"`cuda: {cuda}`" if cuda else "a CUDA build"
        yield Remark(text=f"{said} from {says.by}", where=says.where)


def _contradictions(chosen: Says | None, others: Iterable[Says]) -> Iterator[Remark]:
    for each in others:
        if chosen and each.cuda and chosen.cuda and not _agree(chosen.cuda, each.cuda):
            text = f"{each.by} says CUDA `{each.cuda}`, {chosen.by} says `{chosen.cuda}`: the latter is taken"
            yield Remark(text=text, where=each.where)


def _nightly(foreign: Foreign, asked: tuple[Wanted, ...]) -> Iterator[Remark]:
    pages = (*(each.index for each in asked), foreign.default_index, *foreign.indexes, *foreign.find_links)
    for url in dict.fromkeys(filter(None, pages)):
        if (page := page_of(url)) and page.nightly:
            yield Remark(text=f"`{url}` has nightly builds: releases are taken", where=foreign.origin)
    for each in asked:
        if re.search(r"===?[\d.]+\.?(dev|a)\d+", each.version):
            yield Remark(
                text=f"`{each.text}` is a nightly build, which no index keeps: its release is taken", where=each.where
            )


def _other_vendors(foreign: Foreign, asked: tuple[Wanted, ...]) -> Iterator[Remark]:
    """Say what asks for builds for another vendor's GPUs."""
    for each in asked:
        if (local := re.search(r"\+([\w.]+)", each.version)) and (other := other_vendor(local[1])):
            yield Remark(text=_NOT_NVIDIA.format(each.text, other), where=each.where)
    urls = (*(each.index for each in asked), foreign.default_index, *foreign.indexes, *foreign.find_links)
    for url in dict.fromkeys(filter(None, urls)):
        if (page := page_of(url)) and page.other:
            yield Remark(text=_NOT_NVIDIA.format(url, page.other), where=foreign.origin)


def _elsewhere(wanted: Iterable[Wanted], asked: tuple[Wanted, ...]) -> Iterator[Remark]:
    """Say which lines that name torch are for other systems, or for another Python."""
    for each in wanted:
        if each.kind == "wheel" and each.name == "torch" and each not in asked:
            yield Remark(text=f"`{each.text}` is for another system or Python", where=each.where)


def _agree(one: str, other: str) -> bool:
    if "none" in (one, other):
        return one == other
    ranges = [each if re.match(r"[<>=!~]", each) else f"=={each}.*" for each in (one, other)]
    return not (SpecifierSet(ranges[0]) & SpecifierSet(ranges[1])).is_unsatisfiable()
