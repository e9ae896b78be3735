"""Attestations of packages, signed with a sigstore of our own and verified by rattler's real verifier."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from channel.wheelhouse import Channel
from cli.calling import envelope
from cli.making import Home
from engines.conftest import MakePlan
from engines.signing import SIGNER, Sigstore, attest_channel
from envforge.engines.attestations import verify_attestations
from envforge.engines.rattler import RattlerEngine
from envforge.errors import BadArtefact, SpecError, UsageError
from envforge.model import Attestations, Locked
from envforge.spec import parse_spec, write_spec
from tiny import quiet

WANTED = Attestations(conda="require", publisher="https://github.com/forge/*")
SIGSTORE = Sigstore()
Attest = Callable[..., str]


@pytest.fixture
def attest(channel: Channel, tmp_path: Path) -> Attest:
    """Copy the channel, with attestations of three packages but those ``without``; give the copy's URL."""

    def attest(without: tuple[str, ...] = (), target: str | None = None, signer: str = SIGNER) -> str:
        copy = tmp_path / "attested"
        signed = {"mpmath", "tzdata", "python_abi"} - set(without)
        attest_channel(channel.path, copy, SIGSTORE, target or copy.as_uri(), signer, signed.__contains__)
        return copy.as_uri()

    return attest


@pytest.fixture
def root(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "trusted_root.json").write_text(SIGSTORE.trusted_root())
    return {"ENVFORGE_TRUSTED_ROOT": str(tmp_path / "trusted_root.json")}


@pytest.fixture
def lock(make_plan: MakePlan, tmp_path: Path) -> Callable[[str], tuple[Locked, ...]]:
    def lock(url: str) -> tuple[Locked, ...]:
        plan = make_plan("tzdata", "python_abi 3.11.*", channels=(url,))
        return RattlerEngine(tmp_path / "cache", environ={}).lock(plan, quiet)

    return lock


def test_what_its_publisher_signed_is_locked(attest: Attest, lock: Any, root: dict[str, str]) -> None:
    found = lock(attest())
    assert {64} == {len(each.attestations_sha256 or "") for each in found}
    assert () == verify_attestations(found, WANTED, environ=root)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"without": ("tzdata",)}, "no attestations are advertised"),
        ({"target": "https://channel.test/other"}, "targets channel"),
        ({"signer": "https://github.com/thief/recipes"}, "thief"),
    ],
)
def test_what_is_not_attested_as_wanted_is_refused(
    attest: Attest, lock: Any, root: dict[str, str], wrong: dict[str, Any], says: str
) -> None:
    with pytest.raises(BadArtefact, match="packages are not attested") as refused:
        verify_attestations(lock(attest(**wrong)), WANTED, environ=root)
    assert says in " ".join(refused.value.where)
    assert "`tzdata`" in " ".join(refused.value.where)


def test_it_is_said_where_a_warning_will_do(attest: Attest, lock: Any, root: dict[str, str]) -> None:
    wanted = Attestations(conda="warn", publisher="https://github.com/forge/*")
    (told,) = verify_attestations(lock(attest(without=("tzdata",))), wanted, environ=root)
    assert told.startswith("`tzdata`: no attestations are advertised")


def test_another_authority_is_not_trusted(attest: Attest, lock: Any, tmp_path: Path) -> None:
    (tmp_path / "other.json").write_text(Sigstore().trusted_root())
    with pytest.raises(BadArtefact, match="2 of 2 packages are not attested"):
        verify_attestations(lock(attest()), WANTED, environ={"ENVFORGE_TRUSTED_ROOT": str(tmp_path / "other.json")})


def test_offline_the_public_root_that_came_with_rattler_decides(attest: Attest, lock: Any) -> None:
    with pytest.raises(BadArtefact, match="2 of 2 packages are not attested"):
        verify_attestations(lock(attest()), WANTED, offline=True, environ={})


def test_a_sidecar_that_was_changed_is_refused(attest: Attest, lock: Any, root: dict[str, str], tmp_path: Path) -> None:
    found = lock(attest())
    for sidecar in (tmp_path / "attested").glob("*/tzdata*.sigs.*"):
        sidecar.write_bytes(sidecar.read_bytes() + b" ")
    with pytest.raises(BadArtefact, match="1 of 2 packages"):
        verify_attestations(found, WANTED, environ=root)


@pytest.mark.parametrize(("text", "says"), [(None, "cannot be read"), ("{}", "is not a trusted root of sigstore")])
def test_a_root_that_is_none_is_a_usage_error(
    lock: Any, channel: Channel, text: str, says: str, tmp_path: Path
) -> None:
    if text:
        (tmp_path / "root.json").write_text(text)
    with pytest.raises(UsageError, match=says):
        verify_attestations(lock(channel.url), WANTED, environ={"ENVFORGE_TRUSTED_ROOT": str(tmp_path / "root.json")})


def test_nothing_is_looked_at_where_the_spec_asks_for_nothing(lock: Any, channel: Channel) -> None:
    assert () == verify_attestations(lock(channel.url), Attestations(), environ={"ENVFORGE_TRUSTED_ROOT": "/nowhere"})


def test_a_spec_says_whose_attestations_count() -> None:
    text = "name: demo\nattestations:\n  conda: require\n  publisher: https://github.com/forge/*\n"
    spec = parse_spec(text, "demo.yaml")
    assert (WANTED, text) == (spec.attestations, write_spec(spec))
    with pytest.raises(SpecError, match="does not say whose signatures count"):
        parse_spec("attestations: {conda: warn}\n", "demo.yaml")


def test_create_refuses_what_is_not_attested_and_writes_nothing(
    attest: Attest, root: dict[str, str], tmp_path: Path
) -> None:
    home = Home(root=tmp_path, cache=tmp_path / "cache")
    wanted = {"conda": "require", "publisher": "https://github.com/forge/*"}
    spec = home.spec(attest(), attestations=wanted)
    document = envelope(home.create(spec, "--json", **root))
    assert (5, "artefact") == (document["exit"], document["errors"][0]["code"])
    assert "packages are not attested" in document["errors"][0]["message"]
    assert (False, []) == (spec.with_name("demo.lock.yaml").exists(), home.left())
