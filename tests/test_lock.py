"""Lock files: the same bytes from the same values, read strictly, and readable in a diff."""

from __future__ import annotations

import difflib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from envforge.errors import SpecError
from envforge.lock import in_order, lock_digest, read_lock, write_lock
from envforge.model import (
    Build,
    Candidate,
    ComputeCapability,
    Dotted,
    Floor,
    Interpreter,
    Lock,
    Locked,
    Reason,
    Section,
)

SHA = "ab" * 32
CONDA = Locked(
    name="python",
    version="3.11.7",
    kind="conda",
    url="https://conda.anaconda.org/conda-forge/linux-64/python-3.11.7-h1_0_cpython.conda",
    sha256=SHA,
    build="h1_0_cpython",
    subdir="linux-64",
    size_bytes=25_000_000,
    depends=("__glibc >=2.28", "tzdata"),
    site_packages_path="lib/python3.11/site-packages",
)
WHEEL = Locked(
    name="torch",
    version="2.13.0+cpu",
    kind="wheel",
    url="https://download.pytorch.org/whl/cpu/torch-2.13.0%2Bcpu-cp311-cp311-manylinux_2_28_x86_64.whl",
    sha256="cd" * 32,
)
BUILD = Build(
    torch=Version("2.13.0"),
    variant="cu126",
    cuda=Dotted("12.6"),
    source="pytorch",
    kind="wheel",
    subdir="linux-64",
    pythons=("3.10", "3.11"),
    sass=(ComputeCapability(9, 0),),
    ptx=(),
)
SECTION = Section(
    target="here",
    floor=Floor(subdir="linux-64", driver=Dotted("560.28.03"), capabilities=(ComputeCapability(7, 5),)),
    candidate=Candidate(python="3.11", build=BUILD, companions=(("torchvision", "0.28.0"),)),
    artefacts=(WHEEL, CONDA),
    channels=("conda-forge",),
    interpreter=Interpreter(path="/usr/bin/python3", version=Dotted("3.11.7")),
    variables=(("OMP_NUM_THREADS", "8"),),
    reasons=(Reason(rule="driver", text="the driver is new enough: 3.10", owner="driver"),),
)
LOCK = Lock(name="vision", spec_digest="sha256:1", facts_digest="sha256:2", sections=(SECTION,))


def test_what_was_written_is_read_back_and_written_the_same() -> None:
    text = write_lock(LOCK)
    assert in_order(LOCK) == read_lock(text, "vision.lock.yaml")
    assert text == write_lock(read_lock(text, "vision.lock.yaml"))


def test_the_order_of_artefacts_does_not_count() -> None:
    turned = replace(LOCK, sections=(replace(SECTION, artefacts=(CONDA, WHEEL)),))
    assert write_lock(LOCK) == write_lock(turned)
    assert lock_digest(LOCK) == lock_digest(turned)


def test_one_changed_version_is_a_small_diff() -> None:
    newer = replace(CONDA, version="3.11.8", url=CONDA.url.replace("3.11.7", "3.11.8"), sha256="ef" * 32)
    changed = replace(LOCK, sections=(replace(SECTION, artefacts=(newer, WHEEL)),))
    lines = difflib.ndiff(write_lock(LOCK).splitlines(), write_lock(changed).splitlines())
    assert 6 == len([line for line in lines if line.startswith(("+", "-"))])


def test_versions_stay_text() -> None:
    assert "- '3.10'\n" in write_lock(LOCK)
    assert "version: 3.11.7\n" in write_lock(LOCK)


WRONG = {
    "name: python\n": ("name: pyhton\n", "name, version and build say `pyhton-3.11.7-h1_0_cpython`, its URL says"),
    "version: 3.11.7\n    kind": ("version: 3.11.8\n    kind", "its URL says `python-3.11.7-h1_0_cpython.conda`"),
    "build: h1_0_cpython": ("build: h2_0_cpython", "its URL says"),
    "subdir: linux-64\n    size": ("subdir: noarch\n    size", "its URL is of `linux-64`, and it says `noarch`"),
    f"    sha256: {SHA}\n": ("", "`sha256` is missing"),
    SHA: (SHA[:-1], "is not a sha256"),
    "version: 2.13.0+cpu": ("version: 2.13.0+cu126", "name and version say `torch-2.13.0+cu126`"),
    "size_bytes: 25000000": ("size_bytes: big", "`big` is not of type int"),
    "kind: wheel\n      subdir": ("kind: weel\n      subdir", "`weel` is none of conda, wheel"),
    "  channels:": ("  chanels:", "unknown key `chanels`"),
    "- conda-forge": ("- 3.10", "`3.10` is not of type str"),
    "envforge.lock/1": ("envforge.lock/2", "a lock of the schema `envforge.lock/2` cannot be read"),
    "driver: 560.28.03": ("driver: R560", "`R560` is not a dotted number"),
    "  artefacts:\n": ("<<<<<<< HEAD\n  artefacts:\n", "git left a merge conflict in the lock"),
}


@pytest.mark.parametrize("right", WRONG)
def test_what_was_not_written_by_us_is_refused_with_its_line(right: str) -> None:
    wrong, says = WRONG[right]
    text = write_lock(LOCK)
    assert right in text
    with pytest.raises(SpecError) as refused:
        read_lock(text.replace(right, wrong, 1), "a.lock.yaml")
    assert says in refused.value.message
    assert refused.value.where[0].startswith("a.lock.yaml:")


def test_a_package_that_stands_twice_is_refused_with_both_lines() -> None:
    twice = replace(LOCK, sections=(replace(SECTION, artefacts=(CONDA, CONDA)),))
    with pytest.raises(SpecError, match="conda package `python` stands twice, first on line"):
        read_lock(write_lock(twice), "a.lock.yaml")


def test_a_target_that_stands_twice_is_refused() -> None:
    with pytest.raises(SpecError, match="target `here` stands twice"):
        read_lock(write_lock(replace(LOCK, sections=(SECTION, SECTION))), "a.lock.yaml")


def test_a_file_that_is_no_lock_says_so() -> None:
    with pytest.raises(SpecError, match="it has no `schema`"):
        read_lock("name: vision\n", "vision.yaml")
    with pytest.raises(SpecError, match="the file is empty"):
        read_lock("", "vision.lock.yaml")


words = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), min_size=1, max_size=12)
dotted = st.lists(st.integers(0, 999), min_size=1, max_size=4).map(lambda parts: Dotted(".".join(map(str, parts))))
names = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
builds = st.from_regex(r"[a-z0-9_]{1,9}", fullmatch=True)


@st.composite
def artefacts(draw: st.DrawFn) -> Locked:
    name, version, build = draw(names), str(draw(dotted)), draw(builds)
    shas = st.text("0123456789abcdef", min_size=64, max_size=64)
    common = {"name": name, "version": version, "sha256": draw(shas), "size_bytes": draw(st.none() | st.integers(0))}
    if draw(st.booleans()):
        return Locked(kind="wheel", url=f"https://x.org/{name}-{version}-py3-none-any.whl", **common)
    url = f"file:///c/noarch/{name}-{version}-{build}.conda"
    depends = tuple(draw(st.lists(words, max_size=3)))
    return Locked(kind="conda", url=url, build=build, subdir="noarch", depends=depends, **common)


@st.composite
def locks(draw: st.DrawFn) -> Lock:
    found = draw(st.lists(artefacts(), max_size=5, unique_by=lambda each: each.name))
    variables = tuple(sorted(draw(st.dictionaries(names, words, max_size=2)).items()))
    reasons = tuple(Reason(rule="r", text=text) for text in draw(st.lists(words, max_size=2)))
    floor = Floor(subdir="linux-64", glibc=draw(st.none() | dotted))
    section = replace(
        SECTION,
        floor=floor,
        artefacts=tuple(found),
        variables=variables,
        reasons=reasons,
        channels=tuple(draw(st.lists(words, max_size=2))),
    )
    return replace(LOCK, name=draw(names), sections=(section,))


@pytest.mark.law
@given(locks())
def test_law_reading_undoes_writing(lock: Lock) -> None:
    text = write_lock(lock)
    assert in_order(lock) == read_lock(text, "x")
    assert text == write_lock(read_lock(text, "x"))


@pytest.mark.law
@given(locks(), st.randoms())
def test_law_equal_locks_have_equal_digests_in_any_order(lock: Lock, random: object) -> None:
    shuffled = list(lock.sections[0].artefacts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    turned = replace(lock, sections=(replace(lock.sections[0], artefacts=tuple(shuffled)),))
    assert (lock_digest(lock), write_lock(lock)) == (lock_digest(turned), write_lock(turned))
