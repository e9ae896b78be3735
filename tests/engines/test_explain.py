"""Solvers' complaints, as rattler, conda and mamba really wrote them, in words that name the machine."""

from __future__ import annotations

import pytest

from envforge.engines.explain import explain, virtual_needs

MAMBA = """\
Could not solve for environment specs
    The following packages are incompatible
    └─ pytorch =2.13 cuda* is not installable because there are no viable options
       ├─ pytorch 2.13.0 would require
       │  └─ __cuda >=12.8 *, which is missing on the system;
       ├─ pytorch 2.13.0 would require
       │  └─ __cuda >=12.10 *, which is missing on the system;
       └─ pytorch 2.13.0 would require
          └─ __cuda >=13.0 *, which is missing on the system."""
MAMBA_UNKNOWN = """\
Could not solve for environment specs
    The following package could not be installed
    └─ nosuchpkg =* * does not exist (perhaps a typo or a missing channel)."""
RATTLER_GLIBC = """\
Cannot solve the request because of: needs-new-glibc * cannot be installed because there are no viable options:
└─ needs-new-glibc 1.0 would require
   └─ __glibc >=99, for which no candidates were found."""
RATTLER_OTHER_PYTHON = """\
Cannot solve the request because of: numpy 2.* cannot be installed because there are no viable options:
└─ numpy 2.4.6 would require
   └─ python >=3.13,<3.14.0a0, for which no candidates were found."""

RATTLER_NEWER = """\
Cannot solve the request because of: The following packages are incompatible
└─ prefix-probe 1.0 is excluded because the package is uploaded after the cutoff date of 2026-11-02 00:00:00
"""


@pytest.mark.contract
@pytest.mark.parametrize(
    ("text", "says"),
    [
        (MAMBA, "fits this machine: candidates need `__cuda >=12.8`; this machine provides `__cuda=12.4`"),
        (RATTLER_GLIBC, "fits this machine: candidates need `__glibc >=99`; this machine provides no `__glibc`"),
        (MAMBA_UNKNOWN, "no channel has a conda package that fits `nosuchpkg`"),
        (
            RATTLER_NEWER,
            "the request: prefix-probe 1.0 is excluded because the package is uploaded after the cutoff date of "
            "2026-11-02 00:00:00",
        ),
        (RATTLER_OTHER_PYTHON, "the request: python >=3.13,<3.14.0a0, for which no candidates were found"),
    ],
)
def test_a_complaint_is_translated(text: str, says: str) -> None:
    assert explain(text, {"__cuda": "12.4"}).message.endswith(says)


def test_ranges_that_have_no_floor_are_all_told() -> None:
    text = "a would require __cuda >=12,<13 and b __cuda >=13"
    assert ["candidates need `__cuda >=12,<13 or >=13`; this machine provides no `__cuda`"] == virtual_needs(text, {})
