"""What is installed under a policy was verified under it: also what others have locked, packed or edited."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from channel.served import Served
from channel.wheelhouse import Channel
from cli.calling import envelope, envforge
from cli.forging import forge_package
from cli.making import Home
from engines.signing import SIGNER, Sigstore, attest_channel
from envforge.lock import read_lock, write_lock
from envforge.spec import parse_spec, spec_digest

POLICY = {"conda": "require", "publisher": "https://github.com/forge/*"}
NOWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "http://127.0.0.1:9")
SIGSTORE = Sigstore()
Make = Callable[[str], Home]


@pytest.fixture
def served(channel: Channel, tmp_path: Path, http_server: Callable[[Path], Served]) -> Served:
    """A channel over HTTP that attests all its packages."""
    (tmp_path / "attested").mkdir()
    served = http_server(tmp_path / "attested")
    attest_channel(channel.path, served.root, SIGSTORE, served.url, SIGNER, lambda name: True)
    return served


@pytest.fixture
def user(tmp_path: Path) -> Make:
    """Make the home of a user of this computer; packages are cached for all of them."""
    return lambda name: Home(root=tmp_path / name, cache=tmp_path / "cache")


@pytest.fixture
def root(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "trusted_root.json").write_text(SIGSTORE.trusted_root())
    return {"ENVFORGE_TRUSTED_ROOT": str(tmp_path / "trusted_root.json"), "COLUMNS": "300"}


def locked(user: Home, channel: str, root: dict[str, str], **keys: object) -> Path:
    spec = user.spec(channel, **keys)
    done = envforge("lock", spec, "--no-progress", **user.variables, **root)
    assert 0 == done.returncode, done.stderr
    return spec


def handed_on(spec: Path, to: Home) -> Path:
    """Give a spec with its lock to another user."""
    copy = to.root / "work" / spec.name
    copy.parent.mkdir(parents=True)
    for each in (spec.name, "demo.lock.yaml"):
        copy.with_name(each).write_text(spec.with_name(each).read_text())
    return copy


def create(user: Home, *words: object, **root: str) -> dict[str, Any]:
    return envelope(user.create(*words, "--no-verify", "--json", **root))


def sidecars(served: Served) -> int:
    found = sum(".sigs." in each for each in served.requests)
    served.requests.clear()
    return found


def refused(document: dict[str, Any]) -> tuple[int, str]:
    return document["exit"], document["errors"][0]["message"]


def test_a_lock_of_others_is_verified_before_it_is_installed_and_once_only(
    served: Served, user: Make, root: dict[str, str]
) -> None:
    spec = locked(user("maker"), served.url, root, attestations=POLICY)
    assert sidecars(served) > 5
    other = user("other")
    copy = handed_on(spec, other)
    offline = create(other, copy, "--locked", "--offline", **root)
    assert (5, "unreachable") == (offline["exit"], offline["errors"][0]["code"])
    assert "offline, and the attestations of" in offline["errors"][0]["message"]
    assert ([], 0) == (other.left(), sidecars(served))
    assert create(other, copy, "--locked", **root)["data"]["changed"]
    assert sidecars(served) > 5
    again = create(other, copy, "--locked", "--offline", **root)
    assert (0, False, 0) == (again["exit"], again["data"]["changed"], sidecars(served))


@pytest.mark.parametrize("words", [["--locked"], ["--frozen"]])
def test_a_lock_that_was_edited_does_not_fool_the_policy(
    words: list[str], served: Served, channel: Channel, user: Make, root: dict[str, str]
) -> None:
    maker = user("maker")
    spec = locked(maker, served.url, root, attestations=POLICY)
    path = spec.with_name("demo.lock.yaml")
    forge_package(path, "tzdata", lambda each: replace(each, sha256="ab" * 32))
    document = create(maker, spec, *words, **root)
    assert (5, "artefact", True) == (
        document["exit"],
        document["errors"][0]["code"],
        "packages are not attested" in document["errors"][0]["message"],
    )
    assert [] == maker.left()


def test_what_was_made_without_a_policy_does_not_pass_for_one(
    served: Served, channel: Channel, user: Make, root: dict[str, str]
) -> None:
    maker = user("maker")
    spec = locked(maker, channel.url, root)
    assert 0 == create(maker, spec, **root)["exit"]
    spec = maker.spec(channel.url, attestations=POLICY)
    assert (4, "the spec has changed since the lock was made") == refused(create(maker, spec, "--locked", **root))
    path = spec.with_name("demo.lock.yaml")
    old = read_lock(path.read_text(), str(path))
    path.write_text(write_lock(replace(old, spec_digest=spec_digest(parse_spec(spec.read_text(), str(spec))))))
    for words in (["--frozen"], ["--locked"], []):
        code, message = refused(create(maker, spec, *words, **root))
        assert (5, True) == (code, message.endswith("packages are not attested")), words


def test_where_a_warning_will_do_it_is_given_when_something_is_made(
    channel: Channel, user: Make, root: dict[str, str]
) -> None:
    maker = user("maker")
    spec = locked(maker, channel.url, root, attestations={**POLICY, "conda": "warn"})
    made = maker.create(spec, "--no-verify", **root)
    assert (0, True) == (made.returncode, "not attested: `tzdata`: no attestations are advertised" in made.stderr)
    again = maker.create(spec, "--no-verify", **root)
    assert (0, False) == (again.returncode, "attested" in again.stderr)


def test_a_pack_has_the_attestations_that_its_target_asks_for(
    served: Served, user: Make, root: dict[str, str], tmp_path: Path
) -> None:
    maker, tar = user("maker"), tmp_path / "demo.tar"
    spec = locked(maker, served.url, root, attestations=POLICY)
    packed = envelope(envforge("pack", spec, "-o", tar, "--json", "--no-progress", **maker.variables, **root))
    lock = read_lock(spec.with_name("demo.lock.yaml").read_text(), "demo.lock.yaml")
    assert len(lock.sections[0].artefacts) == packed["data"]["packages"]
    served.requests.clear()
    there = Home(root=tmp_path / "there", cache=tmp_path / "there/cache")
    elsewhere = {**NOWHERE, "NO_PROXY": "", "no_proxy": ""}
    bare = create(there, "--from", tar, **elsewhere)
    assert (5, []) == (bare["exit"], there.left()), "sigstore's own root knows nothing of this forge"
    made = create(there, "--from", tar, **root, **elsewhere)
    assert (0, []) == (made["exit"], served.requests), made["errors"]
