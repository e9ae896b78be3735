"""Conda channels and wheel indexes by the names that envforge knows them by."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from envforge.foreign.nouns import Foreign, Remark
from envforge.foreign.variants import page_of
from envforge.plan import OLD_CHANNEL, OLD_CHANNEL_PARTNER

ANACONDA = frozenset({"defaults", "anaconda", "main", "r", "msys2", "free", "pro"})
_ANACONDAS = re.compile(r"https?://(?:repo\.anaconda\.com/|repo\.continuum\.io/|[^/]+/(?:.*/)?anaconda/pkgs/)")
_MIRRORS = re.compile(
    r"https?://(?:pypi\.(?:tuna\.tsinghua|mirrors\.ustc)\.edu\.cn|pypi\.douban\.com"
    r"|mirrors?\.(?:aliyun\.com|cloud\.tencent\.com|(?:tuna\.tsinghua|ustc|bfsu|nju|sjtug\.sjtu|hit|zju|pku)\.edu\.cn)"
    r"|repo\.huaweicloud\.com)/(?:.*/)?simple/?$"
)
_LOGIN = re.compile(r"(?<=://)[^/@\s]+@")
_PUBLIC_HOSTS = re.compile(
    r"https?://(?:conda\.anaconda\.org|(?:(?:repo|fast)\.)?prefix\.dev|[^/]+/(?:.*/)?anaconda/cloud)/(.+?)/?$"
)


def channel_name(channel: str) -> str | None:
    """Give a channel's short name or URL, the old PyTorch channel by its URL; None for Anaconda's own defaults."""
    if _ANACONDAS.match(channel):
        return None
    match = _PUBLIC_HOSTS.match(channel)
    name = match[1] if match else _LOGIN.sub("", channel).rstrip("/")
    if name in ANACONDA or name in {"nodefaults", "local"}:
        return None
    return {"pytorch": OLD_CHANNEL, "nvidia": "nvidia"}.get(name, name)


def known_channels(foreign: Foreign) -> tuple[str, ...]:
    """Give the file's channels, each once, as envforge names them."""
    return tuple(dict.fromkeys(filter(None, map(channel_name, foreign.channels))))


def spec_channels(foreign: Foreign, source: str) -> tuple[str, ...]:
    """Give the channels of the spec: conda-forge stands in for Anaconda's own, torch's own is left to the plan."""
    own = {OLD_CHANNEL, OLD_CHANNEL_PARTNER, "nvidia"} if source == OLD_CHANNEL else set()
    kept = tuple(each for each in known_channels(foreign) if each not in own)
    return kept if "conda-forge" in kept else (*kept, "conda-forge")


def channel_remarks(foreign: Foreign) -> Iterator[Remark]:
    """Say which channels are not carried."""
    left = [each for each in foreign.channels if channel_name(each) is None and each not in {"nodefaults", "local"}]
    if left:
        yield Remark(
            text=f"channel `{left[0]}` is Anaconda's own: `conda-forge` stands in for it", where=foreign.origin
        )


def login_remarks(foreign: Foreign) -> Iterator[Remark]:
    """Say whose logins are not carried: a spec is shared."""
    urls = (*foreign.indexes, foreign.default_index or "", *foreign.find_links, *foreign.channels)
    for host in dict.fromkeys(_LOGIN.sub("", url).split("/")[2] for url in urls if _LOGIN.search(url)):
        text = f"the login for `{host}` stays out of the spec, which is shared: keep it in `~/.netrc` or `pip.conf`"
        yield Remark(text=text, where=foreign.origin)


def index_name(url: str) -> str:
    """Give ``pypi`` for the public index, else the URL without its login and the slash at its end."""
    from pypi_simple import PYPI_SIMPLE_ENDPOINT

    plain = _LOGIN.sub("", url).rstrip("/")
    return "pypi" if plain == PYPI_SIMPLE_ENDPOINT.rstrip("/") else plain


def source_name(url: str) -> str:
    """Give the source that an index is: a mirror of the public one has what facts say of ``pypi``."""
    return "pypi" if _MIRRORS.match(url) else index_name(url)


def spec_indexes(foreign: Foreign, tied: Iterable[str]) -> tuple[str, ...]:
    """Give the wheel indexes that are not torch's own, as uv orders them: extra ones before the default."""
    found = (*tied, *foreign.indexes, foreign.default_index or "pypi")
    own = (each for each in found if page_of(each) is None and not each.endswith(".whl"))
    kept = tuple(dict.fromkeys(each if each == "pypi" else index_name(each) for each in own))
    return kept or ("pypi",)


def spec_links(foreign: Foreign) -> tuple[str, ...]:
    """Give the find-links places that are not torch's own; a relative path begins with ``./``."""
    kept = (_LOGIN.sub("", each) for each in foreign.find_links if page_of(each) is None)
    return tuple(each if re.match(r"[a-z]+://|[./~]", each) else f"./{each}" for each in kept)
