"""Take out of readings what tells who and where: names, homes, hosts, addresses, serials, tokens. Idempotent.

UUIDs are numbered in the order in which they appear, so that a variable that names a device still names it.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from envforge.model import Reading

HOMES = re.compile(r"(/(?:home|Users|export/home|mnt/[a-z]/Users|mnt/home)/|[A-Za-z]:\\+Users\\+)([^/\\\s:;\"']+)")
UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", re.IGNORECASE)
USERINFO = re.compile(r"(\w+://)[^/@\s]+@")
URL_HOST = re.compile(r"(\w+://)[^/\s:@]+")
MAC = re.compile(r"\b[0-9a-f]{2}(?::[0-9a-f]{2}){5}\b", re.IGNORECASE)
IPV4 = re.compile(r"(?<![\w.=-])(?:(?:25[0-5]|2[0-4]\d|1?\d?\d)\.){3}(?:25[0-5]|2[0-4]\d|1?\d?\d)(?![\w.]*\d)")
IPV6 = re.compile(
    r"(?<![\w:])(?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4}(?![\w:])|(?<![\w:])(?:[0-9a-f]{1,4}:){1,6}:[0-9a-f:]*", re.IGNORECASE
)
EMAIL = re.compile(r"\b[\w.+-]+@[\w-]+(?:\.[\w-]+)+\b")
ASSIGNED = re.compile(
    r"((?:token|secret|passw(?:or)?d|passwd|api[_-]?key|authorization|credential)s?\w*[\"']?\s*[=:]\s*)"
    r"(?:bearer\s+|basic\s+)?[^\s,;&\"']+",
    re.IGNORECASE,
)
TOKEN = re.compile(
    r"\b(?:hf_\w{16,}|gh[pousr]_\w{16,}|github_pat_\w{16,}|glpat-[\w-]{16,}|sk-[\w-]{16,}|xox[abp]-[\w-]{8,}"
    r"|AKIA[0-9A-Z]{12,}|pypi-[\w-]{16,}|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*)"
)
SERIAL = re.compile(r"\b((?:serial(?: number)?|S/N|asset tag)\s*[:=#]?\s*)(?=\w*\d)[\w-]{5,}", re.IGNORECASE)
PRIVATE_KEYS = re.compile(
    r"serial|asset|hostname|machine_id|MASTER_ADDR|NODELIST|NODEADDR|SUBMIT_HOST|_USER$|_ACCOUNT|_JOB_NAME|COMMENT"
    r"|TOKEN|SECRET|PASSW|CREDENTIAL|API_?KEY|^KUBERNETES_SERVICE_HOST$|TOPOLOGY_ADDR",
    re.IGNORECASE,
)
VERSIONED = frozenset({"packages", "conda_meta", "image_packages", "libraries", "ldd", "mapped"})
PUBLIC = {
    *("root", "user", "users", "ubuntu", "debian", "centos", "rocky", "admin", "runner", "nobody", "nogroup"),
    *(
        "nvidia",
        "cuda",
        "gpu",
        "torch",
        "python",
        "conda",
        "docker",
        "podman",
        "lxd",
        "linux",
        "localhost",
        "vm",
        "host",
    ),
    *("node", "video", "render", "wheel", "sudo", "adm", "plugdev", "vglusers"),
}
GONE = "<redacted>"


def private_words(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Give the words that name this user and this host, from the environment and the host's own name."""
    names = [environ.get(name, "") for name in ("USER", "LOGNAME", "SUDO_USER", "USERNAME", "HOSTNAME")]
    names += [environ.get("HOME", "").rpartition("/")[2], socket.gethostname(), socket.gethostname().partition(".")[0]]
    words = {name for name in names if len(name) > 1 and name.lower() not in PUBLIC and not name.isdigit()}
    return tuple(sorted(words, key=lambda word: (-len(word), word)))


def redact(readings: Iterable[Reading], private: tuple[str, ...] = ()) -> tuple[Reading, ...]:
    """Give the readings without what tells who and where; ``private`` are further words to take out."""
    broom = _Broom(private)
    return tuple(
        replace(
            reading,
            value=broom.sweep(reading.value, reading.source, reading.source),
            error=reading.error and broom.text(reading.error),
        )
        for reading in readings
    )


class _Broom:
    def __init__(self, private: tuple[str, ...]) -> None:
        words = "|".join(re.escape(word) for word in private)
        self._private = re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE) if words else None
        self._uuids: dict[str, str] = {}

    def sweep(self, item: Any, key: str, source: str) -> Any:
        if isinstance(item, Mapping):
            return {
                self.text(str(name)): self.sweep(each, str(name), self._source(name, source))
                for name, each in item.items()
            }
        if isinstance(item, list | tuple):
            groups = source == "user" and key == "groups"
            return [self._group(each) if groups else self.sweep(each, key, source) for each in item]
        if not isinstance(item, str):
            return GONE if PRIVATE_KEYS.search(key) and item is not None and "serial" in key.lower() else item
        if item and PRIVATE_KEYS.search(key):
            return GONE
        return self.text(item, addresses=source not in VERSIONED, hosts=source == "env")

    @staticmethod
    def _source(name: Any, source: str) -> str:
        return str(name) if name in VERSIONED else source

    @staticmethod
    def _group(name: Any) -> str:
        return str(name) if str(name) in PUBLIC else "group"

    def text(self, text: str, *, addresses: bool = True, hosts: bool = False) -> str:
        text = USERINFO.sub(r"\1", text)
        text = URL_HOST.sub(r"\1host", text) if hosts else text
        text = ASSIGNED.sub(rf"\1{GONE}", TOKEN.sub(GONE, text))
        text = SERIAL.sub(rf"\1{GONE}", EMAIL.sub("<email>", text))
        text = UUID.sub(self._numbered, HOMES.sub(r"\1user", text))
        if addresses:
            text = IPV4.sub("<address>", IPV6.sub("<address>", MAC.sub("<address>", text)))
        return self._private.sub("name", text) if self._private else text

    def _numbered(self, match: re.Match[str]) -> str:
        return self._uuids.setdefault(match[0].lower(), f"00000000-0000-0000-0000-{len(self._uuids) + 1:012d}")
