"""uv's failure texts into errors. uv 0.13 writes one tree to stderr:

error: No solution found when resolving dependencies
  cause: Because only mpmath<1.4 is available and you require mpmath>=1.4, we can conclude that ...

hint: An index URL (http://host/simple) could not be queried due to a lack of valid authentication credentials
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from envforge.engines.caches import ANOTHER
from envforge.engines.places import without_credentials
from envforge.errors import BadArtefact, DiskFailed, EngineFailed, EnvforgeError, Unreachable, Unsatisfiable
from envforge.model import Locked
from envforge.run import Completed

SHOWN = 8
LONGEST = 320
_PARAGRAPH = re.compile(r"^\s*(?:error|cause|hint): ", re.MULTILINE)
_HINT = re.compile(r"^hint: (.+?)(?=^\S|\Z)", re.MULTILINE | re.DOTALL)
_ADVICE = re.compile(r" (?:A compatible version may be|By default, uv|Consider using|If all indexes)")
_OS_NUMBER = re.compile(r" ?\(os error \d+\)")
_CONCLUSION = re.compile(
    r",? we can conclude that (your requirements are unsatisfiable|your project's requirements are unsatisfiable|"
    r"request(==0)? cannot be used)\.?"
)
_ASKED = re.compile(
    r"Failed to fetch: `?(\S+?)`?$|returned a|An index(?: URL)? \((\S+?)\)|for url \((\S+?)\)", re.MULTILINE
)
_CREDENTIALS = re.compile(r"authentication credentials|403 Forbidden|401 Unauthorized")
_OFFLINE = re.compile(r"network (was|is) disabled|--offline")
_NETWORK = re.compile(r"Request failed|Failed to fetch|error sending request|Failed to download|timed out|dns error")
_FOLDER = re.compile(r"Failed to read `--find-links` (?:directory|URL):\s+(.+)")
_DISK = re.compile(r"No space left|Permission denied|Read-only file system|Disk quota")
_BAD = re.compile(
    r"hash mismatch|failed to extract|invalid zip|unexpected (header|end)|\bCRC|\bRECORD\b|corrupt|"
    r"central directory|end of file|deflate|checksum",
    re.IGNORECASE,
)


def lock_failure(done: Completed, held: Mapping[str, str], indexes: Iterable[str]) -> EnvforgeError:
    """Tell what cannot be from what could not be asked; ``held`` says of a package's name what holds its version."""
    text = _clean(done.stderr)
    if done.timed_out:
        return Unreachable(f"uv got no answer within {done.took_s:.0f} s", _places(indexes))
    if found := _FOLDER.search(text):
        return Unreachable(f"find-links `{found[1]}` cannot be read: {_chain(text)[-1]}", (found[1],))
    if _DISK.search(text):
        return DiskFailed(f"uv cannot write its cache: {_chain(text)[-1]}", tuple(_chain(text)[:-1]), (ANOTHER,))
    if _CREDENTIALS.search(text):
        return _refused(text, indexes)
    if _OFFLINE.search(text):
        return Unreachable(f"not in uv's cache, and offline: {_reason(text)}", (), ("run once without `--offline`",))
    if "No solution found" in text:
        return Unsatisfiable(f"no set of wheels satisfies the request: {_reason(text)}", _details(text, held, indexes))
    if _NETWORK.search(text):
        return _unreachable(text, indexes)
    return EngineFailed(f"uv failed: {_chain(text)[0]}", tuple(_chain(text)[1:SHOWN]))


def install_failure(done: Completed, artefacts: tuple[Locked, ...]) -> EngineFailed:
    """Tell a bad file from a full disk from a dead network."""
    text = _clean(done.stderr)
    chain = _chain(text)
    named = [each for each in artefacts if f"{each.name} @" in text or each.url in text or f"`{each.name}==" in text]
    what = ", ".join(f"`{each.name}`" for each in named[:3]) or "a wheel"
    where = (*(each.url for each in named[:3]), *chain[1:SHOWN])
    if _DISK.search(text):
        return DiskFailed(f"the wheels cannot be written: {chain[-1]}", where)
    if _OFFLINE.search(text):
        return Unreachable(f"not in uv's cache, and offline: {what}", where, ("run once without `--offline`",))
    if _BAD.search(text):
        return BadArtefact(f"{what} is not what the lock says: {chain[-1]}", where)
    if _NETWORK.search(text):
        return Unreachable(f"{what} cannot be downloaded: {chain[-1]}", where)
    return EngineFailed(f"uv failed: {chain[0]}", where)


def _clean(text: str) -> str:
    return _OS_NUMBER.sub("", without_credentials(text)).strip() or "it said nothing"


def _chain(text: str) -> list[str]:
    """Give error and causes, each in one line."""
    body = text.split("\nhint: ", maxsplit=1)[0]
    parts = [" ".join(part.split()) for part in _PARAGRAPH.split(body)]
    return [part for part in parts if part and not part.startswith(("Using Python", "Resolved "))] or [text]


def _reason(text: str) -> str:
    """Give uv's proof without its conclusion: whole when it is short, else its last step."""
    steps = [" ".join(step.split()) for step in re.split(r"\n\s*\n", _proof(text).strip())]
    whole = _spoken(" ".join(steps))
    return whole if len(whole) <= LONGEST else _spoken(steps[-1].rsplit(". And ", 1)[-1])


def _proof(text: str) -> str:
    return text.split("\nhint: ", maxsplit=1)[0].split("cause: ", 1)[-1]


def _spoken(step: str) -> str:
    short = _CONCLUSION.sub("", step).strip().rstrip(".,")
    short = re.sub(r"^(And )?because ", "", short, flags=re.IGNORECASE)
    return re.sub(r"\brequest(==0)? depends on ", "you require ", short)


def _details(text: str, held: Mapping[str, str], indexes: Iterable[str]) -> tuple[str, ...]:
    reasons = [reason for name, reason in held.items() if re.search(rf"\b{name}\b", text)]
    proof = [
        line.strip()
        for line in text.split("\nhint: ", maxsplit=1)[0].split("cause: ", 1)[-1].splitlines()
        if line.strip()
    ]
    long = len(" ".join(proof)) > LONGEST
    return (*reasons, *_hints(text), *(proof[:SHOWN] if long else ()), *_places(indexes))


def _hints(text: str) -> list[str]:
    """Give uv's hints, without the flags of uv's that they advise: envforge has no such flags."""
    return [_ADVICE.split(" ".join(found.split()))[0] for found in _HINT.findall(text)]


def _refused(text: str, indexes: Iterable[str]) -> Unreachable:
    hints = " ".join(_hints(text)) or _chain(text)[-1]
    hint = "give credentials through netrc, a keyring, or the URL in pip's or uv's configuration"
    return Unreachable(f"an index refuses: {hints.rstrip('.')}", _asked(text) or _places(indexes), (hint,))


def _unreachable(text: str, indexes: Iterable[str]) -> Unreachable:
    asked = _asked(text)
    name = f"`{asked[0]}`" if asked else "an index"
    return Unreachable(f"{name} cannot be reached: {_chain(text)[-1]}", (*asked, *_places(indexes))[:SHOWN])


def _asked(text: str) -> tuple[str, ...]:
    found = (next(filter(None, groups), "") for groups in _ASKED.findall(text))
    return tuple(dict.fromkeys(url for url in found if url))


def _places(indexes: Iterable[str]) -> tuple[str, ...]:
    return tuple(f"index {without_credentials(each)}" for each in indexes)
