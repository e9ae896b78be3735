"""A prefix that a program built in its stage, made to say where it will live."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from envforge.engines.relocate import relocate
from envforge.errors import EngineFailed


def build(stage: Path, files: dict[str, bytes], modes: dict[str, str]) -> None:
    """Write files, and a record that says which of them carry the prefix."""
    paths = []
    for name, content in files.items():
        path = stage / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o755)
        told = {"_path": name, "path_type": "hardlink", "sha256_in_prefix": hashlib.sha256(content).hexdigest()}
        paths.append(told | ({"prefix_placeholder": "/p", "file_mode": modes[name]} if name in modes else {}))
    (stage / "conda-meta").mkdir()
    (stage / "conda-meta" / "x-1-0.json").write_text(json.dumps({"name": "x", "paths_data": {"paths": paths}}))


def test_text_and_binaries_say_the_final_place_and_their_record_knows(tmp_path: Path) -> None:
    stage, final = tmp_path / "stage-that-is-longer", tmp_path / "env"
    binary = f"\0{stage}/share:{stage}/lib\0END".encode()
    files = {"etc/a.cfg": f"root={stage}\n".encode(), "lib/b.so": binary, "lib/c.py": b"pass\n"}
    build(stage, files, {"etc/a.cfg": "text", "lib/b.so": "binary"})
    relocate(stage, final)
    assert f"root={final}\n" == (stage / "etc/a.cfg").read_text()
    moved = (stage / "lib/b.so").read_bytes()
    assert (len(binary), True) == (len(moved), f"\0{final}/share:{final}/lib\0".encode() in moved)
    record = json.loads((stage / "conda-meta/x-1-0.json").read_text())
    for each in record["paths_data"]["paths"]:
        assert hashlib.sha256((stage / each["_path"]).read_bytes()).hexdigest() == each["sha256_in_prefix"]


# conda 26.7 and mamba 2.8 generate this (core/portability.py, src/core/link.cpp), rattler the same with tabs.
THROUGH_SH = """#!/bin/sh
'''exec' "{stage}/bin/python3.11" "$0" "$@" #'''
"""
BODY = """# -*- coding: utf-8 -*-
import re
import sys

from isympy import main

if __name__ == '__main__':
    sys.argv[0] = re.sub(r'(-script\\.pyw?|\\.exe)?$', '', sys.argv[0])
    sys.exit(main())
"""


def places(tmp_path: Path, final_bytes: int, blank: str = "") -> tuple[Path, Path]:
    """Give a stage and the place it will have, whose path has so many bytes."""
    fill = final_bytes - len(f"{tmp_path}/{blank}")
    if fill < 1:
        pytest.skip("the temporary folder's path is too long")
    final = tmp_path / f"{blank}{'x' * fill}"
    return final.with_name(f"{final.name}.stage-1"), final


@pytest.mark.parametrize(("final_bytes", "blank"), [(125, ""), (110, ""), (90, ""), (90, "with blank ")])
def test_commands_are_worded_as_rattler_words_them(final_bytes: int, blank: str, tmp_path: Path) -> None:
    stage, final = places(tmp_path, final_bytes, blank)
    fits = not blank and final_bytes <= 110
    stage_fits = not blank and final_bytes <= 90
    entry = f"#!{stage}/bin/python3.11\n" if stage_fits else THROUGH_SH.format(stage=stage)
    mine = f"#!{stage}/bin/python3.11\n" if stage_fits else "#!/usr/bin/env python3.11\n"
    files = {
        "bin/entry": (entry + BODY).encode(),
        "bin/tool": (mine + "print()\n").encode(),
        "bin/other": b"#!/usr/bin/env python3.11\n",
    }
    build(stage, files, {"bin/tool": "text"})
    relocate(stage, final)
    opening = f"#!{final}/bin/python3.11\n" if fits else THROUGH_SH.format(stage=final)
    assert opening + BODY.replace("    sys", "\tsys") == (stage / "bin/entry").read_text()
    assert (opening + "print()\n", 0o775) == (
        (stage / "bin/tool").read_text(),
        (stage / "bin/entry").stat().st_mode & 0o777,
    )
    assert b"#!/usr/bin/env python3.11\n" == (stage / "bin/other").read_bytes()


def test_a_script_that_asks_env_for_its_python_keeps_it_where_a_path_would_do(tmp_path: Path) -> None:
    stage = tmp_path / "stage"
    if len(str(stage)) > 100:
        pytest.skip("the temporary folder's path is too long")
    build(stage, {"bin/python": b"", "bin/tool": b"#!/usr/bin/env python\n"}, {"bin/tool": "text"})
    relocate(stage, tmp_path / "env")
    assert b"#!/usr/bin/env python\n" == (stage / "bin/tool").read_bytes()


def test_a_final_place_that_binaries_cannot_hold_is_refused(tmp_path: Path) -> None:
    with pytest.raises(EngineFailed, match="longer than the folder it was built in"):
        relocate(tmp_path / "a", tmp_path / "longer")
