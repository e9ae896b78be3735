"""What came of a fleet, as a page: the sum, what went wrong and where, then what this step found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from envforge.report.page import Line, Page, Style, command, item, join, prose, row, spans, title
from envforge.report.plan import place_name

Shape = Mapping[str, Any]
MARKS: Final[dict[str, tuple[Style, str]]] = {
    "ok": ("good", "✓"),
    "failed": ("bad", "✗"),
    "raised": ("bad", "✗"),
    "lost": ("warn", "?"),
    "late": ("warn", "?"),
}
WORDS = {
    "failed": "failed",
    "raised": "could not be run",
    "lost": "lost",
    "late": "not done in time",
}
SIDES = {
    "node": "ill",
    "setup": "set-up",
    "environment": "environment",
    "unknown": "unknown",
}
LABELS = 10
WIDE = 60


def fleet_page(data: Shape, *, verbose: bool = False) -> Page:
    """Say what came of a step on every node; ``verbose`` lists each node."""
    return join(
        _head(data),
        [line for each in data["told"] for line in _told(each, verbose)],
        [line for each in data["nodes"] if verbose for line in _node(each)],
        _section("Kinds of nodes", [line for each in data.get("kinds", ()) for line in _kind(each, verbose)]),
        *(_group(each, verbose) for each in data.get("groups", ())),
        _section(
            "What forces a split", [line for each in data.get("forced_by", ()) for line in _forced(each, verbose)]
        ),
        _section("What would join them", [item(each["says"]) for each in data.get("joins", ())]),
        _section("Faults", list(_faults(data.get("faults", ())))),
        _section("Medians", [line for each in data.get("medians", ()) if verbose for line in _median(each)]),
        _section("Slower than their siblings", [line for each in data.get("slow", ()) for line in _slow(each)]),
        _section("Findings", [line for each in data.get("findings", ()) for line in _finding(each)]),
        _drains(data.get("drains", ())),
    )


def _head(data: Shape) -> Page:
    counts = data["counts"]
    total = sum(counts.values())
    style: Style = "good" if counts["ok"] == total else "warn"
    rest = ", ".join(f"{count} {WORDS[state]}" for state, count in counts.items() if count and state != "ok")
    told = f"{counts['ok']} of {total} nodes ok"
    without = sum(each["count"] for each in data.get("groups", ()) if each["choice"] is None)
    rest += f"{', ' if rest else ''}{without} served by no environment" if without else ""
    return (Line(body=(("title", f"fleet {data['step']}"), ("", "  "), (style, told), ("quiet", f"  {rest}"))),)


def _told(each: Shape, verbose: bool) -> Iterator[Line]:
    style, mark = MARKS[each["state"]]
    yield Line(label=((style, mark),), body=(("strong", _nodes(each, verbose)),), width=2, indent=2)
    said = f": {each['says']}" if each["says"] else ""
    yield Line(body=spans(WORDS[each["state"]] + said), indent=4)


def _node(each: Shape) -> Iterator[Line]:
    style, mark = MARKS[each["state"]]
    again = f", attempt {each['attempts']}" if each["attempts"] > 1 else ""
    verdict = f"  {each['verdict']}" if each["verdict"] else ""
    text = f"{each['node']}{verdict}"
    yield Line(
        label=((style, mark),), body=(("", text), ("quiet", f"  {each['took_s']:.1f} s{again}")), width=2, indent=2
    )


def _section(heading: str, lines: list[Line]) -> Page:
    return (title(heading), *lines) if lines else ()


def _nodes(each: Shape, verbose: bool) -> str:
    """Name nodes; many whose names do not fold are counted, unless ``verbose``."""
    names, count = str(each["nodes"]), each["count"]
    if verbose or len(names) <= WIDE:
        return f"{names} ({count})" if count > 1 else names
    cut = names[:WIDE].rpartition(",")[0] or names[:WIDE]
    return f"{cut}, ... ({count}; `-v` names them)"


def _forced(each: Shape, verbose: bool) -> Iterator[Line]:
    yield item(each["says"])
    yield Line(body=(("quiet", _nodes(each, verbose)),), indent=4)


def _kind(each: Shape, verbose: bool) -> Iterator[Line]:
    system = ", ".join(filter(None, (each["driver"], each["gpus"], each["system"])))
    yield item(system)
    yield Line(body=(("quiet", _nodes(each, verbose)),), indent=4)


def _group(each: Shape, verbose: bool) -> Page:
    """Say one environment and its nodes, or why some get none."""
    if each["choice"] is None:
        head = title(f"None for {_nodes(each, verbose)}")
        reasons = [item(reason["text"]) for core in each["conflict"]["cores"][:1] for reason in core]
        ways = [item(way["hint"], mark="→") for way in each["conflict"]["ways_out"][:3]]
        return (head, *reasons, *ways)
    choice = each["choice"]
    kind = f"with CUDA {choice['cuda']}" if choice["cuda"] else "for the CPU"
    torch = f"{choice['torch']} {kind} on Python {choice['python']}, from {place_name(choice['source'])}"
    lines = [row("torch", torch, "good", width=LABELS), row("nodes", _nodes(each, verbose), width=LABELS)]
    if each.get("pack"):
        lines.append(row("pack", each["pack"], width=LABELS))
    return (title(f"Environment {each['target']}" if each.get("target") else "One environment"), *lines)


def _faults(faults: list[Shape]) -> Iterator[Line]:
    for each in faults:
        device = f" on {each['device']}" if each["device"] else ""
        code = f" (`{each['code']}`)" if each["code"] else ""
        head = f"{each['nodes']}: `{each['check']}`{device}{code}"
        yield Line(label=(("bad", "✗"),), body=spans(head), width=2, indent=2)
        yield Line(body=spans(f"{SIDES[each['side']]}: {each['detail']}"), indent=4)


def _median(each: Shape) -> Iterator[Line]:
    yield item(f"{each['card']}: {each['amount']:.4g} {each['unit']}, {each['devices']} devices")
    yield Line(body=(("quiet", each["operation"]),), indent=4)


def _slow(each: Shape) -> Iterator[Line]:
    style: Style = "bad" if each["level"] == "quarantine" else "warn"
    text = f"{each['node']} {each['device']}: {each['amount']:.4g} {each['unit']}, {each['share']:.0%} of the median"
    yield Line(label=((style, "!"),), body=(("", text),), width=2, indent=2)
    yield Line(body=(("quiet", f"{each['card']}, {each['operation']}"),), indent=4)


def _finding(each: Shape) -> Iterator[Line]:
    style: Style = {"blocker": "bad", "degraded": "warn"}.get(each["severity"], "quiet")  # type: ignore[assignment]
    yield Line(label=((style, "!"),), body=(("", f"{each['title']}  "), ("rule", each["id"])), width=2, indent=2)
    yield Line(body=(("quiet", f"{each['nodes']} ({each['count']})"),), indent=4)


def _drains(drains: list[Shape]) -> Page:
    if not drains:
        return ()
    done = any(each.get("done") is not None for each in drains)
    text = "Taken out of service" if done else "To take them out of service; jobs that run there go on"
    lines = [command(each["run"]) for each in drains]
    failed = [prose(f"{each['node']}: {each['done']}", "bad", indent=2) for each in drains if each.get("done")]
    return (title(text), *lines, *failed)
