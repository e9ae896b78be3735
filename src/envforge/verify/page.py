"""Write the generated part of docs/reference/checks.md: ``python -m envforge.verify.page PAGE``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from envforge.verify.registry import TIERS, Check, checks, codes, features, sources, witnesses

BEGIN, END = "<!-- generated from checks.yaml and codes.yaml -->", "<!-- end of the generated part -->"


def with_generated_part(page: str) -> str:
    """Give the page with its generated part written anew; raises ValueError when the marks are not there."""
    before, _, rest = page.partition(BEGIN)
    _, found, after = rest.partition(END)
    if not found:
        raise ValueError("the page has lost its marks")
    made = "\n".join(_lines())
    return f"{before}{BEGIN}\n\n{made}\n{END}{after}"


def _lines() -> Iterator[str]:
    yield "## Witnesses\n"
    for name, text in witnesses().items():
        yield f"- **{name}**: {text}."
    yield ""
    for tier in TIERS:
        yield f"## {tier.capitalize()}\n"
        for check in checks().values():
            if check.tier == tier:
                yield from _section(check)
    yield "## Codes\n\n| code | means | at fault | reported as the doctor's rule |\n|---|---|---|---|"
    for code in codes().values():
        yield f"| `{code.name}` | {code.says} | {code.layer or ''} | {f'`{code.rule}`' if code.rule else ''} |"
    yield "\n## Words for `--require`\n\nThe name of any check, and:\n"
    for word, name in features().items():
        yield f"- `{word}`: `{name}`"
    yield "\n## Sources\n"
    for name, text in sources().items():
        yield f"- **{name}**: {text}"


def _section(check: Check) -> Iterator[str]:
    yield f"### {check.name}\n\n{_sentence(check.purpose)}\n"
    yield f"- **Proves**: {check.proves}."
    yield f"- **Passes when**: {check.numbers}."
    yield f"- **Needs**: {_needs(check)}."
    yield f"- **Where, how long**: {PLACES[check.scope]}; limit {check.limit_s:g} s."
    yield f"- **Says**: {', '.join(f'`{code}`' for code in check.codes)}."
    yield f"- **Seen**: {_seen(check)}."
    yield f"- **Source of the numbers**: {', '.join(check.source)}.\n"


PLACES = {
    "host": "once a host",
    "device": "on every device",
    "alone": "on the first device, in a worker of its own",
    "group": "over all devices together, in a worker of its own",
}


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _needs(check: Check) -> str:
    needs = check.needs
    kinds = {"cuda": "a GPU", "cpu": "a CPU", "mps": "MPS"}
    words = [" or ".join(kinds[kind] for kind in needs.get("kinds", ()))] if needs.get("kinds") else []
    words += ["NVIDIA, not ROCm"] if needs.get("nvidia") else []
    words += [f"torch {needs['torch']}"] if "torch" in needs else []
    words += [f"compute capability {needs['capability']}"] if "capability" in needs else []
    words += [f"`torch.{needs['attribute']}`"] if "attribute" in needs else []
    words += ["to be required or named"] if check.asked else []
    return ", ".join(words) or "nothing"


def _seen(check: Check) -> str:
    word = "cpu" if "cpu" in check.needs.get("kinds", ("cpu",)) else "believed"
    return f"[{word}](#witnesses); {check.seen}" if check.seen else f"[{word}](#witnesses)"


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.write_text(with_generated_part(target.read_text(encoding="utf-8")), encoding="utf-8")
