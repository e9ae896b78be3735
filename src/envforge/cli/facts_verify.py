"""`envforge facts verify`: hold the facts against a torch that is installed."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from packaging.version import InvalidVersion, Version

from envforge.cli.common import Answer, GivenName, GivenPrefix, MaybeEnvironment, Talk, Timeout, command
from envforge.cli.dirs import find_dirs, find_one
from envforge.cli.overlays import facts_here
from envforge.errors import CouldNotTell, UsageError
from envforge.facts import Facts
from envforge.model import Build, ComputeCapability, value
from envforge.plan import OLD_CHANNEL
from envforge.report.facts import table
from envforge.report.page import Page, join, prose
from envforge.run import run

Python = Annotated[
    str | None,
    typer.Option("--python", envvar="ENVFORGE_PYTHON", metavar="PATH", help="Measure the torch of this interpreter."),
]
DEADLINE_S = 120.0
PROBE = """
import glob, json, os, platform, sys
import torch
flags = getattr(torch._C, "_cuda_getArchFlags", lambda: None)()
records = glob.glob(os.path.join(sys.prefix, "conda-meta", "pytorch-[0-9]*.json"))
record = json.load(open(records[0])) if records else {}
system = {"linux": "linux", "darwin": "osx", "win32": "win"}.get(sys.platform, sys.platform)
machine = {"x86_64": "64", "AMD64": "64", "aarch64": "aarch64", "arm64": "arm64"}.get(platform.machine(), "")
print(json.dumps({"torch": torch.__version__, "cuda": torch.version.cuda, "flags": flags,
    "python": "%d.%d" % sys.version_info[:2], "abi": bool(getattr(torch._C, "_GLIBCXX_USE_CXX11_ABI", False)),
    "channel": record.get("channel", ""), "build": record.get("build", ""), "subdir": system + "-" + machine}))
"""
WORDS = {True: "agrees", False: "contradicts", None: "no fact"}


@value
class Held:
    """One measured property against its fact; ``agrees`` is None where no fact is."""

    what: str
    measured: str
    fact: str | None
    agrees: bool | None


@command(
    examples=("envforge facts verify vision", "envforge facts verify --python .venv/bin/python"), name="facts verify"
)
def facts_verify(
    talk: Talk,
    environment: MaybeEnvironment = None,
    name: GivenName = None,
    prefix: GivenPrefix = None,
    python: Python = None,
    timeout: Timeout = None,
) -> Answer:
    """Measure an installed torch (version, CUDA, arch flags, ABI) and report what contradicts the facts.

    Exit 1 when a fact is contradicted, 3 when no fact speaks of this build.
    """
    known, seen = facts_here(), _measure(_interpreter(environment, name, prefix, python), timeout or DEADLINE_S)
    build = _build_of(known, seen)
    held = tuple(_held(known, seen, build)) if build else ()
    verdict = "unknown" if build is None else "contradicts" if any(each.agrees is False for each in held) else "agrees"
    return Answer(
        data={"verdict": verdict, "measured": seen, "build": build, "held": held, "facts": known.digest},
        page=lambda: _page(seen, build, held, verdict),
        exit={"agrees": 0, "contradicts": 1, "unknown": 3}[verdict],
    )


def _interpreter(environment: str | None, name: str | None, prefix: Path | None, python: str | None) -> Path:
    if python:
        if environment or name or prefix:
            raise UsageError("`--python` and an environment exclude each other")
        if found := shutil.which(python) or shutil.which(str(Path(python).expanduser())):
            return Path(found)
        raise UsageError(f"`{python}` is not a program that can be run", (python,))
    dirs = find_dirs()
    there = find_one(dirs, name, prefix, environment)
    if there is None:
        raise UsageError("what to measure is not said", (), ("name an environment, or an interpreter with `--python`",))
    return there.python


def _measure(python: Path, deadline_s: float) -> dict[str, Any]:
    done = run([str(python), "-c", PROBE], deadline_s=deadline_s)
    if not done.ok:
        said = "no answer in time" if done.timed_out else (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise CouldNotTell(f"torch cannot be measured: {said.rstrip('.')}", (str(python),))
    try:
        seen: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
        Version(seen["torch"])
    except (ValueError, IndexError, KeyError, InvalidVersion) as error:
        raise CouldNotTell("torch cannot be measured: it answers nothing that can be read", (str(python),)) from error
    return seen


def _build_of(known: Facts, seen: dict[str, Any]) -> Build | None:
    """Find the build that is installed by where it came from and what it calls itself; None when no fact names it."""
    version = Version(seen["torch"])
    same = [each for each in known.builds(seen["subdir"]) if str(each.torch) == version.public]
    if seen["build"]:
        old = seen["channel"].rstrip("/").endswith("/pytorch") or seen["channel"] == "pytorch"
        source = OLD_CHANNEL if old else "conda-forge"
        fits = (each for each in same if each.source == source and each.variant in seen["build"])
        return max(fits, key=lambda each: len(each.variant), default=None)
    if version.local:
        return next((each for each in same if each.source == "pytorch" and each.local == version.local), None)
    return next((each for each in same if each.source == "pypi"), None)


def _held(known: Facts, seen: dict[str, Any], build: Build) -> Iterator[Held]:
    """Hold each property against its fact."""
    yield _equal("CUDA", seen["cuda"] or "none", str(build.cuda) if build.cuda else "none")
    yield Held(
        what="Python",
        measured=seen["python"],
        fact=" ".join(build.pythons) or None,
        agrees=seen["python"] in build.pythons if build.pythons else None,
    )
    for what, start, fact in (("machine code", "sm", build.sass), ("PTX", "compute", build.ptx)):
        yield _codes(what, start, seen["flags"] or "", fact)
    if (abi := known.cxx11_abi(build)) is not None and seen["subdir"].startswith("linux"):
        yield _equal("C++11 ABI", str(seen["abi"]).lower(), str(abi).lower())


def _equal(what: str, measured: str, fact: str) -> Held:
    return Held(what=what, measured=measured, fact=fact, agrees=measured == fact)


def _codes(what: str, start: str, flags: str, fact: tuple[ComputeCapability, ...] | None) -> Held:
    found = sorted({ComputeCapability.parse(word) for word in flags.split() if word.startswith(f"{start}_")})
    agrees = None if fact is None else found == sorted(fact)
    return Held(what=what, measured=_say(found), fact=None if fact is None else _say(fact), agrees=agrees)


def _say(codes: Any) -> str:
    return " ".join(map(str, codes)) or "none"


def _page(seen: dict[str, Any], build: Build | None, held: tuple[Held, ...], verdict: str) -> Page:
    if build is None:
        return (
            prose(f"No fact names torch {seen['torch']} ({seen['subdir']}, CUDA {seen['cuda'] or 'none'}).", "warn"),
        )
    rows = [(each.what, each.measured, each.fact or "", WORDS[each.agrees]) for each in held]
    verb = "agrees with" if verdict == "agrees" else verdict
    said = f"torch {seen['torch']} from {build.source} ({build.variant}) {verb} the facts"
    head = prose(said, "bad" if verdict == "contradicts" else "good")
    return join((head,), table(("what", "measured", "fact", ""), rows))
