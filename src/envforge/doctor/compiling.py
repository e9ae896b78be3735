"""Write the two files that are made from the rules: ``rulebook.json``, which is loaded, and the reference page.

``python -m envforge.doctor.compiling`` in a source tree writes both; a test holds them equal to the YAML.
"""

from __future__ import annotations

import json
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from envforge.doctor.reference import write_reference
from envforge.doctor.rulebook import AREAS, rule_of
from envforge.wire import read_yaml

HERE = Path(__file__).parent
PAGE = Path("docs/reference/rules.md")
MOST_NODES = 200_000


def compile_rulebook() -> str:
    """Give ``rulebook.json``: what is known, and the rules with every cause before what it explains."""
    rows = [row for area in AREAS for row in _rows(area)]
    known = _read(HERE / "known.yaml")
    return json.dumps({"known": known, "rules": causes_first(rows)}, ensure_ascii=False, indent=1) + "\n"


def _rows(area: str) -> list[dict[str, Any]]:
    rows = _read(HERE / "rules" / f"{area}.yaml")
    return [{"area": area, **row, "says": _listed(row["says"])} for row in rows]


def _listed(item: Any) -> list[str]:
    return [item] if isinstance(item, str) else list(item)


def _read(path: Path) -> Any:
    plain = read_yaml(path.read_text(encoding="utf-8"), path.name, most_nodes=MOST_NODES).plain
    return json.loads(json.dumps(plain, default=str))


def causes_first(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sort so that a rule stands after every rule to be ruled out first, else as written; raises CycleError."""
    by_id = {row["id"]: row for row in rows}
    TopologicalSorter({name: row.get("rule_out_first", ()) for name, row in by_id.items()}).prepare()
    ordered: dict[str, dict[str, Any]] = {}

    def place(name: str) -> None:
        if name not in ordered:
            for cause in by_id[name].get("rule_out_first", ()):
                place(cause)
            ordered[name] = by_id[name]

    for name in by_id:
        place(name)
    return list(ordered.values())


def main() -> None:
    """Write both files."""
    book = compile_rulebook()
    (HERE / "rulebook.json").write_text(book, encoding="utf-8")
    rules = [rule_of(row) for row in json.loads(book)["rules"]]
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(write_reference(rules), encoding="utf-8")


if __name__ == "__main__":
    main()
