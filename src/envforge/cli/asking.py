"""From words on the command line to values: specs, machines, and what the sources say."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from envforge.errors import SpecError, UsageError
from envforge.facts import Facts
from envforge.model import Machine, Spec
from envforge.wire import write_yaml

MOST_BYTES = 64 << 20


def read_text(path: Path, what: str) -> str:
    """Read a file that the user names. Raises UsageError when it is not a text file that can be read."""
    try:
        with path.open("rb") as file:  # a device or a pipe does not say how much will come
            found = file.read(MOST_BYTES + 1)
        if len(found) > MOST_BYTES:
            raise UsageError(f"the {what} is larger than {MOST_BYTES >> 20} MiB", (str(path),))
        return _decoded(found)
    except FileNotFoundError:
        raise UsageError(f"the {what} `{path}` does not exist", (str(path),), _nearby(path)) from None
    except UnicodeDecodeError as error:
        raise UsageError(f"the {what} is not UTF-8 text", (_place(path, error),)) from None
    except OSError as error:
        raise UsageError(f"the {what} `{path}` cannot be read: {error.strerror}", (str(path),)) from None


def _decoded(found: bytes) -> str:
    """Read UTF-8, or UTF-16 with its mark, as Windows' PowerShell writes what is redirected into a file."""
    text = found.decode("utf-16" if found[:2] in {b"\xff\xfe", b"\xfe\xff"} else "utf-8-sig")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _place(path: Path, error: UnicodeDecodeError) -> str:
    before = error.object[: error.start]
    return f"{path}:{before.count(10) + 1}:{error.start - before.rfind(10)}"


def _nearby(path: Path) -> tuple[str, ...]:
    """Name a file beside the missing one that may have been meant: it without its ending, else one of a close name."""
    from difflib import get_close_matches

    there = [each.name for each in path.parent.glob("*.y*ml")] if path.parent.is_dir() else []
    if ended := [name for name in there if name.rpartition(".")[0] == path.name]:
        return (f"did you mean `{path.parent / ended[0]}`?",)
    return tuple(f"did you mean `{path.parent / name}`?" for name in get_close_matches(path.name, there, n=1))


def read_spec(
    path: Path,
    *,
    channels: Sequence[str] | None = None,
    indexes: Sequence[str] | None = None,
    find_links: Sequence[str] | None = None,
) -> Spec:
    """Read a spec; what the command line says of channels and indexes stands in for what it says.

    A channel given so is also where torch may come from, in place of `conda-forge`; an index, of `pypi`.
    """
    spec = _parsed(path)
    if isinstance(spec.checks, tuple):
        _hold_checks(spec)
    if channels:
        spec = replace(spec, channels=tuple(channels), sources=_instead(spec.sources, "conda-forge", channels))
    if indexes:
        spec = replace(spec, indexes=tuple(indexes), sources=_instead(spec.sources, "pypi", indexes))
    return replace(spec, find_links=(*spec.find_links, *find_links)) if find_links else spec


def _parsed(path: Path) -> Spec:
    """Parse a spec; of another tool's file say that it can be imported, in place of what is wrong with it as a spec."""
    from envforge.spec import parse_spec

    text = read_text(path, "spec")
    try:
        return parse_spec(text, str(path))
    except SpecError:
        from envforge.foreign import is_foreign

        if not is_foreign(text, str(path)):
            raise
    hint = f"`envforge import {path} -o spec.yaml` makes a spec of it"
    raise SpecError(f"`{path}` is a file of another tool, not a spec", (str(path),), (hint,))


def _hold_checks(spec: Spec) -> None:
    """Refuse names of checks that there are not, before anything is installed. Raises SpecError."""
    from envforge.verify import select

    try:
        select(spec.checks)
    except UsageError as error:
        raise SpecError(error.message, (spec.where("checks"),), error.hints) from None


def _instead(sources: tuple[str, ...], name: str, given: Sequence[str]) -> tuple[str, ...]:
    found = tuple(each for source in sources for each in (given if source == name else (source,)))
    return tuple(dict.fromkeys(found if name in sources else (*given, *sources)))


def read_machines(
    given: Sequence[str] | None, spec: Spec, target: str | None, facts: Facts, *, targets: bool = False
) -> tuple[Machine, ...]:
    """Give the machines to decide for: those named, one target, every target of the spec (``targets``), or this one."""
    if given:
        return tuple(each for at, word in enumerate(given, 1) for each in named_machines(word, facts, number=at))
    if target:
        return (target_machine(spec, target, facts),)
    if targets and spec.targets:
        return tuple(target_machine(spec, each.name, facts) for each in spec.targets)
    return (this_machine(),)


def named_machines(word: str, facts: Facts, *, number: int = 1) -> tuple[Machine, ...]:
    """Read every machine of a file, one of them (``machines.yaml#cluster``), or one written inline (``{...}``).

    One that is written inline is called by its number, ``machine-2``.
    """
    from envforge.detect import read_machine
    from envforge.detect import read_machines as read_all

    if word.lstrip().startswith("{"):
        return (identified(replace(read_machine(word, "--machine", facts), name=f"machine-{number}")),)
    path, _, name = word.rpartition("#") if "#" in word and not Path(word).exists() else (word, "", "")
    found = tuple(identified(each) for each in read_all(read_text(Path(path), "machine file"), path, facts))
    if not name:
        return found
    if wanted := tuple(each for each in found if each.name == name):
        return wanted
    known = ", ".join(f"`{each.name}`" for each in found)
    raise UsageError(f"the file has no machine `{name}`", (path,), (f"it has {known}",))


def target_machine(spec: Spec, name: str, facts: Facts) -> Machine:
    """Give the machine of one of the spec's targets. Raises UsageError when it has no such target."""
    from envforge.detect import read_machine

    found = next((each for each in spec.targets if each.name == name), None)
    if found is None:
        known = ", ".join(f"`{each.name}`" for each in spec.targets)
        hint = f"its targets are {known}" if known else "it has no `targets`"
        raise UsageError(f"the spec has no target `{name}`", (spec.where("targets"),), (hint,))
    if found.path is not None:
        path = Path(spec.origin).parent / found.path
        machine = read_machine(read_text(path, "machine file"), str(path), facts)
    else:
        machine = _inline(spec, name, dict(found.profile or {}), facts)
    return identified(replace(machine, name=name))


def _inline(spec: Spec, name: str, profile: dict[str, object], facts: Facts) -> Machine:
    """Read a target that is written in the spec; what is wrong with it stands where the target does."""
    from envforge.detect import read_machine

    try:
        return read_machine(write_yaml(profile), spec.origin, facts)
    except SpecError as error:
        key = f"targets.{name}"
        places = (f"{spec.origin}:{line}:{column}" for path, line, column in spec.places if path == key)
        where = (next(places, spec.origin),)
        others = tuple(SpecError(each.message, where, each.hints) for each in error.others)
        raise SpecError(f"target `{name}`: {error.message}", where, error.hints, others) from None


def this_machine() -> Machine:
    """Look at the machine that this runs on, and at the Pythons on it."""
    from envforge.detect import MACHINE_SOURCES, assemble, find_interpreters, take_readings

    machine = assemble(take_readings(os.environ, MACHINE_SOURCES), "this machine")
    return identified(replace(machine, interpreters=find_interpreters(os.environ)))


def this_subdir() -> str | None:
    """Tell the platform of this machine, without asking any driver; None when it cannot be told."""
    from envforge.detect import assemble, take_readings

    return assemble(take_readings(os.environ, ("platform", "os_release")), "this machine").subdir


def identified(machine: Machine) -> Machine:
    """Let facts name the GPUs that no driver told of (a module that does not answer, a card that nouveau holds)."""
    if all(gpu.compute_capability for gpu in machine.gpus or ()):
        return machine
    from envforge.cli.overlays import facts_here
    from envforge.detect import identify

    return identify(machine, facts_here())


def find_interpreter(word: str) -> Path:
    """Find an interpreter by path, by name on PATH, or by the environment that it is in. Raises UsageError."""
    path = Path(word).expanduser()
    inside = path / "bin" / "python"
    if found := shutil.which(word) or shutil.which(str(path)) or shutil.which(str(inside)):
        return Path(found)
    if path.is_dir():
        raise UsageError(f"`{word}` is a directory without a `bin/python`", (word,), ("name the interpreter itself",))
    here = (f"it is here: `./{word}`",) if "/" not in word and shutil.which(str(path.absolute())) else ()
    raise UsageError(f"`{word}` is not a program that can be run", (word,), here)
