"""The texts inside a spec: versions, match specs, requirements, sizes, dates, places. Each raises Mistake."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime
from functools import partial

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envforge.model import ComputeCapability, Dotted, Versions
from envforge.spec.complaints import Mistake

UNITS = {"B": 1} | {
    unit: base**power
    for power, letter in enumerate("KMGT", start=1)
    for unit, base in ((f"{letter}B", 1000), (f"{letter}IB", 1024))
}
OWN_KEYS = {"python": "python", "torch": "torch", "pytorch": "torch"}
FOLLOWERS = ("torchvision", "torchaudio")
SWAPPED = {"=>": ">=", ">>": ">=", "=<": "<=", "<<": "<="}


def plain_name(text: str) -> str:
    """Make a name of an environment of any text: ``My Vision`` gives ``my-vision``, and what has no letters nothing."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9._-]+", "-", plain).strip("-._")


def in_order(wanted: SpecifierSet) -> str:
    """Write a specifier as people do, a lower bound before an upper one: ``>=2.5,<3``."""
    return ",".join(map(str, sorted(wanted, key=lambda each: ("<" in each.operator, "!" in each.operator, str(each)))))


def specifier(text: str) -> SpecifierSet:
    """Read a PEP 440 specifier, or a bare version as the prefix that it is: ``3.12`` means ``==3.12.*``."""
    if re.match(r"v?\d", text):
        return _prefix(text)
    try:
        found = SpecifierSet(text)
    except InvalidSpecifier:
        raise Mistake(f"`{text}` is not a version specifier", *_better(text)) from None
    if found.is_unsatisfiable():
        raise Mistake(f"`{text}` allows no version at all", "its parts contradict each other; drop or widen one")
    return found


def _prefix(text: str) -> SpecifierSet:
    try:
        version = Version(text.removesuffix(".*"))
    except InvalidVersion:
        raise Mistake(f"`{text}` is not a version", *_better(text)) from None
    whole = version.is_prerelease or version.is_postrelease or version.local
    return SpecifierSet(f"=={version}" if whole else f"=={version}.*")


def _better(text: str) -> tuple[str, ...]:
    """Say how PEP 440 writes what conda, npm or poetry write otherwise."""
    number = re.search(r"\d+(\.\d+)*", text)
    if (mended := _unswapped(text)) != text:
        return (f"write `{mended}`",)
    if not number:
        return ("leave the key out to get the newest that serves",)
    if text.startswith("^"):
        return (f"write `>={number[0]},<{int(number[0].split('.')[0]) + 1}`",)
    if re.fullmatch(r"=?\s*[\d.]+(\.\*)?", text):
        return (f"write `=={number[0]}.*`",)
    return ("separate the parts with commas, as in `>=2.8,<2.10`",) if " " in text or "|" in text else ()


def _unswapped(text: str) -> str:
    return re.sub("|".join(SWAPPED), lambda found: SWAPPED[found[0]], text)


def cuda(text: str) -> Versions | str:
    """Read ``auto``, ``none``, ``12.8`` or a specifier."""
    if text in {"auto", "none"}:
        return text
    if tag := re.fullmatch(r"(?:cu|cuda)-?(\d+?)(\d)", text):
        raise Mistake(f"`{text}` is the tag of a build, not a CUDA version", f"write `{tag[1]}.{tag[2]}`")
    if re.fullmatch(r"\d+\.\d+\.\d+", text):
        short = text.rpartition(".")[0]
        raise Mistake(f"torch is built for a CUDA release, `{text}` is more exact than that", f"write `{short}`")
    try:
        return Versions(str(specifier(text)))
    except Mistake as mistake:
        hints = mistake.hints if re.search(r"\d", text) else ("write `auto`, `none`, or a version such as `12.8`",)
        raise Mistake(mistake.message, *hints) from None


def capability_range(text: str) -> SpecifierSet:
    """Read a range of compute capabilities, ``>=8.0``; a bare one could mean two things, so it is refused."""
    try:
        bare = ComputeCapability.parse(text)
    except ValueError:
        return specifier(text)
    raise Mistake(
        f"`{text}` alone does not say whether newer ones will do", f"write `>={bare}`, or `=={bare}` for just it"
    )


def capability(text: str) -> str:
    """Check a compute capability, ``8.6`` or ``sm_86``; give it as ``8.6``."""
    try:
        return str(ComputeCapability.parse(text))
    except ValueError:
        raise Mistake(f"`{text}` is not a compute capability", "for example `8.6`") from None


def nothing(text: str) -> str:
    """Give what YAML calls nothing for the words that people use for it, else no text."""
    return "null" if text.lower() in {"absent", "none", "no", "nothing"} else ""


def dotted(text: str) -> str:
    """Check a dotted number, ``535.104.05``."""
    try:
        return str(Dotted(text))
    except ValueError:
        raise Mistake(f"`{text}` is not a dotted number", "for example `535.104.05`") from None


def memory_bytes(text: str) -> int:
    """Read a size with its unit: ``24GiB``, ``80 GB``."""
    match = re.fullmatch(r"(\d{1,18}(?:\.\d{1,6})?)\s*([A-Za-z]+)", text)
    if match and (unit := UNITS.get(match[2].upper())):
        return int(float(match[1]) * unit) if "." in match[1] else int(match[1]) * unit
    number = re.match(r"\d+(\.\d+)?", text)
    raise Mistake(f"`{text}` is not a size with a unit", f"write `{number[0] if number else '24'}GiB`")


def moment(text: str) -> str:
    """Check a date or an RFC 3339 time, and keep it as written."""
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", text):
            return date.fromisoformat(text).isoformat()
        if re.match(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d", text) and datetime.fromisoformat(text.upper()).tzinfo:
            return text
    except ValueError:
        pass
    if re.fullmatch(r"\d{4}-\d\d-\d\d[Tt ][\d:.]+", text):
        raise Mistake(f"`{text}` has no time zone", f"write `{text}Z` for UTC")
    raise Mistake(f"`{text}` is neither a date nor an RFC 3339 time", "for example `2026-10-01`")


def companion(text: str) -> str:
    """Check the plain name of a companion of torch."""
    if re.fullmatch(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?", text):
        return canonicalize_name(text)
    hint = "a companion's version follows torch; put other requirements under `conda` or `wheels`"
    raise Mistake(f"`{text}` is not the plain name of a package", hint)


def requirement(text: str) -> str:
    """Check a PEP 508 requirement, and keep it as written."""
    if text.startswith("-") or text.endswith((".txt", ".toml")):
        raise Mistake(f"`{text}` is an option of pip, not a requirement", "list the requirements themselves")
    try:
        wanted = Requirement(text)
    except InvalidRequirement as error:
        problem = str(error).splitlines()[0]
        raise Mistake(f"`{text}` is not a PEP 508 requirement: {_lower(problem)}", _as_requirement(text)) from None
    _refuse_own_key(canonicalize_name(wanted.name), text, apart=wanted.url is not None)
    return text


def _as_requirement(text: str) -> str:
    """Say how PEP 508 writes it, where that is plain."""
    if re.match(r"(git|hg|svn|bzr)\+", text):
        return "a repository has no hash to lock: name a wheel of it, or install it afterwards"
    if re.match(r"(https?|file)://", text):
        return f"write the package's name before it, `NAME @ {text}`"
    mended = re.sub(r"(?<![=<>!~])=(?!=)", "==", _unswapped(text))
    try:
        return f"write `{Requirement(mended)}`"
    except InvalidRequirement:
        return "for example `timm>=1`"


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:].rstrip(".")


def _refuse_own_key(name: str, text: str, *, apart: bool = False) -> None:
    """Refuse what has a key of its own; a wheel that is named by its URL (``apart``) may follow torch by itself."""
    if key := OWN_KEYS.get(name):
        raise Mistake(f"`{text}` belongs to the key `{key}`", f"write `{key}: ...` at the top of the spec")
    if name in FOLLOWERS and not apart:
        raise Mistake(f"`{text}` belongs to the key `with`", f"write `with: [{name}]`: its version follows torch")


_BRACKET_KEYS = "version|build|build_number|channel|subdir|md5|sha256|url|fn|license|features|track_features|namespace"
_BRACKET = re.compile(rf"\[\s*(?:{_BRACKET_KEYS})\s*=\s*[^\[\],]+(?:,[^\[\]]*)?\]$")
_MATCH_SPEC = re.compile(r"(?P<channel>[^\s:]+(?:::|:[^\s:]*:))?(?P<name>[A-Za-z0-9_][\w.-]*)(?P<rest>.*)", re.DOTALL)
_CLAUSE = re.compile(r"(?:>=|<=|==|!=|~=|=|<|>)?\s*(?:\d+!)?[\w.*+-]+|\^.*\$|\*")


def match_spec(text: str) -> str:
    """Check the form of a conda match spec (CEP 29), kept as written; the engine's own parser has the last word."""
    bare = _BRACKET.sub("", text)
    found = _MATCH_SPEC.fullmatch(bare.strip())
    if not found or "://" in text.partition("::")[2]:
        raise Mistake(f"`{text}` is not a match spec", 'for example `"numpy >=2"`')
    _refuse_own_key(found["name"].lower(), text)
    rest = found["rest"].strip()
    if rest and not (found["rest"][0] in " \t=<>!~" and _is_version_and_build(rest)):
        mended = _unswapped(rest)
        hint = f'write `"{found["name"]} {mended}"`' if mended != rest else f'for example `"{found["name"]} >=2"`'
        raise Mistake(f"`{rest}` in `{text}` is not a version constraint", hint)
    return text


def _is_version_and_build(rest: str) -> bool:
    """Read ``>=2,<3``, ``2.*|3.*``, ``=2.1=py311*`` or ``2.1 py311*``."""
    exact = re.fullmatch(r"==?\s*([\w.*+!-]+)(?:=([\w.*+^$-]+))?", rest)
    spaced = re.fullmatch(r"(.*[\w*)])\s+([\w.*^$+]*)", rest)
    return bool(exact) or _is_version(rest) or bool(spaced and _is_version(spaced[1]))


def _is_version(text: str) -> bool:
    balanced = text.count("(") == text.count(")")
    clauses = re.split(r"[,|]", re.sub(r"[()]", "", text))
    return balanced and all(_CLAUSE.fullmatch(clause.strip()) for clause in clauses)


def place(what: str, text: str) -> str:
    """Check a name, an http(s) or file URL, or a path that says it is one (``/``, ``./``, ``../``, ``~/``)."""
    if re.match(r"(https?|file)://\S", text):
        return text
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", text):
        scheme = text.partition(":")[0]
        raise Mistake(f"`{text}` is not {what}: `{scheme}` URLs are not read", "use https, http or file")
    if re.match(r"(/|\./|\.\./|~/)", text) or re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_./-]*", text):
        return text
    raise Mistake(f"`{text}` is not {what}", "write a name, a URL, or a path that begins with `./` or `/`")


channel: Callable[[str], str] = partial(place, "a channel")
index: Callable[[str], str] = partial(place, "an index")
directory: Callable[[str], str] = partial(place, "a directory or page of wheels")
source: Callable[[str], str] = partial(place, "a source of torch")
