"""A channel as wide as conda-forge is solved within the memory that a small machine has to spare."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from channel.wide import write_wide
from envforge.engines.mapped import mapped_json

BENCH = Path(__file__).parent.parent / "bench" / "solve_wide.py"
MOST_BYTES = 120 << 20
# As Linux 6.1 prints them; the second is small, the third can be written, the last is no JSON.
MAPS = b"""\
7f0000000000-7f0005000000 r--s 00000000 fe:01 131 /home/a b/repodata/35d3f50a.json
7f0010000000-7f0010001000 r--s 00000000 fe:01 132 /home/a b/repodata/d65dbc25.json
7f0020000000-7f0025000000 rw-s 00000000 fe:01 133 /home/a b/other.json
7f0030000000-7f0035000000 r--p 00000000 fe:01 134 /usr/lib/librattler.so
7f0040000000-7f0045000000 rw-p 00000000 00:00 0
"""


def test_only_large_json_that_is_never_written_is_given_back() -> None:
    assert [(0x7F0000000000, 0x5000000)] == list(mapped_json(MAPS))
    assert [] == list(mapped_json(b""))


def test_a_solve_among_200000_records_stays_small(tmp_path: Path) -> None:
    size = write_wide(tmp_path / "wide")
    argv = [sys.executable, str(BENCH), (tmp_path / "wide").as_uri(), str(tmp_path / "cache")]
    runs = (subprocess.run(argv, capture_output=True, text=True, check=True).stdout for _ in range(3))
    peaks = [json.loads(each)["peak_bytes"] for each in runs]
    assert size > 70 << 20
    assert min(peaks) < MOST_BYTES
