"""A hundred real files on twelve machines: each answer is the expected one, or says why it is better."""

from __future__ import annotations

import pytest

from cases.outcomes import ORDER, TABLE, answer, by_machine, document, table


@pytest.mark.parametrize("name", ORDER)
def test_every_file_is_answered_as_the_cases_say(name):
    cases = document()["cases"]
    assert {case["id"]: by_machine(case["answers"])[name] for case in cases} == {
        case["id"]: answer(case, name) for case in cases
    }


def test_an_answer_meets_its_expectation_or_says_why_it_is_better():
    meets = document()["meets"]
    silent = [
        f"{case['id']} on {name}: {by_machine(case['answers'])[name]}, expected {expected}"
        for case in document()["cases"]
        for name, expected in by_machine(case["expected"]).items()
        if by_machine(case["answers"])[name] not in meets[expected] and name not in by_machine(case.get("better", {}))
    ]
    assert silent == []


def test_a_reason_is_given_only_where_it_is_needed():
    meets = document()["meets"]
    idle = [
        f"{case['id']} on {name}"
        for case in document()["cases"]
        for name in by_machine(case.get("better", {}))
        if by_machine(case["answers"])[name] in meets[by_machine(case["expected"])[name]]
    ]
    assert idle == []


def test_every_file_is_asked_about_every_machine():
    cases = document()["cases"]
    assert len({case["id"] for case in cases}) == 100
    assert [case["id"] for case in cases if set(by_machine(case["expected"])) != set(ORDER)] == []


def test_the_table_in_the_docs_is_made_of_the_cases():
    assert TABLE.read_text() == table()
