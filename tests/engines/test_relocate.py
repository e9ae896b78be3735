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


# Both, from conda 26.7 and mamba 2.8 (core/portability.py, src/core/link.cpp), where a first line cannot be used.
ENTRY_POINT = """#!/bin/sh
'''exec' "{stage}/bin/python3.11" "$0" "$@" #'''
# -*- coding: utf-8 -*-
"""


@pytest.mark.parametrize("name", ["with a blank", "long" * 50])
def test_a_script_that_lost_its_python_to_env_gets_it_back(name: str, tmp_path: Path) -> None:
    stage, final = tmp_path / f"{name} stage", tmp_path / name
    files = {
        "bin/python3.11": b"\x7fELF",
        "bin/tool": b"#!/usr/bin/env python3.11\nprint()\n",
        "bin/entry": ENTRY_POINT.format(stage=stage).encode(),
        "bin/other": b"#!/usr/bin/env python3.11\n",
    }
    build(stage, files, {"bin/tool": "text"})
    relocate(stage, final)
    assert (
        f"#!/bin/sh\n'''exec' '{final}/bin/python3.11' \"$0\" \"$@\"\n' '''\nprint()\n"
        == (stage / "bin/tool").read_text()
    )
    assert ENTRY_POINT.format(stage=final) == (stage / "bin/entry").read_text()
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
