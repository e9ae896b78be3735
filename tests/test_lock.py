"""Lock files: the same bytes from the same values, read strictly, and readable in a diff."""

from __future__ import annotations

import difflib
import re
from contextlib import suppress
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
    assert 8 == len([line for line in lines if line.startswith(("+", "-"))])


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


def conda_url(**said: str) -> str:
    names = {"name": CONDA.name, "version": CONDA.version, "build": CONDA.build, **said}
    return CONDA.url.rpartition("/")[0] + "/" + "{name}-{version}-{build}.conda".format(**names)


FORGED = [
    ({"build_number": -1}, "`-1` is out of range"),
    ({"build_number": 10**30}, "is out of range"),
    ({"size_bytes": -5}, "`-5` is out of range"),
    ({"noarch": "evil"}, "`evil` is not plain"),
    ({"md5": "zz"}, "`zz` is not plain"),
    ({"attestations_sha256": "../../x"}, "`../../x` is not plain"),
    ({"site_packages_path": "../../../tmp/evil"}, "`../../../tmp/evil` is not plain"),
    ({"site_packages_path": "/tmp/evil"}, "`/tmp/evil` is not plain"),
    ({"sha256": "\uff11" + SHA[1:]}, "is not a sha256"),
    ({"sha256": SHA.upper()}, "is not a sha256"),
    ({"url": "https://[::1/linux-64/x"}, "is not the URL of a file"),
    ({"url": "https://h:port/linux-64/x"}, "is not the URL of a file"),
    ({"url": "https:///linux-64/x"}, "is not the URL of a file"),
    ({"url": "ftp://h/linux-64/x"}, "is not the URL of a file"),
    ({"url": "javascript:x/linux-64/x"}, "is not the URL of a file"),
    ({"url": CONDA.url.replace("/linux-64", "%00/linux-64")}, "is not the URL of a file"),
    ({"url": CONDA.url.replace("/linux-64", "\n/linux-64")}, "has a control character"),
    ({"url": CONDA.url + "#sha256:" + SHA}, "is not the URL of a file alone"),
    ({"url": CONDA.url.replace("/linux-64", "/../evil/linux-64")}, "is not the URL of a file"),
    ({"url": CONDA.url.replace("/linux-64", "/%2e%2e/linux-64")}, "is not the URL of a file"),
    ({"url": CONDA.url + "?x=1"}, "is not the URL of a file alone"),
    ({"name": "--help", "url": conda_url(name="--help")}, "`--help` is not plain"),
    ({"name": "pyth\u043en", "url": conda_url(name="pyth\u043en")}, "`pyth\u043en` is not plain"),
    ({"name": "../evil", "url": conda_url(name="..%2Fevil")}, "is not the URL of a file"),
    ({"build": "../x", "url": conda_url(build="..%2Fx")}, "`../x` is not plain"),
    ({"version": "3.11\x1b[2J"}, "has a control character"),
    ({"url": "https://conda.anaconda.org/conda-forge/noarch/mpmath-1.3.0-0.conda"}, "its URL is of `noarch`"),
    ({"subdir": "osx-64", "url": CONDA.url.replace("linux-64", "osx-64")}, "it is for `osx-64`"),
]


@pytest.mark.parametrize(("change", "says"), FORGED, ids=[says for _, says in FORGED])
def test_a_record_that_was_forged_is_refused_although_its_digest_is_right(change: dict[str, object], says: str) -> None:
    forged = replace(LOCK, sections=(replace(SECTION, artefacts=(replace(CONDA, **change), WHEEL)),))
    with pytest.raises(SpecError) as refused:
        read_lock(write_lock(forged), "a.lock.yaml")
    assert says in refused.value.message
    assert re.fullmatch(r"a\.lock\.yaml:\d+:\d+", refused.value.where[0])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"artefacts": (), "interpreter": None}, "the section has no Python"),
        ({"candidate": replace(SECTION.candidate, python="3.12")}, "the section is for Python 3.12, and has 3.11.7"),
        ({"candidate": replace(SECTION.candidate, python="../..")}, "the section is for Python ../.., and has 3.11.7"),
        ({"interpreter": Interpreter(path="env/python", version=Dotted("3.11"))}, "is not the whole path of a Python"),
        ({"variables": (("A=1;rm -rf /", "x"),)}, "is no name for a variable or a package"),
        ({"variables": (("A", "x\nexport B=1"),)}, "has a control character"),
        ({"target": "a\x1b[31m"}, "has a control character"),
    ],
)
def test_a_section_that_was_forged_is_refused(change: dict[str, object], says: str) -> None:
    with pytest.raises(SpecError, match=re.escape(says)):
        read_lock(write_lock(replace(LOCK, sections=(replace(SECTION, **change),))), "a.lock.yaml")


@pytest.mark.parametrize("name", ["", "../x", "a b", "-x", "a\x00b"])
def test_a_name_that_no_environment_can_have_is_refused(name: str) -> None:
    with pytest.raises(SpecError, match=r"cannot be the name|control character"):
        read_lock(write_lock(replace(LOCK, name=name)), "a.lock.yaml")


MIXED = {
    f"sha256: {SHA}": f"sha256: {'ef' * 32}",
    "size_bytes: 25000000": "size_bytes: 25000001",
    "driver: 560.28.03": "driver: 525.60.13",
    "torch: 2.13.0": "torch: 2.12.0",
    "    - tzdata\n": "",
    "OMP_NUM_THREADS: '8'": "OMP_NUM_THREADS: '9'",
    "subdir: linux-64\n    size": "subdir: linux-64\n    link_scripts: true\n    size",
}


@pytest.mark.parametrize("right", MIXED)
def test_a_section_that_was_edited_or_mixed_from_two_is_refused(right: str) -> None:
    text = write_lock(LOCK)
    with pytest.raises(SpecError, match="section `here` is not as it was written") as refused:
        read_lock(text.replace(right, MIXED[right], 1), "a.lock.yaml")
    assert ("a.lock.yaml:8:11",) == refused.value.where


def test_a_lock_that_was_cut_anywhere_is_refused() -> None:
    text = write_lock(LOCK)
    lines = [place.end() for place in re.finditer("\n", text.rstrip())]
    for end in (*lines, *range(0, len(text.rstrip()), 17)):
        with pytest.raises(SpecError) as refused:
            read_lock(text[:end], "a.lock.yaml")
        assert re.fullmatch(r"a\.lock\.yaml:\d+:\d+", refused.value.where[0]), end


@pytest.mark.law
@given(st.integers(0, len(write_lock(LOCK)) - 1), st.integers(0, 6))
def test_law_a_flipped_bit_is_refused_or_changes_nothing(place: int, bit: int) -> None:
    raw = bytearray(write_lock(LOCK).encode())
    raw[place] ^= 1 << bit
    with suppress(SpecError):
        read = read_lock(raw.decode("ascii"), "a.lock.yaml")
        assert in_order(LOCK).sections == tuple(replace(each, target="here") for each in read.sections)


def test_a_section_of_an_earlier_version_has_no_digest_and_is_read() -> None:
    lines = [each for each in write_lock(LOCK).splitlines(keepends=True) if not each.startswith("  digest:")]
    assert in_order(LOCK) == read_lock("".join(lines), "a.lock.yaml")


def test_sections_of_two_targets_are_merged_by_git_and_stay_good() -> None:
    other = replace(SECTION, target="other", artefacts=(CONDA,))
    both = replace(LOCK, sections=(SECTION, other))
    mine, theirs = (write_lock(replace(LOCK, sections=(each,))) for each in (SECTION, other))
    merged = mine + theirs[theirs.index("- target: other") :]
    assert in_order(both) == read_lock(merged, "a.lock.yaml")


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
    common = {
        "name": name,
        "version": version,
        "sha256": draw(shas),
        "size_bytes": draw(st.none() | st.integers(0, 2**53)),
    }
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
