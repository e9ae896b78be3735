"""Write ``.conda`` archives (CEP 35: a zip of two ``.tar.zst``), byte-identical from equal entries."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from backports import zstd

EPOCH = 1_700_000_000
ZIP_EPOCH = (2023, 11, 14, 0, 0, 0)
LEVEL = 1
# As long as a conda prefix may be, so that any shorter one fits into a binary.
PLACEHOLDER = ("/placeholder" * 22)[:255]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One file of a package: its bytes (or how to read them), or the target of a soft link."""

    path: str
    content: bytes | Callable[[], bytes] = b""
    link: str | None = None
    mode: int = 0o644
    mtime: int = EPOCH
    placeholder: str | None = None
    binary: bool = False

    def read(self) -> bytes:
        return self.content if isinstance(self.content, bytes) else self.content()


def _listed(entry: Entry, content: bytes) -> dict[str, Any]:
    """Describe an entry as ``info/paths.json`` does."""
    kind = "hardlink" if entry.link is None else "softlink"
    digest = hashlib.sha256(content).hexdigest()
    listed = {"_path": entry.path, "path_type": kind, "sha256": digest, "size_in_bytes": len(content)}
    if entry.placeholder:
        listed |= {"prefix_placeholder": entry.placeholder, "file_mode": "binary" if entry.binary else "text"}
    return listed


def _tarball(entries: Iterable[Entry]) -> tuple[bytes, list[dict[str, Any]]]:
    packed, listed = io.BytesIO(), []
    options = {zstd.CompressionParameter.compression_level: LEVEL}
    with (
        zstd.ZstdFile(packed, "wb", options=options) as squeezed,
        tarfile.open(fileobj=squeezed, mode="w|", format=tarfile.PAX_FORMAT, bufsize=1 << 20) as tar,
    ):
        for entry in entries:
            content = b"" if entry.link is not None else entry.read()
            listed.append(_listed(entry, content))
            member = tarfile.TarInfo(entry.path)
            member.mtime, member.mode, member.uname, member.gname = entry.mtime, entry.mode, "root", "root"
            member.size = len(content)
            if entry.link is not None:
                member.type, member.linkname = tarfile.SYMTYPE, entry.link
            tar.addfile(member, io.BytesIO(content))
    return packed.getvalue(), listed


def _about(index: Mapping[str, Any], listed: list[dict[str, Any]], link: Mapping[str, Any] | None) -> list[Entry]:
    documents: dict[str, Any] = {
        "info/index.json": index,
        "info/about.json": {},
        "info/paths.json": {"paths": listed, "paths_version": 1},
    }
    if link:
        documents["info/link.json"] = {"package_metadata_version": 1, **link}
    entries = [
        Entry(path=path, content=json.dumps(document, indent=1, sort_keys=True).encode())
        for path, document in documents.items()
    ]
    entries.append(Entry(path="info/files", content="".join(f"{each['_path']}\n" for each in listed).encode()))
    placed = [each for each in listed if "prefix_placeholder" in each]
    lines = [f'"{each["prefix_placeholder"]}" {each["file_mode"]} "{each["_path"]}"\n' for each in placed]
    return [*entries, *([Entry(path="info/has_prefix", content="".join(lines).encode())] if lines else [])]


def write_conda(
    channel: Path, index: Mapping[str, Any], entries: Iterable[Entry] = (), link: Mapping[str, Any] | None = None
) -> Path:
    """Write ``<channel>/<subdir>/<name>-<version>-<build>.conda`` and give its path."""
    index = {"arch": None, "platform": None, "license": "unknown", "timestamp": EPOCH * 1000, **index}
    if index["subdir"] != "noarch":
        index |= {"platform": "linux", "arch": "x86_64"}
    stem = f"{index['name']}-{index['version']}-{index['build']}"
    payload, listed = _tarball(entries)
    parts = {
        "metadata.json": b'{"conda_pkg_format_version": 2}',
        f"pkg-{stem}.tar.zst": payload,
        f"info-{stem}.tar.zst": _tarball(_about(index, listed, link))[0],
    }
    target = channel / index["subdir"] / f"{stem}.conda"
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, content in parts.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_EPOCH), content)
    return target
