"""What conda, mamba and micromamba print with ``--json``, into artefacts and errors.

Recorded with conda 26.7.2, mamba and micromamba 2.8.1: an answer has ``actions``; mamba's complaint has ``log_history``
(and ``solver_problems`` when nothing fits), conda's ``exception_name``, or several below ``errors``. conda's ``LINK``
has neither URL nor hash, its ``FETCH`` has both, unless the package lies in a cache already; for explicit files it
prints nothing at all. mamba adds ``pip`` wherever ``python`` is asked for, and no setting stops it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from envforge.engines.explain import explain, missing_packages
from envforge.engines.failures import unreachable
from envforge.engines.places import without_credentials
from envforge.errors import BadArtefact, DiskFailed, EngineFailed, EnvforgeError, SpecError, Unreachable
from envforge.model import Locked
from envforge.run import Completed

# By the name of conda's exception; by words only where nobody names one: mamba never does, and a crash prints no JSON.
KINDS = {
    "unsatisfiable": {
        "CondaDependencyError",
        "DisallowedPackageError",
        "LibMambaUnsatisfiableError",
        "PackagesNotFoundError",
        "PackagesNotFoundInChannelsError",
        "RattlerUnsatisfiableError",
        "ResolvePackageNotFound",
        "SpecsConfigurationConflictError",
        "UnsatisfiableError",
    },
    "spec": {"InvalidMatchSpec", "InvalidSpec", "InvalidVersionSpec"},
    "artefact": {"ChecksumMismatchError", "CondaVerificationError", "SafetyError"},
    "disk": {
        "EnvironmentNotWritableError",
        "NoSpaceLeftError",
        "NoWritableEnvsDirError",
        "NoWritablePkgsDirError",
        "NotWritableError",
    },
    "unreachable": {
        "AuthenticationError",
        "ChannelDenied",
        "ChannelNotAllowed",
        "CondaHTTPError",
        "CondaSSLError",
        "OfflineError",
        "ProxyError",
        "UnavailableInvalidChannel",
    },
}
WORDS = {
    "unsatisfiable": re.compile("Could not solve for environment specs"),
    "spec": re.compile(r"Error parsing|Invalid(Match|Version)?Spec"),
    "artefact": re.compile(r"incorrect downloads|File not valid|Checksum ?Mismatch|mismatch between", re.IGNORECASE),
    "disk": re.compile(
        r"No space left|Permission denied|Read-only file system|NoWritable|Disk quota|Failed writing", re.IGNORECASE
    ),
    "unreachable": re.compile(
        r"not loaded|Download error|status: [45]\d\d|HTTP \d\d\d|Could not (connect|resolve)", re.IGNORECASE
    ),
}
# Both read sha256 in explicit files from these versions on; an older mamba takes it for an md5 (sources of 2.0.8).
OLD = "envforge drives conda from 24.9 and mamba from 2.1 on; `--engine rattler` is built in"
_TOO_OLD = re.compile(r"unrecognized arguments|was not expected|Could not parse explicit URL|Expected: sha256:")
_NAMED = re.compile(r"^(?:[\w.]+\.)?([A-Z]\w+):|of type (\w+) is not JSON", re.MULTILINE)
_NAME = re.compile(r"^([A-Za-z0-9_.-]+).*", re.DOTALL)
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


def untold(answer: Plain) -> tuple[Plain, ...]:
    """Give the records that conda would link and tells no URL of, because it need not fetch them."""
    full = {_key(each) for each in _fetched(answer)}
    return tuple(
        each for each in answer.get("actions", {}).get("LINK", ()) if not each.get("url") and _key(each) not in full
    )


def cached_records(answer: Plain, folders: Iterable[Path]) -> tuple[Plain, ...]:
    """Read those records from package caches, where each extracted package has its own, of the same channel."""
    found = []
    for each in untold(answer):
        for folder in folders:
            path = folder / str(each.get("dist_name")) / "info" / "repodata_record.json"
            with suppress(OSError, ValueError):
                record = json.loads(path.read_text(encoding="utf-8"))
                if str(record["url"]).rsplit("/", 2)[0] == each.get("base_url"):
                    found.append(record)
                    break
    return tuple(found)


def artefacts_of(answer: Plain, tool: str, known: Iterable[Plain] = ()) -> tuple[Locked, ...]:
    """Give what a dry run would link, by name; ``known`` are records of what need not be fetched.

    Raises EngineFailed for a record without URL or sha256.
    """
    actions = answer.get("actions")
    if not isinstance(actions, dict) or "LINK" not in actions:
        raise EngineFailed(f"{tool} did not say what it would install")
    full = {_key(each): each for each in (*known, *_fetched(answer), *actions["LINK"]) if each.get("url")}
    found = [_locked(full.get(_key(each), each), tool) for each in actions["LINK"]]
    return tuple(sorted(found, key=lambda each: each.name))


def needed(specs: Iterable[str], artefacts: tuple[Locked, ...]) -> tuple[Locked, ...]:
    """Leave out what neither a spec names nor anything needs: the ``pip`` that mamba adds to every Python."""
    found = {each.name: each for each in artefacts}
    left = {_NAME.sub(r"\1", spec.strip().rpartition("::")[2]).lower() for spec in specs}
    if not left <= set(found):
        return artefacts
    kept: set[str] = set()
    while left:
        kept |= left
        depends = (depend.split()[0] for name in left for depend in found[name].depends)
        left = {name for name in depends if name in found} - kept
    return tuple(each for each in artefacts if each.name in kept)


def _fetched(answer: Plain) -> tuple[Plain, ...]:
    actions = answer.get("actions")
    return tuple(actions.get("FETCH", ())) if isinstance(actions, dict) else ()


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
    tool: str, done: Completed, virtual: Mapping[str, str], channels: Iterable[str], *, offline: bool = False
) -> EnvforgeError:
    """Turn a failed call's output into an error, by its structure first and its words last.

    Offline, a package that is in no cached channel was not looked for: that is Unreachable, not Unsatisfiable.
    """
    answer, where = last_json(done.stdout), tuple(map(without_credentials, channels))
    errors = (answer, *answer.get("errors", ()))
    text = without_credentials("\n".join(filter(None, map(_told, errors))) or _said(done, answer))
    if _TOO_OLD.search(text):
        return EngineFailed(f"{tool} is too old: {_first(text, _TOO_OLD)}", _shown(text), (OLD,))
    kind = _kind(errors, done.stderr, text)
    line = _first(text, WORDS.get(kind))
    if kind == "unsatisfiable":
        return _unsatisfiable(answer, text, virtual, where, offline=offline)
    if kind == "spec":
        return SpecError(f"not a match spec: {line}")
    if kind == "artefact":
        return BadArtefact(f"an archive is not what the lock says: {line}", _shown(text))
    if kind == "disk":
        return DiskFailed(f"{tool} cannot write: {line}", _shown(text))
    if kind == "unreachable":
        return unreachable(", ".join(where), line)
    return EngineFailed(f"{tool} failed: {_gist(text, answer)}", _shown(text))


def _kind(errors: tuple[Plain, ...], stderr: str, text: str) -> str:
    if "solver_problems" in errors[0]:
        return "unsatisfiable"
    names = {str(each.get("exception_name")) for each in errors if "exception_name" in each}
    names = names or {name for found in _NAMED.findall(stderr) for name in found}
    known = (kind for kind, those in KINDS.items() if names & those)
    return next(known, None) or next((kind for kind, words in WORDS.items() if words.search(text)), "")


def _told(answer: Plain) -> str:
    log = [each["message"] for each in answer.get("log_history", ()) if each.get("level") in ("error", "critical")]
    return "\n".join(log) or str(answer.get("message") or ("" if "errors" in answer else answer.get("error") or ""))


def _said(done: Completed, answer: Plain) -> str:
    """Give the words of a program whose document has none, or that printed no document."""
    return done.stderr.strip() or ("" if answer else done.stdout.strip()) or "it said nothing"


def _unsatisfiable(
    answer: Plain, text: str, virtual: Mapping[str, str], where: tuple[str, ...], *, offline: bool
) -> EnvforgeError:
    packages = answer.get("packages", ())
    missing = "\n".join(f"No candidates were found for {each}." for each in packages)
    if offline and (names := missing_packages(missing or text)):
        named = ", ".join(f"`{each}`" for each in names)
        hint = "run once without `--offline`, and the channels will be in the cache"
        return Unreachable(f"no channel in the cache has {named}, and offline", where, (hint,))
    return explain(missing or text, virtual, where)


def _first(text: str, words: re.Pattern[str] | None) -> str:
    """Give the first line with the words that decided, else the first."""
    lines = text.splitlines()
    return next((line for line in lines if words and words.search(line)), lines[0]).strip()


def _gist(text: str, answer: Plain) -> str:
    """Give the line that says most: conda's first one, the last one of a log or a traceback."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[0 if "exception_name" in answer else -1]


def _shown(text: str) -> tuple[str, ...]:
    return tuple(line.strip() for line in text.splitlines() if line.strip())[:6]
