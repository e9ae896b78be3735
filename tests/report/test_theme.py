"""Colours for both grounds, and glyphs only where the locale has them."""

import io

import pytest

from envforge.report.page import item
from envforge.report.theme import ON_LIGHT, STYLES, speaks_unicode, styles_for
from report.test_text import Terminal, shown


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, STYLES),
        ({"COLORFGBG": "15;0"}, STYLES),
        ({"COLORFGBG": "0;15"}, ON_LIGHT),
        ({"COLORFGBG": "0;default;7"}, ON_LIGHT),
        ({"ENVFORGE_THEME": "light"}, ON_LIGHT),
        ({"ENVFORGE_THEME": "dark", "COLORFGBG": "0;15"}, STYLES),
    ],
)
def test_the_ground_decides_on_colours_unless_a_variable_does(environ, expected):
    assert expected == styles_for(environ)


def test_no_colour_is_one_that_its_ground_swallows():
    on_dark, on_light = (" ".join(each.values()) for each in (STYLES, ON_LIGHT))
    assert [] == [each for each in ("blue", "black") if each in on_dark]
    assert [] == [each for each in ("yellow", "cyan", "white") if each in on_light]


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({}, True),
        ({"LANG": "en_GB.UTF-8"}, True),
        ({"LANG": "C.utf8"}, True),
        ({"LANG": "C"}, False),
        ({"LANG": "C", "LC_CTYPE": "C.UTF-8"}, False),
        ({"LANG": "de_DE.ISO-8859-1"}, False),
        ({"LANG": "C", "LC_CTYPE": "en_US.UTF-8"}, True),
        ({"LANG": "en_US.UTF-8", "LC_ALL": "POSIX"}, False),
        ({"LC_ALL": "C", "PYTHONIOENCODING": "utf-8"}, True),
    ],
)
def test_the_locale_decides_on_glyphs(environ, expected):
    assert expected == speaks_unicode(Terminal(), environ)


def test_a_stream_that_cannot_carry_them_gets_none():
    assert not speaks_unicode(io.TextIOWrapper(io.BytesIO(), encoding="latin-1"), {})


def test_text_wraps_under_itself_where_a_mark_is_wider_in_ascii():
    page = (item("install NVIDIA driver 580 or newer", mark="→"),)
    assert "  -> install NVIDIA driver 580\n     or newer\n" == shown(page, LANG="C", COLUMNS="30")


def test_a_page_in_another_locale_is_plain_ascii():
    page = (item("driver ≥ 580 → CUDA 13, `torch` 2 × H100", mark="✗", style="bad"),)
    assert "  x driver >= 580 -> CUDA 13, `torch` 2 x H100\n" == shown(page, LANG="C")
