"""What conda, mamba and micromamba print with ``--json``, into artefacts and errors. Pure.

Recorded with conda 26.7.2, mamba and micromamba 2.8.1: an answer has ``actions``; mamba's complaint has ``log_history``
(and ``solver_problems`` when nothing fits), conda's ``exception_name``. conda's ``LINK`` has neither URL nor hash, its
``FETCH`` has both; for explicit files it prints nothing at all.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from envforge.engines.explain import explain
from envforge.engines.failures import unreachable
from envforge.engines.places import without_credentials
from envforge.errors import BadArtefact, DiskFailed, EngineFailed, EnvforgeError, SpecError
from envforge.model import Locked

UNSATISFIABLE = {
    "CondaDependencyError",
    "LibMambaUnsatisfiableError",
    "PackagesNotFoundError",
    "PackagesNotFoundInChannelsError",
    "RattlerUnsatisfiableError",
    "ResolvePackageNotFound",
    "UnsatisfiableError",
}
UNREACHABLE = {"CondaHTTPError", "CondaSSLError", "ProxyError", "UnavailableInvalidChannel"}
BAD_SPEC = {"InvalidMatchSpec", "InvalidSpec", "InvalidVersionSpec"}
_NO_CHANNEL = re.compile(r"not loaded|Download error|status: [45]\d\d|Could not (connect|resolve)", re.IGNORECASE)
_WRONG_HASH = re.compile(r"incorrect downloads|File not valid|Checksum ?Mismatch", re.IGNORECASE)
_DISK = re.compile(r"No space left|Permission denied|Read-only file system|NoWritable", re.IGNORECASE)
Plain = Mapping[str, Any]


def last_json(text: str) -> dict[str, Any]:
    r"""Give the last JSON object of an output, empty when there is none; older condas put ``\0`` between several."""
    for part in reversed([each for each in text.split("\0") if each.strip()]):
        start = part.find("{")
        with suppress(ValueError):
            if start >= 0:
                found = json.JSONDecoder().raw_decode(part[start:])[0]
                return dict(found)
    return {}


def artefacts_of(answer: Plain, tool: str) -> tuple[Locked, ...]:
    """Give what a dry run would link, by name. Raises EngineFailed for a record without URL or sha256."""
    actions = answer.get("actions")
    if not isinstance(actions, dict) or "LINK" not in actions:
        raise EngineFailed(f"{tool} did not say what it would install")
    full = {_key(each): each for each in (*actions.get("FETCH", ()), *actions["LINK"]) if each.get("url")}
    found = [_locked(full.get(_key(each), each), tool) for each in actions["LINK"]]
    return tuple(sorted(found, key=lambda each: each.name))


def _key(record: Plain) -> tuple[str, str, str]:
    return record["name"], record["version"], record.get("build_string") or record["build"]


def _locked(record: Plain, tool: str) -> Locked:
    name, version, build = _key(record)
    if not record.get("url") or not record.get("sha256"):
        raise EngineFailed(f"{tool} tells neither URL nor sha256 of `{name}`")
    noarch = record.get("noarch")
    return Locked(
        name=name,
        version=version,
        kind="conda",
        url=without_credentials(record["url"]),
        sha256=record["sha256"],
        build=build,
        build_number=record.get("build_number", 0),
        subdir=record["subdir"],
        size_bytes=record.get("size"),
        noarch=str(noarch) if noarch else None,
        depends=tuple(record.get("depends", ())),
        constrains=tuple(record.get("constrains", ())),
        site_packages_path=record.get("python_site_packages_path"),
        md5=record.get("md5"),
    )


def failure(
    tool: str, answer: Plain, stderr: str, virtual: Mapping[str, str], channels: Iterable[str]
) -> EnvforgeError:
    """Turn a failed call's output into an error, by its structure first and its words last."""
    text = without_credentials(_told(answer) or stderr.strip() or "it said nothing")
    name, asked = str(answer.get("exception_name", "")), tuple(channels)
    if "solver_problems" in answer or name in UNSATISFIABLE:
        return _unsatisfiable(answer, text, virtual, asked)
    if name in UNREACHABLE or (not name and _NO_CHANNEL.search(text)):
        return unreachable(", ".join(asked), _first(text, _NO_CHANNEL))
    if name in BAD_SPEC or "Error parsing" in text or any(each in stderr for each in BAD_SPEC):
        return SpecError(f"not a match spec: {_last(text)}")
    if _WRONG_HASH.search(text) or name == "ChecksumMismatchError":
        return BadArtefact(f"an archive is not what the lock says: {_first(text, _WRONG_HASH)}", _shown(text))
    if _DISK.search(text):
        return DiskFailed(f"{tool} cannot write: {_first(text, _DISK)}", _shown(text))
    return EngineFailed(f"{tool} failed: {_last(text)}", _shown(text))


def _told(answer: Plain) -> str:
    log = [each["message"] for each in answer.get("log_history", ()) if each.get("level") in ("error", "critical")]
    return "\n".join(log) or str(answer.get("message") or answer.get("error") or "")


def _unsatisfiable(answer: Plain, text: str, virtual: Mapping[str, str], asked: tuple[str, ...]) -> EnvforgeError:
    packages = answer.get("packages", ())
    missing = "\n".join(f"No candidates were found for {each}." for each in packages)
    return explain(missing or text, virtual, [without_credentials(each) for each in asked])


def _first(text: str, pattern: re.Pattern[str]) -> str:
    return next((line.strip() for line in text.splitlines() if pattern.search(line)), text.splitlines()[0].strip())


def _last(text: str) -> str:
    return [line.strip() for line in text.splitlines() if line.strip()][-1]


def _shown(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())[:6]
