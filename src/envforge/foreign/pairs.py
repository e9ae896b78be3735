"""Which torch is meant by what stands beside it: companions that pair with some, extensions compiled for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from packaging.specifiers import SpecifierSet
from packaging.version import Version

from envforge.facts import Facts
from envforge.foreign.nouns import Foreign, Remark, Wanted
from envforge.foreign.variants import page_of
from envforge.foreign.versions import version_of
from envforge.foreign.wheel_markers import here
from envforge.model import value
from envforge.spec.built_for import BuiltFor, built_for, made_for
from envforge.spec.words import in_order

COMPANIONS = ("torchvision", "torchaudio")
PAIRED = (*COMPANIONS, "torchtext", "torchdata", "xformers", "vllm")
COMPILED = ("vllm", "xformers")
PLATFORM = "linux-64"


@value
class Extension:
    """Something that the file asks for which was compiled against one torch; ``by`` names it."""

    built: BuiltFor
    by: str
    where: str


@value
class Meant:
    """The torch that is meant, and the sentences that say by what."""

    torch: SpecifierSet | None
    taken: tuple[Remark, ...] = ()
    left_out: tuple[Remark, ...] = ()


def meant(foreign: Foreign, asked: SpecifierSet | None, facts: Facts) -> Meant:
    """Narrow the torch that is asked for to releases that pinned companions and extensions go with."""
    known = sorted({build.torch for build in facts.builds(PLATFORM)})
    left = [torch for torch in known if asked is None or torch in asked]
    taken: list[Remark] = []
    left_out: list[Remark] = []
    for by, where, fits in _evidence(foreign, facts):
        fitting = [torch for torch in left if fits(torch)]
        if 0 < len(fitting) < len(left):
            left = fitting
            taken.append(Remark(text=f"`torch: {in_order(_range(left, known))}` goes with `{by}`", where=where))
        elif left and not fitting:
            left_out.append(Remark(text=f"`{by}` goes with another torch than is asked for", where=where))
    return Meant(torch=_within(asked, _range(left, known)) if taken else asked, taken=(*taken,), left_out=(*left_out,))


def _evidence(foreign: Foreign, facts: Facts) -> Iterator[tuple[str, str, Callable[[Version], bool]]]:
    for each in pinned(foreign):
        if each.name in COMPANIONS or each.kind == "wheel":
            yield each.text, each.where, lambda torch, each=each: pairs(each, torch, facts)  # type: ignore[misc]
    for extension in extensions(foreign):
        minor = extension.built.torch
        yield extension.by, extension.where, lambda torch, minor=minor: f"{torch.major}.{torch.minor}" == minor  # type: ignore[misc]


def _range(left: list[Version], known: list[Version]) -> SpecifierSet:
    low, high = left[0], left[-1]
    upper = f",<={high}" if high < known[-1] else ""
    return SpecifierSet(f"=={low}" if low == high else f">={low}{upper}")


def _within(asked: SpecifierSet | None, left: SpecifierSet) -> SpecifierSet:
    """Give the narrower range alone where it says all; with what was asked where that leaves more out."""
    excluding = asked is not None and any(each.operator in {"!=", "=="} for each in asked)
    return left if asked is None or not excluding or "==" in str(left) else asked & left


def pinned(foreign: Foreign) -> Iterator[Wanted]:
    """Give the companions that the file asks for in some version."""
    known = (each for each in foreign.wanted if each.name in PAIRED and here(each.text))
    return (each for each in known if version_of(each) is not None)


def for_pypis_torch(foreign: Foreign) -> bool:
    """Tell whether the file takes a wheel from PyPI that was compiled against PyPI's own torch, for its one CUDA."""
    wheels = (each for each in foreign.wanted if each.kind == "wheel" and each.name in COMPILED and here(each.text))
    return any("@" not in each.text and "+" not in each.version for each in wheels)


def pairs(wanted: Wanted, torch: Version, facts: Facts) -> bool:
    """Tell whether facts pair a companion, in a version that the file allows, with a torch release."""
    versions, specifier = facts.companion(torch, wanted.name), version_of(wanted)
    return versions is not None and specifier is not None and any(each in specifier for each in versions)


def loads_in(built: BuiltFor, torch: SpecifierSet | None) -> bool:
    """Tell whether an extension loads in some torch that is asked for."""
    return torch is None or not (torch & SpecifierSet(f"=={built.torch}.*")).is_unsatisfiable()


def extensions(foreign: Foreign) -> Iterator[Extension]:
    """Give what was compiled against one torch: wheels by their name or version, and pages of such wheels."""
    others = (each for each in foreign.wanted if each.kind == "wheel" and each.name not in {"torch", *COMPANIONS})
    for each in others:
        if here(each.text) and (built := made_for(each.text)):
            yield Extension(built=built, by=each.text, where=each.where)
    for url in (*foreign.find_links, *foreign.indexes):
        if page_of(url) is None and (built := built_for(url)):
            yield Extension(built=built, by=url, where=foreign.origin)
