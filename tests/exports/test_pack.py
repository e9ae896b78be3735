"""Packs: the same bytes, every file verified, and nothing let in that no pack has."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests

from channel.served import Served
from envforge.errors import BadArtefact, SpecError, Unreachable, UsageError
from envforge.exports.download import Patience
from envforge.exports.gather import Places, gather
from envforge.exports.pack import MANIFEST, OBJECTS, write_pack
from envforge.exports.unpack import open_pack, take_out
from envforge.lock import write_lock
from envforge.model import Interpreter, Lock, Locked, Section

Make = Callable[..., Section]
SPEC = "name: both\n"
QUICK = Patience(waits_s=(0.01,) * 4)


def open_url(url: str, headers: dict[str, str]) -> Any:
    return requests.get(url, headers=headers, stream=True, timeout=5)


def ignore(_: object) -> None:
    pass


@pytest.fixture
def thing(tmp_path: Path, http_server: Callable[[Path], Served]) -> tuple[Locked, Served]:
    """One artefact of 3 MB on a server."""
    content = bytes(range(256)) * 12_000
    (tmp_path / "site/noarch").mkdir(parents=True)
    (tmp_path / "site/noarch/thing-1-0.conda").write_bytes(content)
    served = http_server(tmp_path / "site")
    artefact = Locked(
        name="thing",
        version="1",
        build="0",
        kind="conda",
        subdir="noarch",
        url=f"{served.url}/noarch/thing-1-0.conda",
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )
    return artefact, served


def fetch(artefact: Locked, store: Path, *archives: Path, offline: bool = False) -> Path:
    places = Places(store=store, archives=archives)
    return gather([artefact], places, open_url, ignore, offline=offline, patience=QUICK)[artefact.sha256]


def test_a_cut_download_goes_on_where_it_stopped(thing: tuple[Locked, Served], tmp_path: Path) -> None:
    artefact, served = thing
    served.misbehave("thing", "truncate", times=1)
    asked: list[dict[str, str]] = []

    def watched(url: str, headers: dict[str, str]) -> Any:
        asked.append(headers)
        return open_url(url, headers)

    told: list[int] = []
    places = Places(store=tmp_path / "store")
    found = gather([artefact], places, watched, lambda step: told.append(step.done_bytes or 0), patience=QUICK)
    assert artefact.sha256 == hashlib.sha256(found[artefact.sha256].read_bytes()).hexdigest()
    first, second = (each.get("Range", "bytes=0-") for each in asked)
    kept = int(second.removeprefix("bytes=").removesuffix("-"))
    assert ("bytes=0-", 0.4 < kept / (artefact.size_bytes or 1) <= 0.5) == (first, True)
    assert artefact.size_bytes == told[-1]


@pytest.mark.parametrize("how", ["503", "reset", "truncate"])
def test_a_server_that_fails_for_a_while_is_asked_again(how: Any, thing: tuple[Locked, Served], tmp_path: Path) -> None:
    artefact, served = thing
    served.misbehave("thing", how, times=2)
    assert fetch(artefact, tmp_path / "store").is_file()


@pytest.mark.parametrize(("how", "says"), [("503", "HTTP 503"), ("404", "HTTP 404"), ("403", "HTTP 403")])
def test_a_server_that_refuses_is_told(how: Any, says: str, thing: tuple[Locked, Served], tmp_path: Path) -> None:
    artefact, served = thing
    served.misbehave("thing", how)
    with pytest.raises(Unreachable, match=says):
        fetch(artefact, tmp_path / "store")


def test_wrong_bytes_are_refused_and_not_kept(thing: tuple[Locked, Served], tmp_path: Path) -> None:
    artefact, served = thing
    served.misbehave("thing", "wrong-bytes", times=1)
    with pytest.raises(BadArtefact, match="`thing` is not what the lock says"):
        fetch(artefact, tmp_path / "store")
    assert not (tmp_path / "store" / artefact.sha256).exists()
    assert fetch(artefact, tmp_path / "store").is_file()


def test_a_bad_beginning_is_downloaded_anew(thing: tuple[Locked, Served], tmp_path: Path) -> None:
    artefact, _ = thing
    (tmp_path / "store").mkdir()
    (tmp_path / "store" / f"{artefact.sha256}.part").write_bytes(b"other bytes" * 1000)
    assert fetch(artefact, tmp_path / "store").is_file()


def test_what_is_here_already_is_not_asked_for(thing: tuple[Locked, Served], tmp_path: Path) -> None:
    artefact, served = thing
    with pytest.raises(Unreachable, match="offline: `thing`"):
        fetch(artefact, tmp_path / "store", offline=True)
    archive = served.root / "noarch"
    assert archive / "thing-1-0.conda" == fetch(artefact, tmp_path / "store", archive, offline=True)
    fetch(artefact, tmp_path / "store")
    asked = len(served.requests)
    fetch(artefact, tmp_path / "store")
    assert asked == len(served.requests)


def test_a_store_that_rotted_is_not_believed(thing: tuple[Locked, Served], tmp_path: Path) -> None:
    artefact, _ = thing
    fetch(artefact, tmp_path / "store").write_bytes(b"rot")
    assert artefact.size_bytes == fetch(artefact, tmp_path / "store").stat().st_size


@pytest.fixture
def files(make: Make, tmp_path: Path) -> tuple[Lock, dict[str, Path]]:
    """A lock and its artefacts, as files."""
    section = make()
    found = gather(section.artefacts, Places(store=tmp_path / "files"), open_url, ignore, patience=QUICK)
    return Lock(name="both", spec_digest="sha256:0", facts_digest="sha256:0", sections=(section,)), found


@pytest.fixture
def packed(files: tuple[Lock, dict[str, Path]], tmp_path: Path) -> Path:
    lock, found = files
    write_pack(tmp_path / "both.tar", "both", SPEC, write_lock(lock), lock, found)
    return tmp_path / "both.tar"


def test_equal_content_gives_equal_packs(files: tuple[Lock, dict[str, Path]], packed: Path, tmp_path: Path) -> None:
    lock, found = files
    turned = dict(reversed(found.items()))
    write_pack(tmp_path / "again.tar", "both", SPEC, write_lock(lock), lock, turned)
    assert packed.read_bytes() == (tmp_path / "again.tar").read_bytes()
    assert [] == list(tmp_path.glob(".*.tar.*"))


def test_a_pack_gives_back_what_went_in(files: tuple[Lock, dict[str, Path]], packed: Path, tmp_path: Path) -> None:
    lock, found = files
    pack = open_pack(packed)
    assert (SPEC, write_lock(lock)) == (pack.spec_text, write_lock(pack.lock))
    for each in lock.sections[0].artefacts:
        path = take_out(pack, each, tmp_path / "out")
        assert (each.url.rpartition("/")[2], found[each.sha256].read_bytes()) == (path.name, path.read_bytes())


def test_a_file_that_changes_while_it_is_packed_leaves_no_pack(
    files: tuple[Lock, dict[str, Path]], tmp_path: Path
) -> None:
    lock, found = files
    next(iter(found.values())).write_bytes(b"other")
    with pytest.raises(BadArtefact, match="not what the lock says"):
        write_pack(tmp_path / "no.tar", "both", SPEC, write_lock(lock), lock, found)
    assert [] == [path.name for path in tmp_path.iterdir() if "no.tar" in path.name]


def test_a_pack_says_which_python_it_needs(make: Make, at_hand: Interpreter, tmp_path: Path) -> None:
    section = make(conda=(), interpreter=at_hand)
    found = gather(section.artefacts, Places(store=tmp_path / "files"), open_url, ignore, patience=QUICK)
    lock = Lock(name="both", spec_digest="sha256:0", facts_digest="sha256:0", sections=(section,))
    write_pack(tmp_path / "both.tar", "both", SPEC, write_lock(lock), lock, found)
    minor = f"{at_hand.version.major}.{at_hand.version.minor}"
    assert (("here", minor),) == open_pack(tmp_path / "both.tar").manifest.pythons


def rewrite(packed: Path, change: Callable[[tarfile.TarInfo, bytes], tuple[tarfile.TarInfo, bytes] | None]) -> Path:
    """Write a pack anew with some members changed or left out."""
    evil = packed.with_name("evil.tar")
    with tarfile.open(packed) as old, tarfile.open(evil, "w") as new:
        for member in old:
            file = old.extractfile(member)
            changed = change(member, file.read() if file else b"")
            if changed:
                changed[0].size = len(changed[1])
                new.addfile(changed[0], io.BytesIO(changed[1]))
    return evil


def add(packed: Path, member: tarfile.TarInfo, content: bytes = b"") -> Path:
    """Append a member."""
    evil = packed.with_name("evil.tar")
    evil.write_bytes(packed.read_bytes())
    with tarfile.open(evil, "a") as tar:
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return evil


@pytest.mark.parametrize("name", ["../evil", "/etc/evil", "objects/../../evil", f"{OBJECTS}{'A' * 64}", "objects/evil"])
def test_a_name_that_no_pack_has_is_refused(name: str, packed: Path) -> None:
    with pytest.raises(BadArtefact, match="which no pack has"):
        open_pack(add(packed, tarfile.TarInfo(name), b"x"))


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE, tarfile.DIRTYPE])
def test_what_is_no_plain_file_is_refused(kind: bytes, packed: Path) -> None:
    member = tarfile.TarInfo(f"{OBJECTS}{'a' * 64}")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(BadArtefact, match="which no pack has"):
        open_pack(add(packed, member))


def test_an_object_that_stands_twice_is_refused(packed: Path) -> None:
    name = OBJECTS + next(iter(open_pack(packed).objects))
    with pytest.raises(BadArtefact, match="twice"):
        open_pack(add(packed, tarfile.TarInfo(name), b"other"))


def test_changed_bytes_are_refused_when_they_are_taken_out(packed: Path, tmp_path: Path) -> None:
    pack = open_pack(packed)
    artefact = pack.lock.sections[0].artefacts[0]

    def spoil(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        return member, content[:-1] + b"!" if member.name.endswith(artefact.sha256) else content

    evil = open_pack(rewrite(packed, spoil))
    with pytest.raises(BadArtefact, match="in the pack is not what the lock says"):
        take_out(evil, artefact, tmp_path / "out")
    assert [] == [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


@pytest.mark.parametrize("part", ["spec", "lock"])
def test_a_changed_spec_or_lock_is_refused(part: str, packed: Path) -> None:
    sha256 = getattr(open_pack(packed).manifest, part)

    def spoil(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        return member, content + b"# more\n" if member.name.endswith(sha256) else content

    with pytest.raises(BadArtefact, match="not what its table says"):
        open_pack(rewrite(packed, spoil))


def test_an_artefact_that_is_missing_is_named(packed: Path) -> None:
    artefact = open_pack(packed).lock.sections[0].artefacts[0]
    evil = rewrite(packed, lambda member, content: None if artefact.sha256 in member.name else (member, content))
    with pytest.raises(BadArtefact, match=f"`{artefact.name}` is locked, and not in the pack"):
        open_pack(evil)


def with_lock(packed: Path, text: str, **more: Any) -> Path:
    """Put another lock into a pack, with a table that agrees."""
    old = open_pack(packed).manifest.lock
    sha256 = hashlib.sha256(text.encode()).hexdigest()

    def change(member: tarfile.TarInfo, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
        if member.name == MANIFEST:
            return member, json.dumps(json.loads(content) | {"lock": sha256} | more).encode()
        if member.name.endswith(old):
            return tarfile.TarInfo(OBJECTS + sha256), text.encode()
        return member, content

    return rewrite(packed, change)


@pytest.mark.parametrize("name", ["..%2F..%2F", "%2e%2e-1-0.conda", "a%0ab-1-0.conda", "a%00b-1-0.conda"])
def test_an_address_cannot_name_a_file_elsewhere(name: str, packed: Path, tmp_path: Path) -> None:
    pack = open_pack(packed)
    section = pack.lock.sections[0]
    evil = replace(section.artefacts[0], url=f"https://x.org/noarch/{name}", subdir="noarch")
    text = write_lock(replace(pack.lock, sections=(replace(section, artefacts=(evil,)),)))
    with pytest.raises((BadArtefact, SpecError)):
        open_pack(with_lock(packed, text))
    with pytest.raises(BadArtefact):
        take_out(pack, replace(evil, sha256=section.artefacts[0].sha256), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", ["../evil", "", "/evil", ".hidden"])
def test_a_pack_cannot_name_its_environment_as_it_likes(name: str, packed: Path) -> None:
    with pytest.raises(BadArtefact, match="not an environment's name"):
        open_pack(with_lock(packed, write_lock(open_pack(packed).lock), name=name))


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"", "not a whole pack"), (b"no tar", "not a whole pack"), (b"\0" * 10240, "no table"), (None, "does not exist")],
)
def test_what_is_no_pack_says_so(content: bytes | None, says: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / "x.tar").write_bytes(content)
    with pytest.raises((UsageError, BadArtefact), match=says):
        open_pack(tmp_path / "x.tar")


def test_a_pack_that_is_cut_off_says_so(packed: Path) -> None:
    content = packed.read_bytes()
    for size in (len(content) // 2, 700, 100):
        packed.with_name("cut.tar").write_bytes(content[:size])
        with pytest.raises((UsageError, BadArtefact)):
            open_pack(packed.with_name("cut.tar"))


def test_a_table_of_another_time_is_told(packed: Path) -> None:
    with pytest.raises(UsageError, match=r"envforge\.pack/9"):
        open_pack(with_lock(packed, write_lock(open_pack(packed).lock), schema="envforge.pack/9"))


def test_a_table_that_is_no_json_is_refused(packed: Path) -> None:
    for content in (b"[" * 100_000, b"{}", b'{"schema": "envforge.pack/1"}', b"\xff\xfe", b'{"schema": 1'):
        evil = rewrite(packed, lambda m, old, new=content: (m, new if m.name == MANIFEST else old))  # type: ignore[misc]
        with pytest.raises((BadArtefact, UsageError)):
            open_pack(evil)
