"""What wheel sources offer of torch: index pages (PEP 503, PEP 691), find-links pages, folders of wheels.

A wheel's name tells version, local version (``+cu126``), Pythons, platform and manylinux floor. A wheel without local
version says nothing of CUDA; of one that lies on this computer ``torch/version.py`` is read:

    cuda: Optional[str] = '13.0'
"""

from __future__ import annotations

import re
import time
import zipfile
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from packaging.tags import Tag
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from packaging.version import Version

from envforge.engines.places import local_path, without_credentials
from envforge.engines.settings import Settings
from envforge.errors import Unreachable
from envforge.model import Build, Dotted, value

PROJECT = "torch"
MOST_PAGE_BYTES = 64 << 20
MOST_TIMES = 4
LINUX = {"linux-64": "x86_64", "linux-aarch64": "aarch64"}
# PEP 513, PEP 571, PEP 599: what the old names mean.
MANYLINUX = {"manylinux1": "2.5", "manylinux2010": "2.12", "manylinux2014": "2.17"}
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_(.+)|(manylinux\d+)_(.+)")
_CUDA_LOCAL = re.compile(r"cu(\d+)(\d)")
_CPYTHON = re.compile(r"cp3(\d+)")
VERSION_PY = re.compile(rb"^cuda\b[^=\n]*=\s*(?:'([\d.]+)'|\"([\d.]+)\"|None)", re.MULTILINE)


@value
class File:
    """One wheel that a source lists: its name, its URL without credentials, its size where it is told."""

    name: str
    url: str
    size_bytes: int | None = None


def default_index() -> str:
    """Give the URL of the public default index."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    return PYPI_SIMPLE_ENDPOINT


def list_index(url: str, settings: Settings, timeout_s: float) -> list[File]:
    """List what an index has of torch; nothing when it answers and has no such project. Raises Unreachable."""
    folder = local_path(url)
    if folder is None:
        page = _get(f"{url.rstrip('/')}/{PROJECT}/", settings, timeout_s, absent_ok=True)
        return [] if page is None else _files(page)
    if not folder.is_dir():
        raise Unreachable(f"there is no index at `{folder}`", (url,))
    page_file = folder / PROJECT / "index.html"
    return _local_page(page_file) if page_file.is_file() else []


def list_links(place: str, settings: Settings, timeout_s: float) -> list[File]:
    """List the wheels of a find-links folder or page. Raises Unreachable."""
    path = local_path(place)
    if path is None:
        page = _get(place, settings, timeout_s)
        return _files(page) if page is not None else []
    if path.is_file():
        return _local_page(path)
    if not path.is_dir():
        raise Unreachable(f"there is no folder `{path}`", (place,))
    try:
        wheels = sorted(path.glob(f"{PROJECT}-*.whl"))
    except OSError as error:
        raise Unreachable(f"`{path}` cannot be read: {error.strerror}", (place,)) from error
    return [File(name=each.name, url=each.as_uri(), size_bytes=each.stat().st_size) for each in wheels]


def _get(url: str, settings: Settings, timeout_s: float, *, absent_ok: bool = False) -> Any:
    """Fetch a page; None for a 404 that may be. Credentials of the URL are sent and never shown."""
    import requests
    from pypi_simple import ProjectPage, PyPISimple, UnsupportedContentTypeError, UnsupportedRepoVersionError
    from urllib3.exceptions import HTTPError

    shown = without_credentials(url)
    with requests.Session() as session:
        configured(session, settings, url)
        try:
            with PyPISimple(shown, session=session) as client:
                answer = client.s.get(url, timeout=timeout_s, headers={"Accept": client.accept}, stream=True)
                answer.raw = _whole(answer, MOST_TIMES * timeout_s)
            if answer.status_code == 404 and absent_ok:
                return None
            answer.raise_for_status()
            return ProjectPage.from_response(answer, PROJECT)
        except requests.RequestException as error:
            raise Unreachable(f"`{shown}` cannot be reached: {_why(error)}", (shown,)) from None
        except HTTPError as error:
            raise Unreachable(f"`{shown}` cannot be reached: {_why(error)}", (shown,)) from None
        except (UnsupportedContentTypeError, UnsupportedRepoVersionError, ValueError) as error:
            raise Unreachable(f"`{shown}` is not an index: {str(error).splitlines()[0]}", (shown,)) from None


def _whole(answer: Any, most_s: float) -> BytesIO:
    """Read a page to its end. Raises ValueError for one that has none, by size or by time."""
    body, began = BytesIO(), time.monotonic()
    for chunk in answer.raw.stream(1 << 16, decode_content=True):
        body.write(chunk)
        if body.tell() > MOST_PAGE_BYTES or time.monotonic() - began > most_s:
            raise ValueError(f"its page does not end within {MOST_PAGE_BYTES >> 20} MiB and {most_s:.0f} s")
    body.seek(0)
    return body


def configured(session: Any, settings: Settings, url: str) -> Any:
    """Give a session that trusts and goes through what the user configured."""
    if settings.cert:
        session.verify = settings.cert
    host = urlsplit(url).hostname or ""
    if any(host == each.split(":")[0] for each in settings.trusted_hosts):
        session.verify = False
    if settings.proxy:
        session.proxies = {"http": settings.proxy, "https": settings.proxy}
    return session


def _why(error: Exception) -> str:
    """Give the innermost reason of a chain of network errors, in a few words."""
    answer = getattr(error, "response", None)
    if answer is not None:
        return f"HTTP {answer.status_code} {answer.reason}".strip()
    text = without_credentials(str(error))
    found = re.search(r"\[Errno -?\d+\] ([^'\")\]]+)|(timed out)|certificate verify failed: ([^(]+)", text)
    return next((each for each in found.groups() if each), text).strip() if found else text.splitlines()[0][:200]


def _files(page: Any) -> list[File]:
    """Give the wheels of a page on the network; what it names of this computer's own files is none of its business."""
    return [
        File(name=each.filename, url=without_credentials(each.url), size_bytes=each.size)
        for each in page.packages
        if each.filename.endswith(".whl") and not each.is_yanked and local_path(each.url) is None
    ]


def _local_page(path: Path) -> list[File]:
    from envforge.engines.local_page import read_links

    found = ((unquote(urlsplit(url).path.rpartition("/")[2]), url) for url in read_links(path))
    return [File(name=name, url=without_credentials(url)) for name, url in found if name.endswith(".whl")]


def builds_of(files: Iterable[File], source: str, subdir: str, where: str) -> tuple[Build, ...]:
    """Turn wheels into builds: one per version and variant, with the Pythons of all its wheels."""
    groups: dict[tuple[Version, str | None, Dotted | None], list[tuple[str, File]]] = {}
    for each in files:
        for version, python, glibc in _serving(each.name, subdir):
            groups.setdefault((version, version.local, glibc), []).append((python, each))
    built = (_build(key, found, source, subdir, where) for key, found in groups.items())
    return tuple(sorted(built, key=lambda each: (each.torch, each.variant)))


def _serving(name: str, subdir: str) -> Iterator[tuple[Version, str, Dotted | None]]:
    """Give version, Python minor and glibc floor of a torch wheel for a platform; nothing for another one."""
    try:
        project, version, _, tags = parse_wheel_filename(name)
    except InvalidWheelFilename:
        return
    fitting = [each for each in tags if fits(each, subdir)]
    if project != PROJECT or not fitting:
        return
    floors = [floor for each in fitting if (floor := glibc_of(each.platform)) is not None]
    for minor in sorted({int(match[1]) for each in fitting if (match := _CPYTHON.fullmatch(each.abi))}):
        yield version, f"3.{minor}", min(floors, default=None)


def fits(tag: Tag, subdir: str) -> bool:
    """Tell whether a platform tag is of a conda platform."""
    platform = tag.platform
    if subdir in LINUX:
        return "linux" in platform and platform.endswith(f"_{LINUX[subdir]}")
    wanted = {"osx-arm64": ("macosx", "arm64"), "osx-64": ("macosx", "x86_64"), "win-64": ("win", "amd64")}
    start, end = wanted.get(subdir, ("?", "?"))
    return platform.startswith(start) and platform.endswith(end)


def glibc_of(platform: str) -> Dotted | None:
    """Give the glibc that a manylinux tag promises to suffice; None for ``linux_x86_64``, which promises nothing."""
    match = _MANYLINUX.fullmatch(platform)
    if match is None:
        return None
    old = MANYLINUX.get(match[4] or "")
    return Dotted(old) if old else Dotted(f"{match[1]}.{match[2]}") if match[1] else None


def _build(
    key: tuple[Version, str | None, Dotted | None],
    found: list[tuple[str, File]],
    source: str,
    subdir: str,
    where: str,
) -> Build:
    version, local, glibc = key
    variant, cuda = variant_of(local) if local else _read_variant(found[0][1])
    sizes = [each.size_bytes for _, each in found if each.size_bytes]
    return Build(
        torch=Version(version.public),
        variant=variant,
        cuda=cuda,
        source=source,
        kind="wheel",
        subdir=subdir,
        pythons=tuple(sorted({python for python, _ in found}, key=Version)),
        glibc=glibc,
        sass=() if variant == "cpu" else None,
        ptx=() if variant == "cpu" else None,
        local=local,
        size_bytes=max(sizes, default=None),
        seen=True,
        where=(without_credentials(where),),
    )


def variant_of(local: str) -> tuple[str, Dotted | None]:
    """Read a local version: ``cu126`` is CUDA 12.6, ``cpu`` none, ``cpu.cxx11.abi`` a CPU build as well."""
    if match := _CUDA_LOCAL.match(local):
        return match[0], Dotted(f"{match[1]}.{match[2]}")
    return ("cpu", None) if local.startswith("cpu") else (local, None)


def _read_variant(file: File) -> tuple[str, Dotted | None]:
    """Read the variant out of a wheel on this computer; an empty name when nothing tells."""
    path = local_path(file.url)
    if path is None or not path.is_file():
        return "", None
    try:
        with zipfile.ZipFile(path) as wheel:
            said = VERSION_PY.search(wheel.read("torch/version.py"))
    except (OSError, KeyError, zipfile.BadZipFile):
        return "", None
    if said is None:
        return "", None
    cuda = (said[1] or said[2] or b"").decode()
    return (f"cu{cuda.replace('.', '')}", Dotted(cuda)) if cuda else ("cpu", None)
