"""A plan as one screen: what was chosen and why, what better was rejected and why, what would unlock more."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from envforge.model import Candidate, Choice, Conflict, Cover, Machine, Reason, Rejected, RejectedRange, Warned, WayOut
from envforge.report.machine import machine_line
from envforge.report.page import Line, Page, item, join, prose, row, spans, title
from envforge.report.progress import in_bytes

LABELS = 10
MOST_MACHINES = 4
MOST_PARTS = 3
MOST_VARIANTS = 6


def plan_page(
    spec: str,
    machines: Sequence[Machine],
    outcome: Choice | Conflict,
    *,
    covers: Sequence[Cover] = (),
    download_bytes: int | None = None,
    unpacked_bytes: int | None = None,
    verbose: bool = False,
) -> Page:
    """Say everything that a user needs to agree or to act; ``verbose`` adds where each sentence's facts are from."""
    head = _head(spec, machines)
    if covers:
        none = Line(body=(("bad", f"No single environment serves all {len(machines)} machines."),))
        return join(head, (none,), *(_cover(cover, verbose) for cover in covers))
    sizes = _sizes(download_bytes, unpacked_bytes)
    return join(head, *outcome_pages(outcome, verbose=verbose, sizes=sizes))


def outcome_pages(outcome: Choice | Conflict, *, verbose: bool = False, sizes: Iterable[Line] = ()) -> Iterator[Page]:
    """Give the paragraphs of a choice or a conflict."""
    if isinstance(outcome, Choice):
        yield (*_chosen(outcome), *sizes)
        yield _section("Why", _reasons(outcome.reasons, verbose))
        yield _section("Newer or preferred, but not here", _ranges(outcome.ranges, verbose))
        yield _section("What would unlock more", _unlocks(outcome.unlocks, verbose))
    else:
        yield from _conflict(outcome, verbose)
    said = {each.reason.text for each in outcome.ranges}
    yield warnings_page((each for each in outcome.warnings if each.text not in said), verbose=verbose)


def why_not_page(spec: str, machines: Sequence[Machine], missed: Sequence[Rejected], *, verbose: bool = False) -> Page:
    """Say of each build that was asked after what stands against it; the same build of several sources once."""
    groups: dict[tuple[object, ...], list[Rejected]] = {}
    for each in missed:
        build, told = each.candidate.build, tuple(reason.text for reason in each.reasons)
        groups.setdefault((build.torch, build.cuda, each.candidate.python, told), []).append(each)
    return join(_head(spec, machines), *(tuple(_missed(group, verbose)) for group in groups.values()))


def _missed(group: Sequence[Rejected], verbose: bool) -> Iterator[Line]:
    first, builds = group[0], [each.candidate.build for each in group]
    others = "".join(f", {place}" for place in dict.fromkeys(place_name(build.source) for build in builds[1:]))
    labels = ", ".join(dict.fromkeys(build.local or build.variant for build in builds))
    yield Line(body=(("strong", candidate_text(first.candidate) + others), ("quiet", f"  ({labels})")))
    yield from _reasons(first.reasons, verbose) if first.reasons else (item("this is the one that is chosen"),)


def _head(spec: str, machines: Sequence[Machine]) -> list[Line]:
    shown = [Line(label=(("quiet", "for"),), body=machine_line(each), width=4) for each in machines[:MOST_MACHINES]]
    more = len(machines) - len(shown)
    return [Line(body=(("title", spec),)), *shown, *([prose(f"and {more} more machines", "quiet")] if more else [])]


def _cover(cover: Cover, verbose: bool) -> Page:
    names = ", ".join(cover.machines[:6]) + (f" and {len(cover.machines) - 6} more" if len(cover.machines) > 6 else "")
    what = "One environment for" if isinstance(cover.outcome, Choice) else "None for"
    return join((title(f"{what} {names}"),), *outcome_pages(cover.outcome, verbose=verbose))


def _section(heading: str, lines: Iterable[Line]) -> Page:
    body = tuple(lines)
    return (title(heading), *body) if body else ()


def candidate_text(candidate: Candidate) -> str:
    """Name a candidate in words: ``torch 2.13.0 with CUDA 12.6 on Python 3.13, from pytorch``."""
    build = candidate.build
    kind = "for the CPU" if build.cuda is None else f"with CUDA {build.cuda}"
    return f"torch {build.torch} {kind} on Python {candidate.python}, from {place_name(build.source)}"


def place_name(source: str) -> str:
    """Shorten a URL or a path to what people know it by: its host, or ``…`` and the end of its path."""
    scheme, _, rest = source.rpartition("://")
    if not scheme and not source.startswith(("/", ".", "~")):
        return source
    parts = [part for part in rest.split("/") if part]
    local = scheme in ("", "file")
    return rest if len(parts) <= MOST_PARTS else "/".join(["…", *parts[-2:]] if local else [parts[0], "…", parts[-1]])


def _chosen(choice: Choice) -> Iterator[Line]:
    build = choice.best.build
    kind = "for the CPU" if build.cuda is None else f"with CUDA {build.cuda}"
    what = f"{build.torch} {kind}"
    rest = f", from {place_name(build.source)} ({build.kind}, {build.local or build.variant})"
    yield Line(label=(("quiet", "torch"),), body=(("good", what), ("", rest)), width=LABELS, indent=2)
    yield row("python", choice.best.python, width=LABELS)
    if choice.best.companions:
        named = ", ".join(f"{name} {version}" for name, version in choice.best.companions)
        yield row("with", named, width=LABELS)


def _sizes(download_bytes: int | None, unpacked_bytes: int | None) -> Iterator[Line]:
    known = [(download_bytes, "to download"), (unpacked_bytes, "on disk")]
    if text := ", ".join(f"{in_bytes(count)} {word}" for count, word in known if count is not None):
        yield row("size", text, width=LABELS)


def _reasons(reasons: Iterable[Reason], verbose: bool) -> Iterator[Line]:
    for reason in reasons:
        yield item(reason.text)
        yield from _sources(reason, verbose, 6)


def _sources(reason: Reason, verbose: bool, indent: int) -> Iterator[Line]:
    for place in reason.where if verbose else ():
        yield Line(body=(("quiet", place),), indent=indent)


def _ranges(ranges: Iterable[RejectedRange], verbose: bool) -> Iterator[Line]:
    for each in ranges:
        builds = f"torch {each.torch} {_variants([name for name in each.variants if name], verbose)}".rstrip()
        places = ", ".join(dict.fromkeys(map(place_name, each.sources)))
        yield Line(body=(("strong", builds), ("quiet", f"  from {places}")), indent=2)
        yield Line(body=spans(each.reason.text), indent=4)
        yield from _sources(each.reason, verbose, 6)


def _variants(names: Sequence[str], verbose: bool) -> str:
    """Name them all where they are few or all are asked for, else the first and how many others there are."""
    few = verbose or len(names) <= MOST_VARIANTS
    return ", ".join(names if few else names[:3]) + ("" if few else f" and {len(names) - 3} others")


def _unlocks(ways: Iterable[WayOut], verbose: bool) -> Iterator[Line]:
    for way in ways:
        body = (*spans(way.hint), ("", f": {candidate_text(way.gets)}"))
        yield Line(label=(("quiet", "→"),), body=body, width=2, indent=2)
        yield from _given_up(way, verbose)


def _given_up(way: WayOut, verbose: bool) -> Iterator[Line]:
    """Say what a way gives up, and by which facts."""
    for reason in way.gives_up if verbose else ():
        yield Line(body=(("quiet", "since "), *spans(reason.text)), indent=6)
        yield from _sources(reason, verbose, 8)


def _conflict(conflict: Conflict, verbose: bool) -> Iterator[Page]:
    yield (Line(body=(("bad", "No environment can serve this."),)),)
    for number, core in enumerate(conflict.cores, 1):
        counted = f" ({number} of {len(conflict.cores)})" if len(conflict.cores) > 1 else ""
        heading = "These contradict each other" if len(core) > 1 else "This alone forbids it"
        yield _section(heading + counted, _reasons(core, verbose))
    yield _section("Ways out", _ways(conflict.ways_out, verbose))
    yield _section("What was looked at", _ranges(conflict.ranges, verbose)) if verbose else ()


def _ways(ways: Sequence[WayOut], verbose: bool) -> Iterator[Line]:
    for number, way in enumerate(ways, 1):
        yield Line(label=(("strong", f"{number}."),), body=spans(way.hint), width=3, indent=2)
        yield Line(label=(("quiet", "→"),), body=(("good", candidate_text(way.gets)),), width=2, indent=5)
        yield from _given_up(way, verbose)


def warnings_page(warnings: Iterable[Warned], *, verbose: bool = False) -> Page:
    """Say what is true and worth knowing before going on."""
    return tuple(line for each in warnings for line in _warning(each, verbose))


def _warning(warned: Warned, verbose: bool) -> Iterator[Line]:
    yield Line(label=(("warn", "warning:"),), body=spans(warned.text), width=9)
    for place in warned.where if verbose else ():
        yield Line(body=(("quiet", place),), indent=9)
