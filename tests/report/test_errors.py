"""One form for every error."""

from envforge.errors import SpecError
from envforge.report.errors import error_page, error_shapes
from report.test_text import shown

TYPO = SpecError("unknown key `pyton`", ("vision.yaml:2:1",), ("did you mean `python`?",))


def test_an_error_says_what_where_and_what_helps():
    assert "error: unknown key `pyton`\n  vision.yaml:2:1\n\nhint: did you mean `python`?\n" == shown(error_page(TYPO))


def test_all_errors_of_one_pass_are_said():
    both = SpecError("`3.10` is a number", ("vision.yaml:1:9",), (), (TYPO,))
    assert ["`3.10` is a number", "unknown key `pyton`"] == [shape["message"] for shape in error_shapes(both)]
    assert 2 == shown(error_page(both)).count("error: ")


def test_an_entry_of_the_envelope_has_the_contracts_keys():
    expected = {
        "code": "spec",
        "message": "unknown key `pyton`",
        "where": ["vision.yaml:2:1"],
        "hints": ["did you mean `python`?"],
    }
    assert [expected] == error_shapes(TYPO)
