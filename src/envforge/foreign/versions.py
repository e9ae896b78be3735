"""Versions as conda and poetry write them -> PEP 440."""

from __future__ import annotations

import re

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envforge.errors import SpecError
from envforge.foreign.nouns import Wanted

_CLAUSE = re.compile(r"(>=|<=|==|!=|~=|=|<|>|)\s*(v?[0-9][0-9A-Za-z.!+_-]*(?:\.\*|\*)?)$")


def from_conda(version: str, *, exact: bool = False) -> SpecifierSet | None:
    """Read a conda version: ``=2.1`` and ``2.1.*`` are prefixes, ``>=2,<3`` a range, ``*`` and nothing give None.

    ``exact`` says that a bare version means just it (``pytorch 2.1.0``). A full release (three parts) means just it
    either way. Raises ValueError for what PEP 440 cannot say (``2.1|2.3``).
    """
    text = version.strip()
    if text in {"", "*"}:
        return None
    return _specifier(",".join(_conda_clause(clause.strip(), exact=exact) for clause in text.split(",")), version)


def _conda_clause(clause: str, *, exact: bool) -> str:
    match = _CLAUSE.fullmatch(clause)
    if not match:
        raise ValueError(f"`{clause}` has no form in PEP 440")
    sign, number = match[1], match[2]
    starred = number.endswith("*")
    bare = number.rstrip("*").rstrip(".")
    if sign in {"", "="}:
        whole = (exact and not sign) or bare.count(".") >= 2
        return f"=={bare}.*" if starred or not whole else f"=={bare}"
    if starred and sign not in {"==", "!="}:
        return f"{sign}{bare}"
    return f"{sign}{bare}.*" if starred else f"{sign}{bare}"


def from_poetry(version: str) -> SpecifierSet | None:
    """Read poetry's ``^2.1``, ``~2.1``, ``2.*``, ``2.1`` or a range; ``*`` gives None. Raises ValueError."""
    text = version.strip()
    if text in {"", "*"}:
        return None
    return _specifier(
        ",".join(_poetry_clause(clause.strip()) for clause in re.split(r"\s*,\s*|\s+(?=[<>!=~^])", text)), version
    )


def _poetry_clause(clause: str) -> str:
    if match := re.fullmatch(r"(\^|~)(?!=)\s*(\d+(?:\.\d+)*)", clause):
        return f">={match[2]},<{_upper(match[2], caret=match[1] == '^')}"
    if re.fullmatch(r"\d[\w.]*\*", clause):
        return f"=={clause}"
    return f"=={clause}" if clause[:1].isdigit() else clause


def _upper(number: str, *, caret: bool) -> str:
    """Give the first version that ``^`` (the leftmost part that is not zero) or ``~`` (the minor) keeps out."""
    parts = [int(part) for part in number.split(".")]
    place = next((at for at, part in enumerate(parts) if part), len(parts) - 1) if caret else min(1, len(parts) - 1)
    return ".".join(str(part) for part in (*parts[:place], parts[place] + 1))


def from_pep440(version: str) -> SpecifierSet | None:
    """Read a PEP 440 specifier; nothing gives None. Raises ValueError."""
    return _specifier(version, version) if version.strip() not in {"", "*"} else None


def version_of(wanted: Wanted) -> SpecifierSet | None:
    """Read the version of a package, local part taken off. Raises SpecError with its place."""
    try:
        if wanted.kind == "wheel":
            return from_pep440(re.sub(r"\+[\w.]+", "", wanted.version))
        return from_conda(wanted.version, exact=" " in wanted.text.strip())
    except ValueError as error:
        raise SpecError(str(error), (wanted.where,)) from None


def _specifier(text: str, written: str) -> SpecifierSet:
    try:
        return SpecifierSet(text)
    except InvalidSpecifier:
        raise ValueError(f"`{written}` has no form in PEP 440") from None
