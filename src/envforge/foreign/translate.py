"""What a foreign file asks for -> a spec, and what could not be carried over."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import PurePath

from packaging.specifiers import SpecifierSet

from envforge.facts import Facts
from envforge.foreign.channels import channel_remarks, login_remarks, spec_channels, spec_indexes, spec_links
from envforge.foreign.exported import solved_anew
from envforge.foreign.nouns import Foreign, Imported, Remark, Wanted
from envforge.foreign.pairs import COMPANIONS, loads_in
from envforge.foreign.torch import CONDA_TORCH, CPU_ONLY, CUDA_NAMES, TOOLKITS, Torch, read_torch
from envforge.foreign.variants import wheel_platforms, wheel_python
from envforge.foreign.versions import version_of
from envforge.foreign.wheel_markers import here
from envforge.model import Needs, Spec, Versions
from envforge.spec.built_for import made_for
from envforge.spec.complaints import Mistake
from envforge.spec.words import match_spec, moment, requirement

OWN = frozenset({"python", "pip", "torch", "pytorch-mutex"}) | CONDA_TORCH | CPU_ONLY | CUDA_NAMES | TOOLKITS
_TORCHS_OWN = re.compile(r"nvidia-[a-z]+.*-cu\d+$|nvidia-(nccl|nvshmem|cusparselt)|(pytorch-)?triton$")


def translate(foreign: Foreign, facts: Facts) -> Imported:
    """Make the spec. Raises SpecError with the place of a version that a spec cannot say."""
    foreign = solved_anew(foreign, OWN.union(COMPANIONS))
    torch = read_torch(foreign, facts)
    companions = tuple(name for name in COMPANIONS if any(each.name == name for each in foreign.wanted))
    passed = [_passed(each, torch, facts) for each in foreign.wanted if each.name not in (*companions, *OWN)]
    kept = [each for each in passed if isinstance(each, Wanted)]
    python, python_remarks = _python(foreign.python or _conda_python(foreign) or _torchs_python(foreign))
    exclude_newer, undated = _moment(foreign)
    spec = Spec(
        name=_name(foreign),
        origin=foreign.origin,
        python=python,
        torch=torch.torch,
        companions=companions,
        cuda="none" if torch.cuda == "none" else Versions(torch.cuda) if torch.cuda else "auto",
        gpu="required" if torch.gpu == "required" else None,
        sources=torch.sources,
        channels=spec_channels(foreign, torch.sources[0]),
        indexes=spec_indexes(foreign, (each.index for each in kept if each.index)),
        find_links=spec_links(foreign),
        conda=_texts(kept, "conda"),
        wheels=_texts(kept, "wheel"),
        toolkit=torch.cuda != "none" and any(each.name in TOOLKITS for each in foreign.wanted),
        needs=Needs(capability=SpecifierSet(f">={foreign.capability}") if foreign.capability else None),
        variables=tuple(pair for pair in foreign.variables if _is_variable(pair[0])),
        exclude_newer=exclude_newer,
    )
    left = (*foreign.left_out, *torch.left_out, *(each for each in passed if isinstance(each, Remark)))
    return Imported(
        spec=spec,
        taken=(*foreign.taken, *torch.taken),
        left_out=(
            *left,
            *python_remarks,
            *channel_remarks(foreign),
            *login_remarks(foreign),
            *_unsaid(foreign, torch),
            *undated,
        ),
    )


def _texts(kept: Iterable[Wanted], kind: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.text for each in kept if each.kind == kind))


def _passed(wanted: Wanted, torch: Torch, facts: Facts) -> Wanted | Remark:
    """Pass a package on as it stands, or say why not."""
    if wanted.kind == "wheel" and torch.kind == "wheel" and _TORCHS_OWN.match(wanted.name):
        return Remark(text=f"`{wanted.text}` follows torch", where=wanted.where)
    if wanted.kind == "wheel" and re.search(r"@\s*(git|hg|svn|bzr)\+", wanted.text):
        return Remark(text=f"`{wanted.text}` has no hash to lock: install it afterwards", where=wanted.where)
    if wanted.kind == "wheel" and "@" not in wanted.text and facts.companions.is_extension(wanted.name):
        how = f"ask with `with: [{wanted.name}]`, and `plan` names the one that fits"
        return Remark(text=f"`{wanted.text}` has wheels beside its releases only: {how}", where=wanted.where)
    if wanted.kind == "wheel" and (why := _why_no_wheel(wanted, torch)):
        return Remark(text=f"`{wanted.text}` is left out: {why}", where=wanted.where)
    try:
        (match_spec if wanted.kind == "conda" else requirement)(wanted.text)
    except Mistake as mistake:
        return Remark(text=mistake.message, where=wanted.where)
    return wanted


def _why_no_wheel(wanted: Wanted, torch: Torch) -> str | None:
    """Say why a wheel that the file names could never load in what the spec asks for."""
    platforms = wheel_platforms(wanted.text.partition("@")[2])
    if platforms and not any(each == "any" or "linux" in each for each in platforms):
        return "it is a wheel for another system than Linux"
    built = made_for(wanted.text)
    if built and not loads_in(built, torch.torch):
        return f"it was compiled for torch {built.torch}"
    return None


def _conda_python(foreign: Foreign) -> Wanted | None:
    return next((each for each in foreign.wanted if each.name == "python"), None)


def _torchs_python(foreign: Foreign) -> Wanted | None:
    """Give the Python that the file's own wheel of torch is for."""
    urls = (each for each in foreign.wanted if each.name == "torch" and each.kind == "wheel" and here(each.text))
    for each in urls:
        if minor := wheel_python(each.text.partition("@")[2]):
            return Wanted(kind="conda", name="python", text=f"python {minor}", version=f"={minor}", where=each.where)
    return None


def _python(wanted: Wanted | None) -> tuple[SpecifierSet | None, tuple[Remark, ...]]:
    """Read the Python; of one exact release its minor is kept."""
    version = version_of(wanted) if wanted else None
    if wanted is None or version is None:
        return None, ()
    exact = re.fullmatch(r"==(\d+\.\d+)\.\d+", str(version))
    if not exact:
        return version, ()
    said = Remark(text=f"of Python `{version}` only the minor {exact[1]} is carried", where=wanted.where)
    return SpecifierSet(f"=={exact[1]}.*"), (said,)


def _moment(foreign: Foreign) -> tuple[str | None, tuple[Remark, ...]]:
    if foreign.exclude_newer is None:
        return None, ()
    try:
        return moment(foreign.exclude_newer), ()
    except Mistake as mistake:
        return None, (Remark(text=f"`exclude-newer`: {mistake.message}", where=foreign.origin),)


def _unsaid(foreign: Foreign, torch: Torch) -> Iterator[Remark]:
    """Say what was dropped without a counterpart."""
    for each in foreign.wanted:
        if each.name in CUDA_NAMES and torch.kind == "wheel":
            yield Remark(text=f"`{each.text}`: torch's wheels bring their own CUDA", where=each.where)
        if each.name == "pip":
            yield Remark(text="`pip` is not needed: uv installs the wheels", where=each.where)
    for name, _ in foreign.variables:
        if not _is_variable(name):
            yield Remark(text=f"`{name}` is not the name of a variable", where=foreign.origin)


def _is_variable(name: str) -> bool:
    return re.fullmatch(r"[A-Za-z_]\w*", name, re.ASCII) is not None


def _name(foreign: Foreign) -> str:
    """Give a name that a spec may have: the file's own, else its stem, else its folder."""
    path = PurePath(foreign.origin)
    for word in (foreign.name, path.stem, path.parent.name):
        plain = re.sub(r"[^a-z0-9._-]+", "-", word.lower()).strip("-._")
        if plain:
            return plain
    return "imported"
