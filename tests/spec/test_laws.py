"""Laws of specs: written ones read back, the schema agrees with the reader, nothing raises but SpecError."""

from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from envforge.errors import SpecError
from envforge.model import Needs, Spec, Target
from envforge.spec import is_digest_of, json_schema, parse_spec, spec_digest, write_spec
from envforge.spec.table import SPEC
from envforge.wire import digest, read_yaml, write_yaml

SHIPPED = (Path(__file__).parents[2] / "envspecs").glob("*.yaml")
ENVSPECS = sorted(path for path in SHIPPED if not path.name.endswith(".lock.yaml"))
NAMES = st.from_regex(r"[a-z0-9][a-z0-9._-]{0,8}", fullmatch=True)
VERSIONS = st.sampled_from([">=2.8", "==3.12.*", ">=2.6,<2.9", "!=2.7.1", "==2.9.0rc1", "~=3.11"]).map(SpecifierSet)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=8)
PROFILES = st.fixed_dictionaries(
    {},
    optional={
        "driver": st.sampled_from(["535", "550.54.15", None]),
        "gpus": st.lists(
            st.sampled_from(["Tesla T4", {"name": "X", "capability": "9.0", "memory": "80GB"}, {"capability": "8.6"}])
        ),
        "glibc": st.sampled_from(["2.28", None]),
        "subdir": st.sampled_from(["linux-64", "linux-aarch64"]),
    },
)
TARGETS = st.builds(Target, name=NAMES, profile=PROFILES) | st.builds(Target, name=NAMES, path=TEXTS)
PLACES = st.sampled_from(["conda-forge", "https://example.org/x", "./here", "/srv/there"])


def lists(items: Any, least: int = 0) -> Any:
    return st.lists(items, min_size=least, max_size=3, unique_by=str).map(tuple)


SPECS = st.builds(
    Spec,
    name=NAMES,
    python=st.none() | VERSIONS,
    torch=st.none() | VERSIONS,
    companions=lists(st.sampled_from(["torchvision", "torchaudio", "triton"])),
    cuda=st.just("auto"),
    gpu=st.sampled_from([None, "required", "preferred"]),
    sources=lists(PLACES, 1),
    channels=lists(PLACES),
    indexes=lists(PLACES),
    find_links=lists(PLACES),
    conda=lists(st.sampled_from(["numpy >=2", "ffmpeg", "scipy=1.*=py*"])),
    wheels=lists(st.sampled_from(["einops", "timm>=1", "x[y]; python_version<'3.12'"])),
    toolkit=st.booleans(),
    needs=st.builds(
        Needs,
        gpus=st.none() | st.integers(0, 16),
        memory_bytes=st.none() | st.integers(0, 1 << 41),
        capability=st.none() | st.just(SpecifierSet(">=8.0")),
    ),
    targets=st.lists(TARGETS, max_size=2, unique_by=lambda target: target.name).map(tuple),
    checks=st.sampled_from(["quick", "standard", "deep"]) | lists(st.sampled_from(["import", "matmul"]), 1),
    variables=st.dictionaries(st.from_regex(r"[A-Z_]{1,5}", fullmatch=True), TEXTS, max_size=2).map(
        lambda found: tuple(found.items())
    ),
    exclude_newer=st.none() | st.dates(date(2000, 1, 1)).map(str) | st.just("2026-10-01T12:00:00Z"),
) | st.builds(Spec, name=NAMES, cuda=VERSIONS, gpu=st.sampled_from(["required", "preferred"]), targets=st.just(()))
TREES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | st.dates(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
KEYS = st.sampled_from(sorted(json_schema()["properties"]))


@pytest.mark.law
@given(SPECS)
def test_a_written_spec_reads_back_equal(spec: Spec):
    assert parse_spec(write_spec(spec), spec.origin) == spec


@pytest.mark.law
@given(SPECS)
def test_the_schema_accepts_every_spec(spec: Spec):
    jsonschema.Draft202012Validator(json_schema()).validate(read_yaml(write_spec(spec), "a.yaml").plain)


@pytest.mark.law
@given(st.dictionaries(KEYS, TREES, max_size=3))
def test_what_the_schema_refuses_the_reader_refuses(plain: dict[str, Any]):
    read = read_yaml(write_yaml(plain), "a.yaml").plain
    if not jsonschema.Draft202012Validator(json_schema()).is_valid(_as_text(read)):
        with pytest.raises(SpecError):
            parse_spec(write_yaml(plain), "a.yaml")


def _as_text(plain: Any) -> Any:
    """Dates may stand unquoted in YAML; to a schema they are text."""
    if isinstance(plain, dict):
        return {key: str(found) if isinstance(found, date) else found for key, found in plain.items()}
    return plain


@pytest.mark.law
@given(st.text(max_size=60) | st.binary(max_size=60).map(lambda raw: raw.decode("latin-1")))
def test_any_text_gives_a_spec_or_a_spec_error(text: str):
    _parse_or_complain(text)


@pytest.mark.law
@given(st.dictionaries(KEYS | TEXTS, TREES | st.lists(TEXTS), max_size=4))
def test_any_tree_gives_a_spec_or_a_spec_error(plain: dict[str, Any]):
    _parse_or_complain(write_yaml(plain))


def _parse_or_complain(text: str) -> None:
    with suppress(SpecError):
        spec = parse_spec(text, "a.yaml")
        assert parse_spec(write_spec(spec), "a.yaml") == spec


@pytest.mark.law
@given(SPECS)
def test_the_digest_does_not_depend_on_where_or_how_it_was_written(spec: Spec):
    text = "# a comment\n\n" + write_spec(spec)
    assert spec_digest(parse_spec(text, "elsewhere/b.yaml")) == spec_digest(spec)


def test_the_digest_changes_with_what_is_asked_for():
    asked = ["torch: '2.8'", "torch: '2.9'", "torch: '2.8'\ngpu: required", "torch: '2.8'\nwheels: [timm]"]
    assert len({spec_digest(parse_spec(text, "a.yaml")) for text in asked}) == len(asked)


def test_the_digest_overlooks_name_and_checks():
    plain, named = "torch: '2.8'", "torch: '2.8'\nname: other\nchecks: deep"
    assert spec_digest(parse_spec(plain, "a.yaml")) == spec_digest(parse_spec(named, "a.yaml"))


TARGETS = ("{a: {driver: '580'}, b: {driver: '550'}}", "{b: {driver: '550'}, a: {driver: '580'}}")
UNORDERED = {
    "with": ("[torchvision, torchaudio]", "[torchaudio, torchvision]"),
    "conda": ("['numpy >=2', pandas]", "[pandas, 'numpy >=2']"),
    "wheels": ("['timm>=1', einops]", "[einops, 'timm>=1']"),
    "link-scripts": ("[a, b]", "[b, a]"),
    "variables": ("{A: '1', B: '2'}", "{B: '2', A: '1'}"),
    "targets": TARGETS,
    "checks": ("[import_torch, gpu_visible]", "[gpu_visible, import_torch]"),
    "python": ("'>=3.11,<3.14'", "'<3.14,>=3.11'"),
    "needs": ("{gpus: 2, memory: 24GiB}", "{memory: 24GiB, gpus: 2}"),
}
ORDERED = {
    "sources": ("[pypi, pytorch]", "[pytorch, pypi]"),
    "channels": ("[conda-forge, nvidia]", "[nvidia, conda-forge]"),
    "indexes": ("[pypi, 'https://a.test/simple']", "['https://a.test/simple', pypi]"),
    "find-links": ("[/a, /b]", "[/b, /a]"),
}


@pytest.mark.parametrize("key", UNORDERED)
def test_the_digest_overlooks_an_order_that_cannot_change_the_result(key: str):
    found = {spec_digest(parse_spec(f"{key}: {text}", "a.yaml")) for text in UNORDERED[key]}
    assert 1 == len(found)


@pytest.mark.parametrize("key", ORDERED)
def test_the_digest_keeps_the_order_of_places(key: str):
    found = {spec_digest(parse_spec(f"{key}: {text}", "a.yaml")) for text in ORDERED[key]}
    assert 2 == len(found)


def test_every_key_of_a_spec_is_said_to_have_an_order_or_none():
    single = {"name", "torch", "cuda", "gpu", "toolkit", "attestations", "exclude-newer"}
    assert {each.name for each in SPEC.keys} == {*UNORDERED, *ORDERED, *single}


def test_a_lock_of_the_time_when_the_order_of_packages_counted_still_fits():
    spec = parse_spec("conda: [b, a]\nwheels: [d, c]\n", "a.yaml")
    before = digest({"conda": ["b", "a"], "wheels": ["d", "c"]})
    assert (True, True, False) == tuple(is_digest_of(each, spec) for each in (before, spec_digest(spec), "sha256:0"))


def test_the_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("path", ENVSPECS, ids=lambda path: path.stem)
def test_the_shipped_specs_read_and_fit_the_schema(path: Path):
    text = path.read_text()
    parse_spec(text, str(path))
    jsonschema.Draft202012Validator(json_schema()).validate(_as_text(read_yaml(text, str(path)).plain))
