"""Versions as conda and poetry write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.specifiers import SpecifierSet

from envforge.foreign.variants import of_build, page_of
from envforge.foreign.versions import from_conda, from_poetry


@pytest.mark.parametrize(
    ("conda", "pep440"),
    [
        ("2.1", "==2.1.*"),
        ("=2.1", "==2.1.*"),
        ("2.1.*", "==2.1.*"),
        ("2.1*", "==2.1.*"),
        ("=2.1.0", "==2.1.0"),
        ("==2.1", "==2.1"),
        (">=2.2.0,<2.3", ">=2.2.0,<2.3"),
        (">=2.8.*", ">=2.8"),
        ("!=2.1.*", "!=2.1.*"),
        ("~=3.10", "~=3.10"),
        ("<3.0a0", "<3.0a0"),
    ],
)
def test_condas_versions_have_their_pep_440_form(conda, pep440):
    assert from_conda(conda) == SpecifierSet(pep440)


@pytest.mark.parametrize(
    ("poetry", "pep440"),
    [
        ("^2.1", ">=2.1,<3"),
        ("^0.13.0", ">=0.13.0,<0.14"),
        ("^0.0.3", ">=0.0.3,<0.0.4"),
        ("~3.9", ">=3.9,<3.10"),
        ("~1", ">=1,<2"),
        ("2.*", "==2.*"),
        ("2.1.0", "==2.1.0"),
        (">=3.8,<3.12", ">=3.8,<3.12"),
        (">=3.8 <3.12", ">=3.8,<3.12"),
    ],
)
def test_poetrys_versions_have_their_pep_440_form(poetry, pep440):
    assert from_poetry(poetry) == SpecifierSet(pep440)


@pytest.mark.parametrize("nothing", ["", "*", " * "])
def test_any_version_is_no_specifier(nothing):
    assert (from_conda(nothing), from_poetry(nothing)) == (None, None)


@pytest.mark.law
@given(st.text(alphabet="0123456789.*=<>!~^|, abv", max_size=12))
def test_any_text_is_a_specifier_or_a_value_error(text):
    for read in (from_conda, from_poetry):
        try:
            assert read(text) is None or isinstance(read(text), SpecifierSet)
        except ValueError:
            continue


def test_builds_and_pages_say_their_cuda():
    assert [of_build(each) for each in ("*cuda11*", "cuda118*", "py3.9_cuda11.3_cudnn8*", "*cuda*", "cpu_*")] == [
        "11",
        "11.8",
        "11.3",
        None,
        "none",
    ]
    page = page_of("https://download.pytorch.org/whl/nightly/cu126")
    assert page is not None
    assert (page.cuda, page.nightly) == ("12.6", True)
