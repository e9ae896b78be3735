"""Files of pip and uv: ``pylock.toml`` (PEP 751) and requirements with hashes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from packaging.utils import canonicalize_name

from envforge.errors import UsageError
from envforge.exports.subject import PLATFORMS, Exported, losses, wheels_of
from envforge.model import Locked, Section


def pylock(name: str, section: Section) -> Exported:
    """Write a ``pylock.toml`` for one platform and one minor of Python."""
    lines = ['lock-version = "1.0"', f"environments = [{_text(_marker(section))}]"]
    lines += [f'requires-python = "=={section.candidate.python}.*"', 'created-by = "envforge"']
    for each in _some_wheels(section):
        lines += ["", "[[packages]]", *_package(each)]
    return Exported(text="\n".join(lines) + "\n", lost=_lost(section))


def requirements(name: str, section: Section) -> Exported:
    """Write requirements by URL with sha256: no index is asked, so that none can serve another file."""
    head = (
        f"# {name}, for Python {section.candidate.python} on {section.floor.subdir}:",
        "# every wheel is listed, so install with --no-deps --require-hashes",
    )
    listed = map(requirement_line, _some_wheels(section))
    return Exported(text="".join(f"{line}\n" for line in (*head, *listed)), lost=_lost(section))


def requirement_line(wheel: Locked) -> str:
    return f"{canonicalize_name(wheel.name)} @ {wheel.url} --hash=sha256:{wheel.sha256}"


def _some_wheels(section: Section) -> tuple[Locked, ...]:
    wheels = wheels_of(section)
    if not wheels:
        hint = "`--format explicit` carries conda packages"
        raise UsageError("there is no wheel to list", (section.target,), (hint,))
    return wheels


def _lost(section: Section) -> tuple[str, ...]:
    return tuple(losses(section, wheels=True))


def _marker(section: Section) -> str:
    system, processor = PLATFORMS.get(section.floor.subdir, ("", ""))
    if not system:
        raise UsageError(f"no wheels are known for `{section.floor.subdir}`", (section.target,))
    return f"sys_platform == '{system}' and platform_machine == '{processor}'"


def _package(wheel: Locked) -> Iterator[str]:
    name = unquote(urlsplit(wheel.url).path).rpartition("/")[2]
    size = f", size = {wheel.size_bytes}" if wheel.size_bytes is not None else ""
    yield f"name = {_text(canonicalize_name(wheel.name))}"
    yield f"version = {_text(wheel.version)}"
    hashes = f"hashes = {{ sha256 = {_text(wheel.sha256)} }}"
    yield f"wheels = [{{ name = {_text(name)}, url = {_text(wheel.url)}{size}, {hashes} }}]"


def _text(text: str) -> str:
    """Write a TOML string: of plain ASCII, it is JSON's."""
    return json.dumps(text)
