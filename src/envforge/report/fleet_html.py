"""A fleet's report as one HTML page that needs no server and no network: every node, and every check on it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from envforge.report.fleet import SIDES, WORDS

Shape = Mapping[str, Any]
SIGNS = {"pass": "✓", "fail": "✗", "inconclusive": "?", "skip": "–", "": ""}
BADNESS = ("raised", "failed", "lost", "late", "ok")
STYLE = """
:root { color-scheme: light dark; --ink: #1b1f24; --quiet: #6a737d; --paper: #fff; --line: #d8dee4;
  --good: #1a7f37; --bad: #cf222e; --warn: #9a6700; --none: #8c959f; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6edf3; --quiet: #8b949e; --paper: #0d1117; --line: #30363d;
  --good: #3fb950; --bad: #f85149; --warn: #d29922; --none: #6e7681; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); margin: 2rem auto;
  max-width: 72rem; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin-top: 2.2rem; } h3 { font-size: 1rem; }
.quiet { color: var(--quiet); } code { font-size: .92em; overflow-wrap: anywhere; }
.nodes { display: flex; flex-wrap: wrap; gap: 3px; margin: .8rem 0; }
.nodes i { width: 14px; height: 14px; border-radius: 3px; font: 700 10px/14px monospace; text-align: center;
  color: var(--paper); }
.ok, .pass { --mark: var(--good); } .failed, .raised, .fail { --mark: var(--bad); }
.lost, .late, .inconclusive { --mark: var(--warn); } .skip { --mark: var(--none); }
.nodes i { background: var(--mark, var(--none)); }
.wide { overflow-x: auto; } table { border-collapse: collapse; } td, th { padding: .15rem .5rem; text-align: left; }
tbody tr { border-top: 1px solid var(--line); } td.sign { color: var(--mark, var(--none)); text-align: center;
  font-weight: 700; padding: .15rem .2rem; } td b { color: var(--mark); }
th.check { font-weight: 400; font-size: .8rem; height: 9rem; vertical-align: bottom; padding: 0 .2rem; }
th.check span { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap; }
"""


def fleet_html(steps: Sequence[Shape]) -> str:
    """Write the page of a report's steps, the newest first."""
    body = "\n".join(line for each in reversed(steps) for line in _step(each))
    head = f'<meta charset="utf-8"><meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
    page = f'<html lang="en"><head>{head}<title>Fleet</title></head>\n<body>\n<h1>Fleet</h1>\n{body}\n</body></html>'
    return f"<!doctype html>\n{page}\n"


def _step(data: Shape) -> Iterator[str]:
    counts = data["counts"]
    rest = ", ".join(f"{count} {WORDS[state]}" for state, count in counts.items() if count and state != "ok")
    told = f"{counts['ok']} of {sum(counts.values())} nodes ok" + (f", {rest}" if rest else "")
    yield f"<h2>{escape(data['step'])}: {escape(told)}</h2>"
    yield f'<p class="quiet">{escape(data["when"])}</p>'
    yield from _squares(data["nodes"])
    yield from _list("What went wrong", map(_told, data["told"]))
    yield from _matrix(data["nodes"])
    yield from _list("Kinds of nodes", map(_kind, data.get("kinds", ())))
    yield from _list("Faults", map(_fault, data.get("faults", ())))
    yield from _list("Slower than their siblings", map(_slow, data.get("slow", ())))
    yield from _list("Findings", map(_finding, data.get("findings", ())))
    yield from _list(
        "To take out of service", (f"<code>{escape(each['run'])}</code>" for each in data.get("drains", ()))
    )


def _squares(nodes: Sequence[Shape]) -> Iterator[str]:
    """Draw each node as a square; what is not ok has a sign, too, for those who do not tell the colours apart."""
    yield '<div class="nodes">'
    for each in nodes:
        sign = "" if each["state"] == "ok" else "!" if each["state"] in ("failed", "raised") else "?"
        said = ": ".join(filter(None, (each["node"], each["state"], each["says"])))
        yield f'<i class="{each["state"]}" title="{escape(said)}">{sign}</i>'
    yield "</div>"


def _matrix(nodes: Sequence[Shape]) -> Iterator[str]:
    """Draw nodes by checks; nodes with the same row are one, the worst come first."""
    checks = list(dict.fromkeys(check for each in nodes for check in each["checks"]))
    if not checks:
        return
    yield '<div class="wide"><table><thead><tr><th>nodes</th><th></th>'
    yield "".join(f'<th class="check"><span>{escape(check)}</span></th>' for check in checks)
    yield "</tr></thead><tbody>"
    rows: dict[tuple[str, ...], list[str]] = {}
    for each in nodes:
        rows.setdefault((each["state"], *(each["checks"].get(check, "") for check in checks)), []).append(each["node"])
    for (state, *outcomes), names in sorted(rows.items(), key=_badness):
        cells = "".join(f'<td class="sign {outcome}">{SIGNS[outcome]}</td>' for outcome in outcomes)
        yield f'<tr><td>{escape(_names(names))}</td><td class="{state}"><b>{state}</b></td>{cells}</tr>'
    yield "</tbody></table></div>"


def _badness(row: tuple[tuple[str, ...], list[str]]) -> tuple[int, int]:
    (state, *outcomes), _ = row
    return BADNESS.index(state), -outcomes.count("fail")


def _names(names: Sequence[str]) -> str:
    few = ", ".join(names[:8])
    return few if len(names) <= 8 else f"{few} and {len(names) - 8} more"


def _list(heading: str, items: Iterable[str]) -> Iterator[str]:
    found = [f"<li>{each}</li>" for each in items]
    if found:
        yield f"<h3>{heading}</h3><ul>"
        yield from found
        yield "</ul>"


def _told(each: Shape) -> str:
    many = f" ({each['count']})" if each["count"] > 1 else ""
    said = f": {_words(each['says'])}" if each["says"] else ""
    return f"<b>{escape(each['nodes'])}</b>{many} {WORDS[each['state']]}{said}"


def _words(text: str) -> str:
    """Escape a sentence, and set its literals, which stand in backticks."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def _kind(each: Shape) -> str:
    words = ", ".join(filter(None, (each["driver"], each["gpus"], each["system"])))
    return f"{each['count']} × {escape(words)}<br/><span class='quiet'>{escape(each['nodes'])}</span>"


def _fault(each: Shape) -> str:
    where = f" on {each['device']}" if each["device"] else ""
    head = f"<b>{escape(each['nodes'])}</b>: <code>{escape(each['check'])}</code>{escape(where)}"
    return f"{head}<br/>{SIDES[each['side']]}: {_words(each['detail'])}"


def _slow(each: Shape) -> str:
    amount = f"{each['amount']:.4g} {each['unit']}, {each['share']:.0%} of the median"
    head = f"<b>{escape(each['node'])}</b> {escape(each['device'])}: {escape(amount)}"
    return f"{head}<br/><span class='quiet'>{escape(each['card'])}, {escape(each['operation'])}</span>"


def _finding(each: Shape) -> str:
    head = f"{_words(each['title'])} <code>{escape(each['id'])}</code>"
    return f"{head}<br/><span class='quiet'>{escape(each['nodes'])} ({each['count']})</span>"
