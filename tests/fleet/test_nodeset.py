"""Names of nodes, folded and unfolded."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envforge.errors import UsageError
from envforge.fleet.nodeset import fold, unfold


@pytest.mark.parametrize(
    ("names", "text"),
    [
        (("node001", "node002", "node003", "node050"), "node[001-003,050]"),
        (("node9", "node10"), "node9,node10"),
        (("login", "gpu1"), "login,gpu1"),
        ((), ""),
    ],
)
def test_names_fold_as_slurm_writes_them(names, text):
    assert text == fold(names)
    assert names == unfold(text)


def test_what_stands_after_the_bracket_belongs_to_each_name():
    assert ("n1-ib", "n2-ib", "gpu.example.org") == unfold("n[1-2]-ib, gpu.example.org")


@pytest.mark.parametrize("text", ["node[1-", "node[a-b]", "node[2-1]", "n]1[", "node[]", "node[1-999999999]"])
def test_what_is_no_set_of_nodes_is_refused(text):
    with pytest.raises(UsageError, match="is not a set of nodes"):
        unfold(text)


@pytest.mark.law
@given(st.lists(st.from_regex(r"[a-z][a-z-]{0,3}[0-9]{0,3}", fullmatch=True), unique=True))
def test_folding_loses_no_name(names):
    assert set(names) == set(unfold(fold(names)))
