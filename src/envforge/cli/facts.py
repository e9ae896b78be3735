"""`envforge facts`: what envforge knows of torch builds, with sources and dates."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any

import typer
from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envforge.cli.common import Answer, Talk, command
from envforge.cli.overlays import facts_here
from envforge.errors import UsageError
from envforge.facts import Architecture, Facts
from envforge.facts.matrix import Asked, Entry, matrix, newest_by_capability, unserved
from envforge.model import Build, ComputeCapability, Dotted
from envforge.report.facts import table
from envforge.report.page import Page, join, prose
from envforge.wire import to_plain

Gpu = Annotated[
    str | None,
    typer.Option(
        "--gpu", envvar="ENVFORGE_GPU", metavar="NAME|CC", help="Builds that run on this card, or capability (9.0)."
    ),
]
Driver = Annotated[
    str | None,
    typer.Option("--driver", envvar="ENVFORGE_DRIVER", metavar="VERSION", help="Builds that this driver serves."),
]
Torch = Annotated[
    str | None, typer.Option("--torch", envvar="ENVFORGE_TORCH", metavar="SPECIFIER", help="Releases of torch.")
]
PythonMinor = Annotated[
    str | None,
    typer.Option("--python", envvar="ENVFORGE_FACTS_PYTHON", metavar="MINOR", help="Builds for this Python, `3.12`."),
]
Source = Annotated[
    str | None, typer.Option("--source", envvar="ENVFORGE_SOURCE", metavar="NAME", help="Builds of one source.")
]
Subdir = Annotated[
    str, typer.Option("--subdir", envvar="ENVFORGE_SUBDIR", metavar="SUBDIR", help="Builds for this platform.")
]
All = Annotated[bool, typer.Option("--all", envvar="ENVFORGE_FACTS_ALL", help="List every build, not the newest 20.")]
MOST_ROWS = 20


@command(
    examples=(
        "envforge facts",
        "envforge facts --gpu 'Tesla V100-SXM2-32GB' --driver 535.104.05",
        "envforge facts --torch '>=2.14' --source pytorch --json",
        "envforge facts verify vision",
        "envforge facts update",
    )
)
def facts(
    talk: Talk,
    gpu: Gpu = None,
    driver: Driver = None,
    torch: Torch = None,
    python: PythonMinor = None,
    source: Source = None,
    subdir: Subdir = "linux-64",
    everything: All = False,
) -> Answer:
    """Show which torch builds run on a GPU, under a driver, with a Python; newest first.

    Without a filter it shows the newest torch for each generation of GPUs.
    """
    known = facts_here()
    asked = Asked(
        capability=_capability(known, gpu) if gpu else None,
        driver=_dotted(driver) if driver else None,
        torch=_specifier(torch) if torch else None,
        python=python,
        source=source,
    )
    if asked == Asked() and not everything:
        return _overview(known, subdir)
    entries = matrix(known, subdir, asked)
    return Answer(
        data={"dated": known.dated, "digest": known.digest, "subdir": subdir, "builds": [_shape(e) for e in entries]},
        page=lambda: join(
            _page(known, entries, everything=everything, verbose=talk.verbose > 0), _why_none(unserved(known, asked))
        ),
    )


def _why_none(unserved: Architecture | None) -> Page:
    if unserved is None:
        return ()
    first, last = unserved.first_driver, unserved.last_driver
    bounds = f"{first} to {last}" if first and last else f"up to {last}" if last else f"from {first} on"
    return (prose(f"GPUs of {unserved.capability} ({unserved.name}) are served by driver branches {bounds}."),)


def _overview(known: Facts, subdir: str) -> Answer:
    found = newest_by_capability(known, subdir)
    data = [{"architecture": to_plain(each), "newest": entry and _shape(entry)} for each, entry in found]
    head = ("GPUs", "capability", "newest torch", "CUDA", "driver ≥", "from")
    return Answer(
        data={"dated": known.dated, "digest": known.digest, "subdir": subdir, "newest": data},
        page=lambda: join(
            table(head, [_newest(each, entry) for each, entry in found]),
            (
                prose(
                    f"Facts of {known.dated}, {subdir}. Filters: `--gpu`, `--driver`, `--torch`, `--python`.", "quiet"
                ),
            ),
        ),
    )


def _newest(architecture: Architecture, entry: Entry | None) -> tuple[str, ...]:
    named = (architecture.name, str(architecture.capability))
    if entry is None:
        return (*named, "none", "", "", "")
    build = entry.build
    return (*named, str(build.torch), str(build.cuda), str(entry.floor or "?"), _place(build))


def _page(known: Facts, entries: tuple[Entry, ...], *, everything: bool, verbose: bool) -> Page:
    shown = entries if everything else entries[:MOST_ROWS]
    more = len(entries) - len(shown)
    head = ("torch", "CUDA", "from", "Python", "driver ≥", *(("native ≥",) if verbose else ()), "machine code for")
    said = f"{len(entries)} builds, facts of {known.dated}" + (f"; {more} more with `--all`" if more else "")
    said += "; `8.0/6` is 8.0 and 8.6" if entries else ""
    rows = table(head, [_row(entry, verbose=verbose) for entry in shown]) if entries else ()
    return join(rows, (prose(said, "quiet"),))


def _row(entry: Entry, *, verbose: bool) -> tuple[str, ...]:
    build = entry.build
    pythons = f"{build.pythons[0]}-{build.pythons[-1]}" if len(build.pythons) > 1 else "".join(build.pythons)
    cuda = "cpu" if build.cuda is None else str(build.cuda)
    source = _place(build) + " (Jetson)" * build.tegra
    native = (str(entry.native or ""),) if verbose else ()
    own = " (measured here)" if any(": measured, seen" in place for place in build.where) else ""
    return str(build.torch), cuda, source, pythons, str(entry.floor or ""), *native, _codes(entry.runs) + own


def _place(build: Build) -> str:
    """Give a source in few letters: a channel's URL by its last part."""
    return f"channel {build.source.rpartition('/')[2]}" if "://" in build.source else build.source


def _codes(capabilities: Iterable[ComputeCapability]) -> str:
    """List capabilities, those of one major together: ``8.0/6/9``."""
    majors: dict[int, list[str]] = {}
    for each in sorted(capabilities):
        majors.setdefault(each.major, []).append(str(each.minor))
    return " ".join(f"{major}.{'/'.join(minors)}" for major, minors in majors.items())


def _shape(entry: Entry) -> dict[str, Any]:
    plain: dict[str, Any] = to_plain(entry)
    return plain


def _capability(known: Facts, word: str) -> ComputeCapability:
    """Read a card's name or a compute capability. Raises UsageError."""
    try:
        return ComputeCapability.parse(word)
    except ValueError:
        card = known.card(word)
    if card is None:
        hints = ("give its compute capability, as `--gpu 9.0`",)
        raise UsageError(f"no fact names a card `{word}`", (), hints)
    return card.capability


def _dotted(word: str) -> Dotted:
    try:
        return Dotted(word)
    except ValueError:
        raise UsageError(f"`{word}` is not a driver version", (), ("write it as `535.104.05`",)) from None


def _specifier(word: str) -> SpecifierSet:
    try:
        return SpecifierSet(f"=={word}.*" if word[:1].isdigit() else word)
    except InvalidSpecifier:
        raise UsageError(f"`{word}` is no specifier", (), ("write it as `>=2.14` or `2.14`",)) from None
