"""Every spec to start from gets on every machine what the cases say, and the page shows just that."""

from __future__ import annotations

import pytest

from cases.starting import CASES, PAGE, SPECS, answers_of, by_machine, expected, page, question, rewritten


@pytest.mark.parametrize("path", SPECS, ids=[path.stem for path in SPECS])
def test_a_spec_gets_what_the_cases_say(path):
    assert by_machine(expected()[path.stem]) == answers_of(path)


@pytest.mark.parametrize("path", SPECS, ids=[path.stem for path in SPECS])
def test_a_spec_says_first_which_question_it_answers(path):
    assert path.read_text().startswith("# ")
    assert "?" in question(path)


@pytest.mark.parametrize("path", SPECS, ids=[path.stem for path in SPECS])
def test_a_spec_is_named_as_its_file(path):
    assert f"\nname: {path.stem}\n" in path.read_text()


def test_every_own_target_is_served():
    refused = [
        f"{name}: {answer}"
        for name, answers in expected().items()
        for answer, there in answers.items()
        if any(each.startswith("its ") for each in there) and " py" not in answer
    ]
    assert [] == refused


def test_the_cases_hold_every_spec_and_no_other():
    assert [path.stem for path in SPECS] == list(expected())
    assert CASES.read_text() == rewritten()


def test_the_page_is_made_of_the_files():
    assert PAGE.read_text() == page()
