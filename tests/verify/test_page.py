"""docs/reference/checks.md says what the table says."""

from pathlib import Path

import pytest

from envforge.verify.page import with_generated_part

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "checks.md"


def test_the_page_is_current():
    assert with_generated_part(PAGE.read_text()) == PAGE.read_text()


def test_a_page_without_marks_is_refused():
    with pytest.raises(ValueError, match="lost its marks"):
        with_generated_part("# A page")
