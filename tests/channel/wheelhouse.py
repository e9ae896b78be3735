"""Fetch the wheels that the channel is made of, once per machine, with whatever indexes pip is configured for."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from channel.interpreter import about_python, minor

WHEELS = (
    "numpy==2.4.6 ; python_version >= '3.11'",
    "sympy==1.14.0",
    "mpmath==1.3.0",
    "networkx==3.6.1",
    "jinja2==3.1.6",
    "fsspec==2026.9.0",
    "filelock==4.2.11",
    "typing_extensions==4.16.0",
    "markupsafe==3.0.4",
    "setuptools>=77.0.3,<82",
    "pip==26.1",
)
TORCH = "torch==2.13.0+cpu"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"


@dataclass(frozen=True, kw_only=True)
class Channel:
    """A built channel: its folder, the minor of its main Python, and whether its CPU torch is the real one."""

    path: Path
    python: str
    torch: bool

    @property
    def url(self) -> str:
        return self.path.as_uri()


def cache() -> Path:
    root = os.environ.get("ENVFORGE_TEST_CACHE") or Path.home() / ".cache" / "envforge-tests"
    return Path(root).expanduser().absolute()


def _key(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


@contextmanager
def _once(folder: Path) -> Iterator[bool]:
    """Hold a folder's lock; say whether it is still to be filled. Whole when its marker stands."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(folder.name + ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        missing = not (folder / "done").exists()
        if missing:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
        yield missing
        (folder / "done").touch()


def _download(folder: Path, *arguments: str) -> bool:
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary", ":all:", "-d", str(folder)]
    done = subprocess.run([*pip, *arguments], capture_output=True, text=True, check=False)
    if done.returncode and TORCH not in arguments:
        raise RuntimeError(f"pip cannot download the test wheels: {done.stderr}")
    return done.returncode == 0


def fetch_wheels() -> Path:
    """Give a folder of real wheels; torch's CPU wheel is among them where pip can get one."""
    folder = cache() / f"wheels-{_key(sys.version, *WHEELS, TORCH)}"
    with _once(folder) as missing:
        if missing:
            _download(folder, *WHEELS)
            quick = ("--retries", "0", "--timeout", "15", "--index-url", TORCH_INDEX)
            _ = _download(folder, TORCH) or _download(folder, *quick, TORCH)
    return folder


def _pythons() -> list[str]:
    """Give the running interpreter and those of pyenv for other minors, at most one each."""
    others = sorted((Path.home() / ".pyenv" / "versions").glob("3.1[23].*/bin/python3"))
    found = {minor(about_python(str(path))[1]): str(path) for path in others}
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    return [sys.executable, *(path for python, path in found.items() if python != running)]


def fetch_channel() -> Channel:
    """Give the channel, built on first use (ten seconds with torch) and kept by the content it is made of."""
    wheels, pythons = fetch_wheels(), _pythons()
    sources = [
        path.read_text()
        for path in sorted(Path(__file__).parent.glob("*.py"))
        if path.name not in ("served.py", "wide.py")
    ]
    names = sorted(path.name for path in wheels.glob("*.whl"))
    folder = cache() / f"channel-{_key(*sources, *names, *pythons, sys.version)}"
    with _once(folder) as missing:
        if missing:
            environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)}
            command = [sys.executable, "-m", "channel.build", str(folder / "channel"), str(wheels), *pythons]
            subprocess.run(command, check=True, env=environment)
    torch = any(name.startswith("torch-") for name in names)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Channel(path=folder / "channel", python=python, torch=torch)
