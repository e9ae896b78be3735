"""Markers are asked for Linux and one Python; one that says nothing is no reason to leave a package out."""

import pytest

from envforge.foreign.wheel_markers import here, holds_on_linux


@pytest.mark.parametrize(
    ("marker", "holds"),
    [
        ("", True),
        ("sys_platform == 'linux'", True),
        ("sys_platform == 'win32'", False),
        ("python_version < '3'", False),
        ("python_version", True),
        ("os_name ~= 'x'", True),
        ("'x' == 'y'", True),
        ("extras == 'a'", True),
    ],
)
def test_a_marker_that_cannot_be_read_or_asked_holds(marker, holds):
    assert holds == holds_on_linux(marker)


def test_what_is_no_requirement_is_wanted_here():
    assert [True, True, False] == [
        here(each) for each in ("numpy=1.26=py312*", "a; os_name ~= 'x'", "a; os_name=='nt'")
    ]
