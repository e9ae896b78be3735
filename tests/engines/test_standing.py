"""One worker for a whole command, which begins what will be asked."""

import os
from collections.abc import Iterator
from typing import Any

import pytest

from envforge.engines.standing import begin, dismiss, do, warm_up

Send = Any


@pytest.fixture(autouse=True)
def worker() -> Iterator[int]:
    warm_up()
    yield do(pid, "first")
    dismiss()


def pid(_word: str, _send: Send) -> int:
    return os.getpid()


def test_what_was_begun_is_answered_by_the_standing_worker(worker: int) -> None:
    begin(pid, "asked")
    assert worker == do(pid, "asked")
    assert worker == do(pid, "something else")


def test_another_question_than_the_one_begun_gets_a_child_of_its_own(worker: int) -> None:
    begin(pid, "asked")
    assert do(pid, "something else") not in (worker, os.getpid())


def test_nothing_is_begun_where_no_worker_stands() -> None:
    dismiss()
    begin(pid, "asked")
    assert do(pid, "asked") != os.getpid()
