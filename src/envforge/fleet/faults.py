"""What checks complain of on each node, and whose fault it is: the node's, or the environment's."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from typing import Any, Literal

from envforge.fleet.compare import Slow
from envforge.model import value
from envforge.wire import read_yaml

Side = Literal["node", "setup", "environment", "unknown"]
PREFIX = "envforge:"
UNQUOTED = str.maketrans("", "", "\"'`$\\\n")


@value
class Meaning:
    """What a code stands for: its own name, and the layer at fault, None where the code alone does not tell."""

    name: str
    layer: str | None


Explain = Callable[[str | None], Meaning | None]


@value
class Fault:
    """One check that failed on one node. ``side`` says what is to be mended."""

    node: str
    device: str | None
    check: str
    code: str | None
    detail: str
    side: Side


@value
class Drain:
    """A node to be taken out of service, and why; ``run`` is Slurm's command, which lets running jobs end."""

    node: str
    reason: str

    @property
    def run(self) -> tuple[str, ...]:
        return ("scontrol", "update", f"nodename={self.node}", "state=drain", f"reason={self.reason}")

    def __str__(self) -> str:
        return f'scontrol update nodename={self.node} state=drain reason="{self.reason}"'


def faults_of(node: str, report: Mapping[str, Any], explain: Explain) -> Iterator[Fault]:
    """Give the checks that failed on a node, from its report of `verify`; ``explain`` knows the checks' codes."""
    for result in report.get("results", ()):
        if result["outcome"] == "fail":
            yield Fault(
                node=node,
                device=result["device"],
                check=result["check"],
                code=result["code"],
                detail=(result["detail"].strip().splitlines() or [""])[-1],
                side=side_of(explain(result["code"])),
            )


def side_of(meaning: Meaning | None) -> Side:
    """Say whose fault a code is; a code that is named wins over its layer."""
    sides = _sides()
    by_code = (side for side, row in sides.items() if meaning and meaning.name in row["codes"])
    by_layer = (side for side, row in sides.items() if meaning and meaning.layer in row["layers"])
    found: Side = (*by_code, *by_layer, "unknown")[0]
    return found


@cache
def _sides() -> Mapping[Side, Mapping[str, Any]]:
    text = resources.files("envforge.fleet").joinpath("sides.yaml").read_text(encoding="utf-8")
    plain: Mapping[Side, Mapping[str, Any]] = read_yaml(text, "sides.yaml").plain["sides"]
    return plain


def drains(faults: Iterable[Fault], slow: Iterable[Slow]) -> tuple[Drain, ...]:
    """Say which nodes to drain: those with a fault of their own, or a device far below its siblings.

    An environment's fault, one of set-up, and one that nobody knows, never take a node out of service.
    """
    why: dict[str, list[str]] = {}
    for fault in faults:
        if fault.side == "node":
            why.setdefault(fault.node, []).append(" ".join(filter(None, (fault.code or fault.check, fault.device))))
    for each in slow:
        if each.level == "quarantine":
            check = each.rate.operation.split()[0]
            told = f"{check} {each.rate.device} {each.share:.0%} of median"
            why.setdefault(each.rate.node, []).append(told)
    return tuple(Drain(node=node, reason=_reason(words)) for node, words in why.items())


def _reason(words: list[str]) -> str:
    return (PREFIX + ", ".join(dict.fromkeys(words))).translate(UNQUOTED)
