"""The reference page of the rules: one section per id, so that an id in the terminal can link to it. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from envforge.model import Remedy, Rule

HEAD = """# Rules of the doctor

One section per rule; the heading is the id that `envforge doctor` prints. This page is generated from
`src/envforge/doctor/rules/` by `python -m envforge.doctor.compiling`.

Severities: `blocker` (no GPU work possible, or torch cannot be imported), `degraded` (works partly or slowly),
`advisory` (matters for some work only), `info` (not a fault). The place is where the fix has to be made.
"""


def write_reference(rules: Sequence[Rule]) -> str:
    """Give the page as Markdown, grouped by area, in the order of the rules."""
    areas = list(dict.fromkeys(rule.area for rule in rules))
    parts = [HEAD]
    for area in areas:
        parts.append(f"## Area: {area}\n")
        parts += ["\n".join(_section(rule)) for rule in rules if rule.area == area]
    return "\n".join(parts)


def _section(rule: Rule) -> Iterator[str]:
    yield f"### {rule.id}\n"
    yield f"**{rule.title}.** Severity `{rule.severity}`, place `{rule.place}`.\n"
    yield f"{rule.why}\n"
    if rule.prints:
        yield "Messages that point here:\n"
        yield from (f"* `{pattern}`" for pattern in rule.prints)
        yield ""
    if rule.remedy:
        yield "What helps:\n"
        yield from (_step(step) for step in rule.remedy)
        yield ""
    if rule.rule_out_first:
        yield "Ruled out first: " + ", ".join(f"[{name}](#{name})" for name in rule.rule_out_first) + ".\n"
    if rule.references:
        yield "Sources: " + ", ".join(_reference(text) for text in rule.references) + ".\n"


def _step(step: Remedy) -> str:
    where = f" ({', '.join(step.distro)})" if step.distro else ""
    return f"* {step.text}{where}" + (f": `{step.run}`" if step.run else "")


def _reference(text: str) -> str:
    name, _, number = text.partition("#")
    return f"[{text}](https://github.com/{name}/issues/{number})" if number.isdigit() and "/" in name else text
