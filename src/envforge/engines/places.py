"""Where things are: channel names to URLs, URLs to local files, URLs without credentials, dates to instants."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from envforge.errors import SpecError

CONDA_ALIAS = "https://conda.anaconda.org"
TORCH_INDEX = "https://download.pytorch.org/whl"
_LOGIN = re.compile(r"(?<=://)[^/\s@]+@")
_TOKEN = re.compile(r"(?<=/t/)[^/\s]+")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")


def without_credentials(text: str) -> str:
    """Take every ``user:password@`` and conda ``/t/<token>/`` out of a text, so that it can be shown and stored."""
    return _TOKEN.sub("***", _LOGIN.sub("", text))


def channel_url(channel: str) -> str:
    """Give a channel's URL: a name is one on anaconda.org, a path a ``file://`` URL. Law: idempotent."""
    if "://" in channel:
        scheme, rest = channel.split("://", 1)
        return f"{scheme}://{quote(rest, safe='/:@%?=&+~!$,;[]') if scheme == 'file' else rest}".rstrip("/")
    if channel.startswith((".", "/", "~")):
        return Path(channel).expanduser().absolute().as_uri()
    return f"{CONDA_ALIAS}/{channel.strip('/')}"


def local_path(url: str) -> Path | None:
    """Give the file that a ``file://`` URL or a path names; None for a URL of another kind."""
    if url.startswith("file:"):
        return Path(unquote(urlsplit(url).path))
    return None if "://" in url else Path(url).expanduser().absolute()


def cutoff(exclude_newer: str) -> datetime:
    """Give the instant (UTC) of ``exclude-newer``: a date means the end of that day. Raises SpecError."""
    try:
        if _DATE.fullmatch(exclude_newer):
            return datetime.fromisoformat(exclude_newer).replace(tzinfo=UTC) + timedelta(days=1)
        instant = datetime.fromisoformat(exclude_newer)
    except ValueError:
        raise SpecError(f"`exclude-newer: {exclude_newer}` is neither a date nor an RFC 3339 time") from None
    return (instant if instant.tzinfo else instant.replace(tzinfo=UTC)).astimezone(UTC)
