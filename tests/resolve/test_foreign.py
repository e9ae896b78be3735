"""Real environment files of public repositories on twelve machines: the class of what each gets."""

import pytest

from envforge.resolve.inquiry import Inquiry
from resolve.worlds import FACTS, cases, profile, spec

FOREIGN = cases("foreign")
MACHINES = tuple(map(profile, FOREIGN["machines"]))


def kind(ruling):
    best = next(iter(ruling.ranked()), None)
    if best is None:
        return "no"
    return "cpu" if ruling.candidate(best).build.cuda is None else "gpu"


@pytest.mark.parametrize("case", FOREIGN["files"], ids=[each["from"] for each in FOREIGN["files"]])
def test_a_real_file_gets_the_kind_of_environment_that_each_machine_can_run(case):
    inquiry = Inquiry(spec(**case["spec"]), MACHINES, FACTS, ())
    assert case["gives"].split() == [kind(inquiry.ask(machines=(there,))) for there in MACHINES]


def test_where_the_answer_differs_from_what_was_expected_the_machine_is_one_of_the_twelve():
    named = {name for case in FOREIGN["files"] for names in case.get("differs", {}).values() for name in names}
    assert set() == named - set(FOREIGN["machines"])
