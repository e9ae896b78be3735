"""Logins for downloads: of index URLs that the user configured, and of rattler's own file. Never printed.

``RATTLER_AUTH_FILE`` maps hosts (``*.example.org`` allowed) to ``{"BearerToken": ...}``, ``{"CondaToken": ...}`` or
``{"BasicHTTP": {"username": ..., "password": ...}}``; netrc is read by requests itself.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote, urlsplit


def with_login(url: str, indexes: Iterable[str], stored: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    """Give the URL to ask and the headers that log in; both as they are when nothing is known of the host."""
    host = urlsplit(url).hostname or ""
    for index in map(urlsplit, indexes):
        if index.username is not None and index.hostname == host:
            return url, _basic(unquote(index.username), unquote(index.password or ""))
    found = next((entry for pattern, entry in stored.items() if fnmatchcase(host, pattern)), None)
    return _stored(url, found) if isinstance(found, Mapping) else (url, {})


def _stored(url: str, entry: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
    if "BearerToken" in entry:
        return url, {"Authorization": f"Bearer {entry['BearerToken']}"}
    if isinstance(basic := entry.get("BasicHTTP"), Mapping):
        return url, _basic(str(basic.get("username", "")), str(basic.get("password", "")))
    if "CondaToken" in entry:
        parts = urlsplit(url)
        return parts._replace(path=f"/t/{entry['CondaToken']}{parts.path}").geturl(), {}
    return url, {}


def _basic(user: str, password: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}
