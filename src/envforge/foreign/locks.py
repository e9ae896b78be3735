"""Locks of other tools: ``conda-lock.yml`` and ``pixi.lock`` (versions 4 to 7), one environment of them.

A lock says what was solved, not what was asked for: torch and Python are taken as they are, of the others only those
that nothing else in the lock needs, from that version on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from envforge.errors import SpecError, UsageError
from envforge.foreign.conda_env import place_of
from envforge.foreign.nouns import Foreign, Remark, Wanted
from envforge.foreign.variants import file_name, wheel_file
from envforge.wire import Node, read_yaml

LOCK_BYTES = 64 << 20
LOCK_NODES = 3_000_000
PREFERRED = "linux-64"
KEPT = frozenset(
    {"python", "pytorch", "pytorch-gpu", "pytorch-cpu", "torch", "torchvision", "torchaudio", "cuda-version"}
)
SOLVED = "a lock names what was solved: packages that nothing else needs are carried, from that version on"


def read_lock(text: str, origin: str, environment: str | None) -> Foreign:
    """Read a lock of conda-lock or pixi. Raises SpecError, UsageError for an environment that it has not."""
    root = read_yaml(text, origin, most_bytes=LOCK_BYTES, most_nodes=LOCK_NODES)
    entries = root.entries or {}
    if "package" in entries:
        return _conda_lock(root)
    if "environments" in entries and "packages" in entries:
        return _pixi_lock(root, environment)
    raise SpecError("this is no lock of conda-lock or pixi", (root.where,))


def _conda_lock(root: Node) -> Foreign:
    entries = [node for node in _items((root.entries or {})["package"]) if node.entries]
    platforms = list(dict.fromkeys(_word(node, "platform") for node in entries))
    here = PREFERRED if PREFERRED in platforms else platforms[0] if platforms else ""
    packages = [_conda_lock_package(node) for node in entries if _word(node, "platform") == here]
    metadata = (root.entries or {}).get("metadata")
    listed = _items((metadata.entries or {}).get("channels") if metadata else None)
    channels = tuple(_word(each, "url") if each.entries else each.text for each in listed)
    needed = {name for node in entries if _word(node, "platform") == here for name in _mapped(node, "dependencies")}
    return _foreign(root, packages, needed, channels, here, [each for each in platforms if each != here])


def _conda_lock_package(node: Node) -> Wanted:
    name, version, url = (_word(node, key) for key in ("name", "version", "url"))
    if not name or not version:
        raise SpecError("a package of a lock has `name` and `version`", (node.where,))
    if _word(node, "manager") == "pip":
        return _wheel(name, version, place_of(node))
    found = _conda_file(url)
    return _conda(name, version, found[2] if found else "", _channel_of(url), place_of(node))


def _pixi_lock(root: Node, environment: str | None) -> Foreign:
    entries = root.entries or {}
    environments = entries["environments"].entries or {}
    records = {_url(node): node for node in _items(entries["packages"])}
    subdirs = {_word(node, "name"): node for node in _items(entries.get("platforms"))}
    names = [environment] if environment else sorted(environments, key=lambda name: name != "default")
    if environment and environment not in environments:
        known = ", ".join(f"`{name}`" for name in environments)
        raise UsageError(f"there is no environment `{environment}`", (root.origin,), (f"there are {known}",))
    read = [_pixi_environment(root, name, environments[name], records, subdirs) for name in names]
    found = next((each for each in read if any(_is_torch(wanted) for wanted in each.wanted)), read[0] if read else None)
    if found is None:
        raise SpecError("the lock has no environment", (entries["environments"].where,))
    name = names[read.index(found)]
    said = Remark(text=f"environment `{name}` of {', '.join(environments)} is taken", where=root.origin)
    return replace(found, taken=(*found.taken, said)) if len(environments) > 1 else found


def _pixi_environment(
    root: Node, name: str, node: Node, records: Mapping[str, Node], subdirs: Mapping[str, Node]
) -> Foreign:
    inner = node.entries or {}
    platforms = dict((inner["packages"].entries or {}) if "packages" in inner else {})
    if not platforms:
        raise SpecError(f"environment `{name}` has no packages", (node.where,))
    named = {key: _word(subdirs[key], "subdir") or key if key in subdirs else key for key in platforms}
    alike = sorted((key for key in named if named[key] == PREFERRED), key=lambda key: _cuda_of(subdirs, key) is None)
    key = next(iter((*alike, *platforms)))
    listed = [(_url(each), each) for each in _items(platforms[key])]
    packages = [_pixi_package(url, each, records.get(url)) for url, each in listed]
    needed = {name for url, _ in listed if url in records for name in _needs(records[url])}
    channels = tuple(_word(each, "url") if each.entries else each.text for each in _items(inner.get("channels")))
    others = [subdir for other, subdir in named.items() if other != key]
    found = _foreign(root, [each for each in packages if each], needed, channels, named[key], others)
    cuda = _cuda_of(subdirs, key)
    machine = Remark(text=cuda.text.partition("=")[2].partition("=")[0], where=place_of(cuda)) if cuda else None
    return replace(found, machine_cuda=machine)


def _cuda_of(subdirs: Mapping[str, Node], platform: str) -> Node | None:
    """Find the CUDA that a platform (version 7) is said to have."""
    entries = subdirs[platform].entries if platform in subdirs else None
    virtual = _items((entries or {}).get("virtual-packages"))
    return next((each for each in virtual if each.text.startswith("__cuda=")), None)


def _foreign(
    root: Node, packages: Iterable[Wanted], needed: set[str], channels: tuple[str, ...], here: str, others: list[str]
) -> Foreign:
    found = [_without_build(each) if here.startswith("osx") else each for each in packages]
    kept = tuple(each for each in found if each.name in KEPT or each.name.replace("_", "-") not in needed)
    left = [Remark(text=f"{len(found) - len(kept)} packages that others need are solved anew", where=root.origin)]
    if others:
        left.append(
            Remark(
                text=f"platforms {', '.join(dict.fromkeys(others))}: name the machines under `targets`",
                where=root.origin,
            )
        )
    return Foreign(
        origin=root.origin,
        name="",
        wanted=tuple(each for each in kept if each.name != "python"),
        python=next((each for each in kept if each.name == "python"), None),
        channels=channels,
        taken=(Remark(text=f"{SOLVED}; platform `{here}`", where=root.origin),),
        left_out=tuple(left),
    )


def _pixi_package(url: str, listed: Node, record: Node | None) -> Wanted | None:
    where = place_of(record or listed)
    if found := _conda_file(url):
        return _conda(found[0], found[1], found[2], _channel_of(url), where)
    if record and _word(record, "name") and _word(record, "version"):
        return _wheel(_word(record, "name"), _word(record, "version"), where)
    found_wheel = wheel_file(url)
    return _wheel(*found_wheel, where) if found_wheel else None


def _conda(name: str, version: str, build: str, channel: str | None, where: str) -> Wanted:
    """Make a package of a lock: torch exactly with its build's variant, Python's minor, others from there on."""
    if name == "python":
        minor = ".".join(version.split(".")[:2])
        return Wanted(kind="conda", name=name, text=f"python {minor}.*", version=f"{minor}.*", where=where)
    if name in KEPT:
        return Wanted(
            kind="conda", name=name, text=name, version=f"=={version}", build=build, channel=channel, where=where
        )
    return Wanted(kind="conda", name=name, text=f"{name} >={version}", version=f">={version}", where=where)


def _without_build(wanted: Wanted) -> Wanted:
    """Forget the build of a package for macOS: that it is for the CPU says nothing of what Linux should have."""
    return replace(wanted, build="")


def _wheel(name: str, version: str, where: str) -> Wanted:
    plain = re.sub(r"[-_.]+", "-", name).lower()
    exact = plain in KEPT
    specifier = f"=={version}" if exact else f">={version.partition('+')[0]}"
    return Wanted(kind="wheel", name=plain, text=f"{name}{specifier}", version=specifier, where=where)


def _is_torch(wanted: Wanted) -> bool:
    return wanted.name in {"torch", "pytorch"}


def _conda_file(url: str) -> tuple[str, str, str] | None:
    """Read name, version and build from the URL of a conda package."""
    match = re.fullmatch(r"(.+)-([^-]+)-([^-]+)\.(?:conda|tar\.bz2)", file_name(url))
    return (match[1].lower(), match[2], match[3]) if match else None


def _channel_of(url: str) -> str | None:
    """Give the channel of a conda package: its URL without platform and file."""
    parts = url.rsplit("/", 2)
    return parts[0] if len(parts) == 3 else None


def _needs(record: Node) -> Iterator[str]:
    for key in ("depends", "requires_dist"):
        for each in _items((record.entries or {}).get(key)):
            if match := re.match(r"[A-Za-z0-9_][\w.-]*", each.text):
                yield re.sub(r"[-_.]+", "-", match[0]).lower()


def _mapped(node: Node, key: str) -> Iterator[str]:
    found = (node.entries or {}).get(key)
    entries = found.entries if found else None
    yield from (name.replace("_", "-").lower() for name in entries or {})


def _url(node: Node) -> str:
    return next((_word(node, key) for key in ("conda", "pypi", "url", "path") if _word(node, key)), node.text)


def _word(node: Node, key: str) -> str:
    found = (node.entries or {}).get(key)
    return found.text if found else ""


def _items(node: Node | None) -> tuple[Node, ...]:
    return (node.items or ()) if node else ()
