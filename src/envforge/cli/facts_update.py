"""`envforge facts update`: what the wheel indexes have that the facts do not, as a dated overlay."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from envforge.cli.common import Answer, DryRun, Talk, command
from envforge.cli.overlays import facts_here, lay_over, today
from envforge.engines.index import File, builds_of, default_index, list_index
from envforge.engines.places import TORCH_INDEX, without_credentials
from envforge.engines.remote_wheel import read_code
from envforge.engines.settings import Settings, read_settings
from envforge.errors import Unreachable, UsageError
from envforge.facts import Facts
from envforge.model import Build, Dotted, Progress, value
from envforge.report.facts import table
from envforge.report.page import Page, join, prose

Sources = Annotated[
    list[str] | None,
    typer.Option("--source", envvar="ENVFORGE_SOURCE", metavar="NAME", help="pypi or pytorch; default: both."),
]
Subdirs = Annotated[
    list[str] | None,
    typer.Option("--subdir", envvar="ENVFORGE_SUBDIR", metavar="SUBDIR", help="Platforms; default: linux-64."),
]
TIMEOUT_S = 30.0


@value
class Seen:
    """What one index has for one platform that the facts do not, and what could not be read of it."""

    builds: tuple[Build, ...] = ()
    unread: tuple[str, ...] = ()


@command(
    examples=(
        "envforge facts update",
        "envforge facts update --source pypi --subdir linux-64 --subdir win-64 --dry-run",
    ),
    name="facts update",
)
def facts_update(talk: Talk, source: Sources = None, subdir: Subdirs = None, dry_run: DryRun = False) -> Answer:
    """Ask the wheel indexes for torch builds that the facts do not know, and lay them over the facts, dated.

    Versions, Pythons and platforms are read from the index; CUDA and GPU code of new releases from the wheels, by
    ranges. What cannot be read stays unknown. Other commands use the overlay from then on.
    """
    known, settings = facts_here(), read_settings()
    places = dict(_places(tuple(source or ("pypi", "pytorch")), settings))
    found: dict[str, Seen] = {}
    with talk.watching() as emit:
        for name, url in places.items():
            emit(Progress(phase="ask", subject=name))
            found[name] = _ask(talk, known, name, url, tuple(subdir or ("linux-64",)), settings)
    builds = tuple(build for each in found.values() for build in each.builds)
    sources = {name: f"{without_credentials(url)}, read {today()}" for name, url in places.items()}
    path = lay_over(builds, sources) if builds and not dry_run else None
    unread = tuple(text for each in found.values() for text in each.unread)
    for text in unread:
        talk.warn(text)
    return Answer(
        data={"written": str(path) if path else None, "builds": builds, "unread": unread, "dated": known.dated},
        page=lambda: _page(builds, path, unread),
    )


def _places(sources: tuple[str, ...], settings: Settings) -> Iterator[tuple[str, str]]:
    known = {"pypi": settings.default_index or default_index(), "pytorch": TORCH_INDEX}
    for source in sources:
        if source not in known:
            raise UsageError(f"`{source}` is not a wheel index that facts speak of", (), ("`pypi` and `pytorch` are",))
        yield source, known[source]


def _ask(talk: Talk, known: Facts, source: str, url: str, subdirs: tuple[str, ...], settings: Settings) -> Seen:
    """Ask one index. Raises Unreachable when it cannot be asked."""
    files = list_index(url, settings, TIMEOUT_S)
    seen = [_new(talk, known, files, source, each, settings) for each in subdirs]
    return Seen(
        builds=tuple(build for each in seen for build in each.builds),
        unread=tuple(text for each in seen for text in each.unread),
    )


def _new(talk: Talk, known: Facts, files: list[File], source: str, subdir: str, settings: Settings) -> Seen:
    """Give the builds for one platform that are new, or have wheels for Pythons that the facts do not name."""
    facts = known.builds(subdir)
    newest = max((each.torch for each in facts), default=None)
    oldest = min((each.torch for each in facts), default=None)
    found, unread = [], []
    for build in builds_of(files, source, subdir, source):
        if build.torch.is_prerelease or (oldest and build.torch < oldest) or not _is_ours(build):
            continue
        twin = next((each for each in facts if _same(each, build)), None)
        if twin is not None and set(build.pythons) <= set(twin.pythons):
            continue
        try:
            found.append(_filled(build, twin, files, subdir, settings, read=newest is None or build.torch > newest))
        except Unreachable as error:
            unread.append(error.message)
            found += [build] if build.variant else []
    return Seen(builds=tuple(found), unread=tuple(unread))


def _is_ours(build: Build) -> bool:
    """Tell whether a build is for CUDA, for the CPU, or does not say: ROCm's, Intel's and special ones are no facts."""
    return build.local in {None, build.variant} and (build.cuda is not None or build.variant in {"", "cpu"})


def _same(fact: Build, build: Build) -> bool:
    return (fact.torch, fact.source, fact.local) == (build.torch, build.source, build.local)


def _filled(
    build: Build, twin: Build | None, files: list[File], subdir: str, settings: Settings, *, read: bool
) -> Build:
    """Fill what the index does not say: from the fact of the same build, else from the wheel.

    The wheel is read where ``read`` asks for it, and where nothing else names its CUDA.
    """
    if twin is not None:
        pythons = tuple(sorted({*build.pythons, *twin.pythons}, key=Dotted))
        return replace(
            build,
            pythons=pythons,
            variant=twin.variant,
            cuda=twin.cuda,
            sass=twin.sass,
            ptx=twin.ptx,
            ran=twin.ran,
            failed=twin.failed,
        )
    if build.variant == "cpu" or (build.variant and not read):
        return build
    file = next(each for each in files if _is_of(each, build, subdir))
    code = read_code(file.url, settings, TIMEOUT_S)
    variant = build.variant or (f"cu{code.cuda.major}{code.cuda.minor}" if code.cuda else "cpu")
    return replace(build, variant=variant, cuda=code.cuda, sass=code.sass, ptx=code.ptx, confidence="measured")


def _is_of(file: File, build: Build, subdir: str) -> bool:
    return any(_same(each, build) for each in builds_of([file], build.source, subdir, build.source))


def _page(builds: tuple[Build, ...], path: Path | None, unread: tuple[str, ...]) -> Page:
    if not builds and unread:
        return (prose(f"New builds of torch that could not be read, and stay unknown: {len(unread)}."),)
    if not builds:
        return (prose("The indexes have no torch build that the facts do not know.", "good"),)
    said = f"{len(builds)} new {'build' if len(builds) == 1 else 'builds'}, " + (
        f"laid over the facts in `{path}`" if path else "nothing written"
    )
    return join(
        table(("torch", "CUDA", "from", "for", "Python", "machine code for"), [_row(each) for each in builds]),
        (prose(said),),
    )


def _row(build: Build) -> tuple[Any, ...]:
    cuda = str(build.cuda) if build.cuda else "cpu" if build.variant == "cpu" else "?"
    codes = "unknown" if build.sass is None else " ".join(map(str, build.sass))
    pythons = f"{build.pythons[0]}-{build.pythons[-1]}"
    return str(build.torch), cuda, f"{build.source} ({build.variant})", build.subdir, pythons, codes
