"""Engines' failure texts into errors that say which channel, index or file, and why.

Rattler's errors are one string with the causes below it (0.28):

    Request failed after 3 retries
    Caused by: error sending request for url (http://127.0.0.1:9/c/linux-64/repodata_shards.msgpack.zst)
    Caused by: client error (Connect)
    Caused by: Connection refused (os error 111)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from envforge.engines.places import channel_url, without_credentials
from envforge.errors import BadArtefact, DiskFailed, EngineFailed, Unreachable
from envforge.model import Locked

_CAUSE = re.compile(r"^\s*Caused by: ", re.MULTILINE)
_OS_NUMBER = re.compile(r" ?\(os error \d+\)")
_DISK = re.compile(r"No space left|Permission denied|Read-only file system|Disk quota|os error (28|13|30|122)\b")
_BAD = re.compile(
    r"hash mismatch|[Ii]nvalid (checksum|Zip|gzip)|checksum|end of (file|stream)|unexpected EOF|corrupt|"
    r"invalid header|incomplete frame|Unknown frame|failed to (extract|unpack)|could not find EOCD|zip|size mismatch",
    re.IGNORECASE,
)
_NETWORK = re.compile(
    r"error sending request|HTTP status|status (client|server) error|Connect|dns|timed? ?out|retries", re.IGNORECASE
)


def causes(text: str) -> list[str]:
    """Give the chain of causes, outermost first, without operating system numbers and credentials."""
    return [_OS_NUMBER.sub("", without_credentials(part)).strip() for part in _CAUSE.split(text) if part.strip()]


def unreachable(channel: str, text: str) -> Unreachable:
    """Say that a channel could not be asked, and why."""
    chain = causes(text)
    reason = next((each for each in chain if each.startswith("HTTP status")), chain[-1] if chain else text)
    where = tuple(dict.fromkeys(without_credentials(channel_url(each)) for each in channel.split(", ") if each))
    hint = "look at the channel's name or URL, at the network, or work with `--offline`"
    return Unreachable(f"channel `{without_credentials(channel)}` cannot be reached: {reason}", where, (hint,))


def install_failure(text: str, artefacts: Iterable[Locked]) -> EngineFailed:
    """Tell a bad file from a full disk from a dead network in an installer's complaint."""
    chain = causes(text)
    named = [each for each in artefacts if each.url in text or f"{each.name}-{each.version}" in text]
    where = (*(each.url for each in named[:3]), *chain[:4])
    what = ", ".join(f"`{each.name}`" for each in named[:3]) or "a package"
    last = chain[-1] if chain else text
    if _DISK.search(text):
        return DiskFailed(f"the packages cannot be written: {last}", where)
    if _BAD.search(text):
        return BadArtefact(f"{what} is not what the lock says: {last}", where)
    if _NETWORK.search(text):
        return Unreachable(f"{what} cannot be downloaded: {last}", where)
    return EngineFailed(f"rattler failed: {last}", where)
