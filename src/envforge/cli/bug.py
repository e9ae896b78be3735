"""A bug in envforge leaves a file that is already a bug report."""

from __future__ import annotations

import getpass
import os
import platform
import re
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

from envforge import __version__
from envforge.errors import EnvforgeError

LIBRARIES = ("py-rattler", "uv", "typer", "rich", "packaging", "pyyaml", "nvidia-ml-py", "psutil", "pypi-simple")


def report_bug(error: BaseException, argv: Sequence[str]) -> EnvforgeError:
    """Write the report and give the error that names it."""
    path = _write(bug_report(error, argv))
    return EnvforgeError(
        f"a bug in envforge: {type(error).__name__}: {redact(str(error).strip() or 'no message')}",
        (str(path),) if path else (),
        ("send this file with your report; names, addresses and secrets are taken out",) if path else (),
    )


def bug_report(error: BaseException, argv: Sequence[str]) -> str:
    """Say what ran, on what, and where it broke."""
    versions = [f"{name} {_version(name)}" for name in LIBRARIES]
    head = [
        f"envforge {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC",
        f"command: envforge {' '.join(argv)}",
        f"python: {sys.version}",
        f"platform: {platform.platform()}",
        f"libraries: {', '.join(versions)}",
        "",
    ]
    return redact("\n".join(head) + "\n" + "".join(traceback.format_exception(error)))


def redact(text: str) -> str:
    """Take out home, user and host names, and credentials in URLs and tokens."""
    text = re.sub(r"(\w+://)[^/\s@]+@", r"\1***@", text)
    text = re.sub(r"(?i)\b([\w-]*(?:token|password|secret|api[_-]?key))(\s*[=:]\s*|\s+)\S+", r"\1\2***", text)
    text = re.sub(r"/t/[^/\s]+/", "/t/***/", text)
    for name, mark in _own_names():
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", mark, text)
    return text


def _own_names() -> list[tuple[str, str]]:
    names = []
    with suppress(RuntimeError):
        names.append((str(Path.home()), "~"))
    with suppress(OSError, KeyError, ImportError):
        names.append((getpass.getuser(), "<user>"))
    names.append((socket.gethostname(), "<host>"))
    return [(name, mark) for name, mark in names if len(name) > 2 and name != "root"]


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"


def _write(text: str) -> Path | None:
    """Write below the user's state directory, or a temporary one; None where nothing can be written."""
    name = f"bug-{datetime.now(UTC):%Y%m%d-%H%M%S}-{os.getpid()}.txt"
    for folder in _folders():
        with suppress(OSError):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)
            return folder / name
    return None


def _folders() -> Iterator[Path]:
    from platformdirs import user_state_path

    with suppress(RuntimeError):
        yield user_state_path("envforge")
    yield Path(tempfile.gettempdir())
