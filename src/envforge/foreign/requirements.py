"""pip's requirements files: requirements, constraints, indexes, files that they include."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import takewhile
from pathlib import PurePath

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from envforge.errors import SpecError
from envforge.foreign.nouns import Foreign, Remark, Wanted
from envforge.foreign.variants import wheel_file

Lines = Iterable[tuple[str, str]]
Listed = Callable[[str, str], tuple[str, str]]
DEEPEST = 20
OPTIONS = {
    "-i": "index",
    "--index-url": "index",
    "--pypi-url": "index",
    "--extra-index-url": "extra",
    "-f": "links",
    "--find-links": "links",
    "-r": "include",
    "--requirement": "include",
    "-c": "limit",
    "--constraint": "limit",
}
QUIET = frozenset({"--prefer-binary", "--require-hashes", "--no-cache-dir", "--upgrade", "-U"})
OF_ONE = re.compile(r"--(hash|config-settings?|global-option|install-option)\b")
LOCAL = re.compile(r"(\.{0,2}/|\.{1,2}(\[[^\]]*\])?\s*$|~/|file:|[\w.-]+/[^@]*$)")
VERSIONED = re.compile(r"(git|hg|svn|bzr)\+")


def read_requirements(text: str, origin: str, listed: Listed) -> Foreign:
    """Read a requirements file; ``listed`` gives path and text of a file that it includes. Raises SpecError."""
    found = read_lines(_logical_lines(text, origin), origin, listed)
    stem = PurePath(origin).parent.name if PurePath(origin).stem.startswith("requirements") else PurePath(origin).stem
    return replace(found, name=stem)


def read_lines(lines: Lines, origin: str, listed: Listed, *, depth: int = 0) -> Foreign:
    """Read lines of a requirements file, each with its place."""
    reading = _Reading(origin, listed, depth)
    for line, where in lines:
        reading.line(line, where)
    return reading.result()


def _logical_lines(text: str, origin: str) -> Iterator[tuple[str, str]]:
    """Join lines that end in a backslash and drop comments, as pip does."""
    whole, begins = "", 0
    for number, line in enumerate(text.splitlines(), start=1):
        begins = begins or number
        if line.endswith("\\") and not line.lstrip().startswith("#"):
            whole += line[:-1] + " "
            continue
        whole = re.sub(r"(^|\s+)#.*$", "", whole + line).strip()
        if whole:
            yield whole, f"{origin}:{begins}"
        whole, begins = "", 0
    if whole.strip():
        yield whole.strip(), f"{origin}:{begins}"


class _Reading:
    """Takes in lines one after another."""

    def __init__(self, origin: str, listed: Listed, depth: int) -> None:
        self._origin, self._listed, self._depth = origin, listed, depth
        self._wanted: list[Wanted] = []
        self._limits: list[Wanted] = []
        self._left_out: list[Remark] = []
        self._indexes: list[str] = []
        self._links: list[str] = []
        self._default: str | None = None

    def line(self, line: str, where: str) -> None:
        """Take in one line: a requirement, or an option."""
        bare, *options = re.split(r"(?:^|\s+)(?=--?[A-Za-z])", line, maxsplit=1)
        if options and not OF_ONE.match(options[0]):
            self._options(options[0], where)
        if bare:
            self._package(bare.strip(), where)

    def _package(self, line: str, where: str) -> None:
        if found := wheel_of(line, where):
            self._wanted.append(found)
        elif VERSIONED.match(line):
            self._leave(f"`{line}` has no hash to lock: install it afterwards", where)
        elif LOCAL.match(line):
            self._leave(f"`{line}` is a local project: install it afterwards", where)
        elif "://" in line.partition(" ")[0] and "@" not in line.partition("://")[0]:
            self._leave(f"`{line}` names no package", where)
        else:
            self._wanted.append(wheel_package(line, where))

    def _options(self, line: str, where: str) -> None:
        try:
            words = [part for word in shlex.split(line) for part in word.split("=", 1 if word.startswith("--") else 0)]
        except ValueError as error:
            raise SpecError(f"`{line}` cannot be read: {str(error).lower()}", (where,)) from None
        while words:
            self._option(words, where)

    def _option(self, words: list[str], where: str) -> None:
        option = words.pop(0)
        if option in QUIET:
            return
        short = option[:2] if option[:2] in OPTIONS and not option.startswith("--") else option
        what = OPTIONS.get(short)
        if what is None:
            values = list(takewhile(lambda word: not word.startswith("-"), words))
            del words[: len(values)]
            self._leave(_why_left([option, *values]), where)
            return
        told = option[2:] if short != option else words.pop(0) if words else ""
        if not told:
            raise SpecError(f"`{option}` needs a value", (where,))
        self._take(what, told, where)

    def _take(self, what: str, told: str, where: str) -> None:
        if what == "index":
            self._default = told
        elif what == "extra":
            self._indexes.append(told)
        elif what == "links":
            self._links.append(told)
        else:
            self._include(told, where, limits=what == "limit")

    def _include(self, path: str, where: str, *, limits: bool) -> None:
        if self._depth >= DEEPEST:
            raise SpecError("files include each other without end", (where,))
        place, text = self._listed(path, where)
        inner = read_lines(_logical_lines(text, place), place, self._listed, depth=self._depth + 1)
        (self._limits if limits else self._wanted).extend(inner.wanted)
        self._left_out.extend(inner.left_out)
        self._indexes.extend(inner.indexes)
        self._links.extend(inner.find_links)
        self._default = self._default or inner.default_index

    def _leave(self, text: str, where: str) -> None:
        self._left_out.append(Remark(text=text, where=where))

    def result(self) -> Foreign:
        """Give what was read; constraints narrow what is asked for, and ask for nothing themselves."""
        limits: dict[str, list[Wanted]] = {}
        for limit in self._limits:
            limits.setdefault(limit.name, []).append(limit)
        return Foreign(
            origin=self._origin,
            name="",
            wanted=tuple(_narrowed(each, limits.get(each.name, [])) for each in self._wanted),
            indexes=tuple(self._indexes),
            default_index=self._default,
            find_links=tuple(self._links),
            left_out=tuple(self._left_out),
        )


def _why_left(words: list[str]) -> str:
    said = " ".join(words)
    if words[0] == "--pre":
        return "`--pre` is not carried: a final release is taken where one serves"
    if words[0] not in {"-e", "--editable"}:
        return f"`{said}` has no counterpart"
    return f"`{said}` {'has no hash to lock' if '://' in said else 'is a local project'}: install it afterwards"


def _narrowed(wanted: Wanted, limits: list[Wanted]) -> Wanted:
    for limit in limits:
        if not limit.version:
            continue
        parsed = Requirement(wanted.text)
        parsed.specifier &= Requirement(limit.text).specifier
        wanted = replace(wanted, text=str(parsed), version=str(parsed.specifier))
    return wanted


def wheel_package(text: str, where: str, index: str | None = None) -> Wanted:
    """Read a PEP 508 requirement; of a direct URL of a wheel, the version is read from its name. Raises SpecError."""
    try:
        parsed = Requirement(text)
    except InvalidRequirement as error:
        problem = str(error).splitlines()[0].rstrip(".")
        said = problem[:1].lower() + problem[1:]
        raise SpecError(f"`{text}` is not a requirement: {said}", (where,)) from None
    if parsed.url and (found := wheel_of(parsed.url, where)):
        return replace(found, text=text)
    name = canonicalize_name(parsed.name)
    return Wanted(kind="wheel", name=name, text=text, version=str(parsed.specifier), index=index, where=where)


def wheel_of(line: str, where: str) -> Wanted | None:
    """Read the URL of a wheel as the package that it is; None for anything else."""
    url = line.partition(" ")[0]
    found = wheel_file(url) if "://" in url and "@" not in url.partition("://")[0] else None
    if found is None:
        return None
    name, version = found
    return Wanted(kind="wheel", name=name, text=f"{name} @ {url}", version=f"=={version}", index=url, where=where)
