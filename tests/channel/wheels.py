"""Repack wheels into conda packages: pure ones as ``noarch: python``, others for linux-64."""

from __future__ import annotations

import configparser
import re
import time
import zipfile
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from channel.archive import PLACEHOLDER, Entry, write_conda

CONDA_NAMES = {"torch": "pytorch", "typing-extensions": "typing_extensions"}
ALSO_NEEDED = {"torch": ["numpy"]}  # conda-forge's pytorch depends on it, the wheel does not
SCRIPT = """#!{placeholder}/bin/python
import sys

from {module} import {first}

if __name__ == "__main__":
    sys.exit({function}())
"""


def conda_name(name: str) -> str:
    canonical = canonicalize_name(name)
    return CONDA_NAMES.get(canonical, canonical)


class Wheel:
    """One wheel, opened, for one Python minor."""

    def __init__(self, path: Path, python: str) -> None:
        self.path, self.python, self.zip = path, python, zipfile.ZipFile(path)
        self.name, self.version, _, tags = parse_wheel_filename(path.name)
        self.pure = all(tag.platform == "any" for tag in tags)
        names = self.zip.namelist()
        self.dist_info = next(name.split("/")[0] for name in names if re.fullmatch(r"[^/]+\.dist-info/METADATA", name))
        self.metadata: Message = BytesParser().parsebytes(self.zip.read(f"{self.dist_info}/METADATA"))
        self.site = "site-packages" if self.pure else f"lib/python{python}/site-packages"

    def commands(self) -> dict[str, str]:
        name = f"{self.dist_info}/entry_points.txt"
        if name not in self.zip.namelist():
            return {}
        parser = configparser.ConfigParser(delimiters=("=",))
        parser.optionxform = str  # type: ignore[method-assign,assignment]
        parser.read_string(self.zip.read(name).decode())
        return dict(parser["console_scripts"]) if parser.has_section("console_scripts") else {}

    def entries(self) -> Iterator[Entry]:
        yield from (self._entry(member) for member in self.zip.infolist() if not member.is_dir())
        yield Entry(path=f"{self.site}/{self.dist_info}/INSTALLER", content=b"conda\n")
        if not self.pure:
            yield from (_script(command, target) for command, target in self.commands().items())

    def _entry(self, member: zipfile.ZipInfo) -> Entry:
        path, script = f"{self.site}/{member.filename}", False
        if part := re.fullmatch(r"[^/]+\.data/(\w+)/(.+)", member.filename):
            script = part[1] == "scripts"
            path = {"scripts": f"bin/{part[2]}", "data": part[2]}.get(part[1], f"{self.site}/{part[2]}")
        mode = 0o755 if script or (member.external_attr >> 16) & 0o111 else 0o644
        mtime = int(time.mktime((*member.date_time, 0, 0, -1)))
        if script and (content := self.zip.read(member)).startswith(b"#!python"):
            shebang = f"#!{PLACEHOLDER}/bin/python".encode()
            content = shebang + content.removeprefix(b"#!python")
            return Entry(path=path, content=content, mode=mode, mtime=mtime, placeholder=PLACEHOLDER)
        return Entry(path=path, content=lambda: self.zip.read(member), mode=mode, mtime=mtime)

    def depends(self) -> list[str]:
        environment = {"extra": "", "python_version": self.python, "python_full_version": f"{self.python}.0"}
        wanted = [Requirement(text) for text in self.metadata.get_all("Requires-Dist") or []]
        needed = [each for each in wanted if each.marker is None or each.marker.evaluate(environment)]
        found = [f"{conda_name(each.name)} {','.join(sorted(map(str, each.specifier)))}".strip() for each in needed]
        found += ALSO_NEEDED.get(self.name, [])
        return found + ([f"python {self._requires_python()}"] if self.pure else self._abi())

    def _requires_python(self) -> str:
        return str(self.metadata.get("Requires-Python") or ">=3.9").replace(" ", "")

    def _abi(self) -> list[str]:
        major, least = self.python.split(".")
        glibc = re.search(r"manylinux_2_(\d+)_", self.path.name)
        return [
            f"python >={self.python},<{major}.{int(least) + 1}.0a0",
            f"python_abi {self.python}.* *_cp{major}{least}",
            f"__glibc >=2.{glibc[1] if glibc else 17}",
        ]


def _script(command: str, target: str) -> Entry:
    module, function = target.split("[", maxsplit=1)[0].strip().split(":")
    text = SCRIPT.format(placeholder=PLACEHOLDER, module=module, first=function.split(".")[0], function=function)
    return Entry(path=f"bin/{command}", content=text.encode(), mode=0o755, placeholder=PLACEHOLDER)


def repack_wheel(channel: Path, path: Path, python: str, **changes: Any) -> Path:
    """Write a wheel as a conda package; ``changes`` override fields of its index record."""
    wheel = Wheel(path, python)
    index = {
        "name": conda_name(wheel.name),
        "version": wheel.version.public,
        "build": "pyh0000000_0" if wheel.pure else f"py{python.replace('.', '')}h0000000_0",
        "build_number": 0,
        "depends": sorted(wheel.depends()),
        "constrains": [],
        "subdir": "noarch" if wheel.pure else "linux-64",
        **changes,
    }
    if not wheel.pure:
        return write_conda(channel, index, wheel.entries())
    points = [f"{command} = {target}" for command, target in wheel.commands().items()]
    link = {"noarch": {"type": "python", "entry_points": points}}
    return write_conda(channel, {**index, "noarch": "python"}, wheel.entries(), link)
