"""Answer as a recorded tool did: ``replay.py RECORDINGS SCENARIO SEEN ARGUMENTS...``.

What it was asked, and in which environment, goes to SEEN. An explicit file leaves the packages' names in ``conda-meta``,
as the real ones do when they end well.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> int:
    recordings, scenario, seen, *arguments = sys.argv[1:]
    told = json.loads(Path(recordings).read_text(encoding="utf-8"))
    if arguments == ["info", "--json"]:
        scenario = "info"
    else:
        Path(seen).write_text(json.dumps({"argv": arguments, "environ": dict(os.environ)}))
    recorded = told[scenario]
    if "--file" in arguments and recorded["rc"] == 0:
        meta = Path(arguments[arguments.index("-p") + 1]) / "conda-meta"
        meta.mkdir(parents=True)
        for line in Path(arguments[arguments.index("--file") + 1]).read_text().splitlines()[1:]:
            name = line.split("#")[0].rpartition("/")[2].removesuffix(".conda")
            (meta / f"{name}.json").write_text("{}")
    out = recorded["out"]
    print(out if isinstance(out, str) else json.dumps(out, indent=4))
    print(recorded["err"], file=sys.stderr)
    return int(recorded["rc"])


if __name__ == "__main__":
    raise SystemExit(main())
