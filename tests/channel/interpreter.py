"""Repack a CPython that stands on this machine into a conda package that can be installed anywhere."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

from channel.archive import PLACEHOLDER, Entry, write_conda

LEFT_OUT = re.compile(r"^(test|tests|idlelib|turtledemo|lib2to3|ensurepip|config-\d.*|site-packages)$")
ELF = b"\x7fELF"


def about_python(python: str) -> tuple[Path, str]:
    """Ask an interpreter for its base prefix and full version."""
    code = "import sys, json; print(json.dumps([sys.base_prefix, '%d.%d.%d' % sys.version_info[:3]]))"
    prefix, version = json.loads(subprocess.check_output([python, "-I", "-c", code]))
    return Path(prefix).resolve(), version


def minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _files(top: Path) -> Iterator[Path]:
    for folder, folders, files in os.walk(top):
        folders[:] = sorted(name for name in folders if not LEFT_OUT.match(name))
        yield from (Path(folder) / name for name in sorted(files))


def _patched(path: Path, prefix: Path) -> Entry:
    """Make a file independent of the prefix: ``$ORIGIN`` in ELF files, a placeholder in text."""
    relative, status = path.relative_to(prefix).as_posix(), path.lstat()
    if path.is_symlink():
        return Entry(path=relative, link=str(path.readlink()))
    content, own, placeholder = path.read_bytes(), str(prefix).encode(), None
    if content.startswith(ELF):
        old = own + b"/lib\0"
        content = content.replace(old, b"$ORIGIN/../lib\0".ljust(len(old), b"\0"))
    elif path.suffix != ".pyc" and own in content:
        content, placeholder = content.replace(own, PLACEHOLDER.encode()), PLACEHOLDER
    mode = 0o755 if status.st_mode & 0o111 else 0o644
    return Entry(path=relative, content=content, mode=mode, mtime=int(status.st_mtime), placeholder=placeholder)


def _entries(prefix: Path, python: str) -> Iterator[Entry]:
    library = prefix / "lib" / f"python{python}"
    paths = [prefix / "bin" / f"python{python}", *sorted((prefix / "lib").glob("libpython*"))]
    entries = [
        _patched(path, prefix) for path in [*paths, *_files(library), *_files(prefix / "include" / f"python{python}")]
    ]
    stale = {entry.path for entry in entries if entry.placeholder}
    compiled = re.compile(r"__pycache__/([^/]+)\.cpython-\d+(\.opt-\d)?\.pyc$")
    yield from (entry for entry in entries if compiled.sub(r"\1.py", entry.path) not in stale or entry.placeholder)
    yield from (Entry(path=f"bin/{name}", link=f"python{python}") for name in ("python", "python3"))
    yield Entry(path=f"lib/python{python}/site-packages/README.txt", content=b"for packages\n")


def repack_python(channel: Path, python: str) -> Path:
    """Write the conda package ``python`` made of an interpreter's base prefix."""
    prefix, version = about_python(python)
    short, glibc = minor(version), os.confstr("CS_GNU_LIBC_VERSION").split()[1]  # type: ignore[union-attr]
    index = {
        "name": "python",
        "version": version,
        "build": f"h{hashlib.sha256(str(prefix).encode()).hexdigest()[:7]}_0_cpython",
        "build_number": 0,
        "depends": [f"__glibc >={glibc}", "tzdata"],
        "constrains": [f"python_abi {short}.* *_cp{short.replace('.', '')}"],
        "subdir": "linux-64",
        "python_site_packages_path": f"lib/python{short}/site-packages",
    }
    return write_conda(channel, index, _entries(prefix, short))
