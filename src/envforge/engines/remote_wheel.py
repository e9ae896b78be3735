"""What a wheel says of its GPU code, read by ranges: a few members of an archive of a gigabyte, not the whole.

``torch/version.py`` names the CUDA version; ``libtorch_python.so`` holds what `torch.cuda.get_arch_list` splits:

    sm_75 sm_80 sm_86 sm_90 sm_100 sm_120 compute_120
"""

from __future__ import annotations

import io
import re
import zipfile
from pathlib import Path
from typing import Any
from zlib import error as ZlibError  # noqa: N812 - a class

from envforge.engines.index import VERSION_PY, configured
from envforge.engines.places import local_path, without_credentials
from envforge.engines.settings import Settings
from envforge.errors import Unreachable
from envforge.model import ComputeCapability, Dotted, value

LIBRARY = "torch/lib/libtorch_python.so"
BLOCK_BYTES = 1 << 18
MOST_BYTES = 256 << 20
_FLAGS = re.compile(rb"(?<![\w ])(?:(?:sm|compute)_\d{2,3}[af]? )*(?:sm|compute)_\d{2,3}[af]?(?=\x00)")


@value
class GpuCode:
    """What a wheel was built for. ``cuda`` None is a CPU build; the lists are None where the wheel does not tell."""

    cuda: Dotted | None
    sass: tuple[ComputeCapability, ...] | None
    ptx: tuple[ComputeCapability, ...] | None


def read_code(url: str, settings: Settings, timeout_s: float) -> GpuCode:
    """Read a torch wheel's CUDA version and arch flags. Raises Unreachable when it cannot be read by ranges."""
    path = local_path(url)
    try:
        raw = path.open("rb", buffering=0) if path else _Remote(url, settings, timeout_s)
        with io.BufferedReader(raw, BLOCK_BYTES) as file, zipfile.ZipFile(file) as wheel:
            return _code(wheel)
    except (OSError, KeyError, zipfile.BadZipFile, ZlibError, NotImplementedError, ValueError) as error:
        shown = without_credentials(url)
        raise Unreachable(f"`{Path(shown).name}` cannot be read by ranges: {error}", (shown,)) from error


def _code(wheel: zipfile.ZipFile) -> GpuCode:
    said = VERSION_PY.search(wheel.read("torch/version.py"))
    if said is None:
        raise ValueError("`torch/version.py` names no CUDA")
    text = (said[1] or said[2] or b"").decode()
    if not text:
        return GpuCode(cuda=None, sass=(), ptx=())
    size = wheel.getinfo(LIBRARY).file_size if LIBRARY in wheel.namelist() else MOST_BYTES
    found = _FLAGS.findall(wheel.read(LIBRARY)) if size < MOST_BYTES else []
    flags = arch_flags(max(found, key=len).decode()) if found else (None, None)
    return GpuCode(cuda=Dotted(".".join(text.split(".")[:2])), sass=flags[0], ptx=flags[1])


def arch_flags(text: str) -> tuple[tuple[ComputeCapability, ...], tuple[ComputeCapability, ...]]:
    """Split arch flags: machine code (``sm_90``) and PTX (``compute_120``), each in ascending order."""
    found = {
        kind: {ComputeCapability.parse(word) for word in text.split() if word.startswith(kind)}
        for kind in ("sm", "compute")
    }
    return tuple(sorted(found["sm"])), tuple(sorted(found["compute"]))


class _Remote(io.RawIOBase):
    """A file on a server that answers ranges, as a file to read."""

    def __init__(self, url: str, settings: Settings, timeout_s: float) -> None:
        import requests

        self._url, self._timeout_s, self._at = url, timeout_s, 0
        self._session: Any = configured(requests.Session(), settings, url)
        head = self._session.head(url, timeout=timeout_s, allow_redirects=True)
        head.raise_for_status()
        self._size = int(head.headers.get("Content-Length", 0))

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def readinto(self, buffer: Any, /) -> int:
        last = min(self._at + len(buffer), self._size) - 1
        if last < self._at:
            return 0
        headers = {"Range": f"bytes={self._at}-{last}", "Accept-Encoding": "identity"}
        answer = self._session.get(self._url, headers=headers, timeout=self._timeout_s, stream=True)
        with answer:
            if answer.status_code != 206:
                raise OSError(f"the server answers {answer.status_code} to a range")
            content = answer.content
        buffer[: len(content)] = content
        self._at += len(content)
        return len(content)

    def close(self) -> None:
        self._session.close()
        super().close()
