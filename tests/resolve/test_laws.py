"""The laws of choosing, held against brute force over every subset of a handful of made-up constraints."""

from dataclasses import dataclass
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from envforge.model import Build, Candidate
from envforge.resolve.choose import bits, hitting_sets, judge, minimal, union

pytestmark = pytest.mark.law


@dataclass(frozen=True)
class Forbids:
    """A made-up constraint that forbids the candidates whose build says so."""

    rule: str
    forbidden: frozenset[int]
    unknown: frozenset[int] = frozenset()
    owner = "spec"
    where = ()
    reads = "build"

    def allows(self, candidate):
        place = candidate.build.torch.major
        return None if place in self.unknown else place not in self.forbidden

    def why(self, candidate):
        return f"{self.rule} forbids {candidate.build.torch}"

    fix = why


def candidate(place, python="3.12"):
    build = Build(
        torch=Version(str(place)),
        variant="cpu",
        cuda=None,
        source="pypi",
        kind="wheel",
        subdir="linux-64",
        pythons=(python,),
    )
    return Candidate(python=python, build=build)


places = st.frozensets(st.integers(0, 6))
problems = st.tuples(st.integers(1, 7), st.lists(st.tuples(places, places), max_size=6))


def posed(problem):
    count, rows = problem
    constraints = tuple(Forbids(f"rule-{at}", forbidden, unknown) for at, (forbidden, unknown) in enumerate(rows))
    return judge(tuple(candidate(place) for place in range(count)), constraints)


def subsets(universe):
    return [frozenset(picked) for size in range(len(universe) + 1) for picked in combinations(universe, size)]


def admits(judged, constraints):
    """Brute force: the places that none of these constraints forbids."""
    return {
        each.build.torch.major
        for each in judged.candidates
        if all(constraint.allows(each) is not False for constraint in constraints)
    }


def brute_cores(judged):
    """Brute force: the inclusion-minimal sets of constraints that leave nothing."""
    contradictory = [some for some in subsets(judged.constraints) if not admits(judged, some)]
    return {some for some in contradictory if not any(other < some for other in contradictory)}


def brute_ways_out(judged):
    """Brute force: the inclusion-minimal sets of constraints without which something is left."""
    everything = frozenset(judged.constraints)
    opening = [some for some in subsets(judged.constraints) if admits(judged, everything - some)]
    return {some for some in opening if not any(other < some for other in opening)}


def named(judged, mask):
    return frozenset(judged.constraints[place] for place in bits(mask))


@given(problems)
def test_admissible_is_sound_and_complete(problem):
    judged = posed(problem)
    assert admits(judged, judged.constraints) == {each.build.torch.major for each in judged.among(judged.admissible)}


@given(problems)
def test_cores_are_all_minimal_contradictions(problem):
    judged = posed(problem)
    cores = hitting_sets(minimal(judged.by_broken()))
    assert brute_cores(judged) == {named(judged, core) for core in cores}


@given(problems)
def test_ways_out_are_all_minimal_surrenders(problem):
    judged = posed(problem)
    assert brute_ways_out(judged) == {named(judged, way) for way in minimal(judged.by_broken())}


@given(problems)
def test_a_way_out_admits_exactly_the_candidates_that_break_it(problem):
    judged = posed(problem)
    groups = judged.by_broken()
    for way in minimal(groups):
        left = frozenset(judged.constraints) - named(judged, way)
        assert admits(judged, left) == {each.build.torch.major for each in judged.among(groups[way])}


@given(problems, st.tuples(places, places))
def test_another_constraint_never_helps(problem, row):
    count, rows = problem
    before, after = posed(problem), posed((count, [*rows, row]))
    assert after.admissible & ~before.admissible == 0


@given(problems, st.randoms(use_true_random=False))
def test_order_is_irrelevant(problem, random):
    count, rows = problem
    shuffled = rows.copy()
    random.shuffle(shuffled)
    one, other = posed((count, rows)), posed((count, shuffled))
    facts = [
        {frozenset(entry.forbidden & set(range(count)) for entry in named(judged, core)) for core in cores}
        for judged in (one, other)
        for cores in [hitting_sets(minimal(judged.by_broken()))]
    ]
    assert one.admissible == other.admissible
    assert facts[0] == facts[1]


@given(problems)
def test_broken_sets_agree_with_their_groups(problem):
    judged = posed(problem)
    for broken, mask in judged.by_broken().items():
        assert [broken] * mask.bit_count() == [judged.broken(index) for index in bits(mask)]


@given(problems)
def test_unknown_is_neither_allowed_nor_forbidden_but_kept(problem):
    judged = posed(problem)
    for index, each in enumerate(judged.candidates):
        told = {at for at, rule in enumerate(judged.constraints) if rule.allows(each) is None}
        assert told == set(bits(judged.untold(index)))
        assert judged.untold(index) & judged.broken(index) == 0


@given(st.lists(st.frozensets(st.integers(0, 5), min_size=1), max_size=5), st.integers(0, 3))
def test_bounded_hitting_sets_are_the_small_ones(rows, most):
    masks = [sum(1 << place for place in row) for row in rows]
    small = [hit for hit in hitting_sets(masks) if hit.bit_count() <= most]
    assert sorted(small) == sorted(hitting_sets(masks, most))


@given(st.lists(st.integers(0, 63), max_size=8))
def test_minimal_sets_cover_every_set(masks):
    kept = minimal(masks)
    assert all(any(small & mask == small for small in kept) for mask in masks)
    assert not any(one != other and one & other == one for one in kept for other in kept)
    assert union(kept) & ~union(masks) == 0
