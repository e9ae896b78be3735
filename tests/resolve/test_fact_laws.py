"""Laws over real facts and machines drawn at random: newer drivers, more machines, ways out, explanations, order."""

from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from envforge.model import ABSENT, Choice, Conflict, Dotted, Driver, Spec
from envforge.resolve import cover, resolve
from envforge.resolve.changes import applied
from envforge.resolve.choose import bits
from envforge.resolve.constraints import capability_of
from envforge.resolve.inquiry import Inquiry
from envforge.resolve.ways import ways
from resolve.worlds import FACTS, machine, spec

pytestmark = pytest.mark.law

CARDS = (
    "Tesla K80",
    "NVIDIA GeForce GTX 1080 Ti",
    "Tesla V100-SXM2-32GB",
    "Tesla T4",
    "NVIDIA A100-SXM4-80GB",
    "NVIDIA GeForce RTX 4090",
    "NVIDIA H100 80GB HBM3",
    "NVIDIA B200",
    "NVIDIA GeForce RTX 5090",
)
DRIVERS = ("418.87", "450.80.02", "470.57.02", "525.60.13", "535.104.05", "550.54.15", "565.57.01", "570.86.15")
NEW_DRIVERS = ("575.51.03", "580.65.06", "580.159.03", "590.44.01", "595.71.05", "610.43.02")
drivers = st.sampled_from(DRIVERS + NEW_DRIVERS)
modules = st.sampled_from([None, "open", "proprietary"])
machines = st.builds(
    lambda driver, module, gpus, glibc: machine(driver=driver, module=module, gpus=tuple(gpus), glibc=glibc),
    drivers,
    modules,
    st.lists(st.sampled_from(CARDS), max_size=2, unique=True),
    st.sampled_from(["2.17", "2.28", "2.39"]),
)
specs = st.builds(
    lambda **keys: spec(**{key: entry for key, entry in keys.items() if entry is not None}),
    torch=st.sampled_from([None, "1.12", "2.5", ">=2.7", "<2", "2.15"]),
    python=st.sampled_from([None, "3.9", "3.12", ">=3.13"]),
    cuda=st.sampled_from([None, None, "11.8", ">=12.6", "none"]),
    sources=st.sampled_from([None, ["conda-forge"], ["pypi"], ["pytorch", "pypi"]]),
    **{"with": st.sampled_from([None, None, ["torchvision"]])},
)
some = settings(max_examples=40, deadline=None)


def admitted(asked: Spec, *there):
    """Name the admissible candidates, whatever the order."""
    judged = Inquiry(asked, there, FACTS, ()).ask().judged
    return {(each.python, id(each.build)) for each in judged.among(judged.admissible)}


@some
@given(specs, machines, drivers)
def test_a_newer_driver_on_a_served_card_never_loses_a_candidate(asked, there, newer):
    driver = Driver(version=Dotted(newer), module=there.driver.module)
    assume(there.driver.version <= driver.version)
    for gpu in there.gpus:
        assume(FACTS.architecture(capability_of(gpu, FACTS)).served_by(driver.version))
    assert admitted(asked, there) - admitted(asked, replace(there, driver=driver)) == set()


@some
@given(specs, machines, machines)
def test_another_machine_never_gains_a_candidate(asked, one, other):
    assert admitted(asked, one, replace(other, name="other")) - admitted(asked, one) == set()


@some
@given(specs, machines)
def test_a_pin_that_is_dropped_never_loses_a_candidate(asked, there):
    assert admitted(asked, there) - admitted(replace(asked, torch=None), there) == set()
    assert admitted(asked, there) - admitted(replace(asked, python=None), there) == set()


@some
@given(specs, machines)
def test_each_way_out_gives_what_it_promised(asked, there):
    inquiry = Inquiry(asked, (there,), FACTS, ())
    ruling = inquiry.ask()
    for way in ways(inquiry, ruling):
        if way.changes:
            changed = applied(way.changes, (asked, (there,), ()))
            outcome = resolve(changed[0], changed[1], FACTS, changed[2])
            assert isinstance(outcome, Choice)
            assert way.gets == outcome.best


@some
@given(specs, machines)
def test_the_rule_that_explains_is_a_rule_that_rejected(asked, there):
    inquiry = Inquiry(asked, (there,), FACTS, ())
    rules = {rule.rule: rule for rule in inquiry.ask().rules}
    outcome = resolve(asked, (there,), FACTS)
    for each in outcome.rejected:
        for reason in each.reasons:
            speakers = [rule for rule in inquiry.ask().rules if rule.rule == reason.rule]
            assert any(
                rule.allows(each.candidate) is False and rule.why(each.candidate) == reason.text for rule in speakers
            )
    assert {each.reason.rule for each in outcome.ranges} - set(rules) == set()


@some
@given(specs, machines)
def test_a_choice_breaks_no_rule_and_a_conflict_breaks_one_for_each_candidate(asked, there):
    ruling = Inquiry(asked, (there,), FACTS, ()).ask()
    outcome = resolve(asked, (there,), FACTS)
    if isinstance(outcome, Choice):
        assert [rule for rule in ruling.rules if rule.allows(outcome.best) is False] == []
    else:
        assert all(ruling.broken(index) for index in range(len(ruling.judged.candidates)))
        assert outcome.cores


@some
@given(specs, machines)
def test_nothing_admissible_ranks_above_the_choice(asked, there):
    ruling = Inquiry(asked, (there,), FACTS, ()).ask()
    outcome = resolve(asked, (there,), FACTS)
    if isinstance(outcome, Choice):
        ranks = {ruling.candidate(index): ruling.rank(index) for index in bits(ruling.judged.admissible)}
        assert max(ranks.values()) == ranks[outcome.best]


@some
@given(specs, machines)
def test_a_cpu_build_is_never_chosen_silently(asked, there):
    outcome = resolve(asked, (there,), FACTS)
    if isinstance(outcome, Choice) and there.gpus and outcome.best.build.cuda is None:
        assert asked.cuda == "none"


@some
@given(specs, st.lists(machines, min_size=1, max_size=4))
def test_a_cover_serves_every_machine_that_anything_serves(asked, fleet):
    named = tuple(replace(each, name=f"m{at}") for at, each in enumerate(fleet))
    covers = cover(asked, named, FACTS)
    assert sorted(each.name for each in named) == sorted(name for each in covers for name in each.machines)
    for each in covers:
        members = [there for there in named if there.name in each.machines]
        if isinstance(each.outcome, Choice):
            candidate = (each.outcome.best.python, id(each.outcome.best.build))
            assert all(candidate in admitted(asked, there) for there in members)
        else:
            assert all(not admitted(asked, there) for there in members)


@some
@given(specs, machines)
def test_an_unknown_driver_forbids_nothing_that_some_driver_allows(asked, there):
    assert admitted(asked, there) - admitted(asked, replace(there, driver=None)) == set()


@some
@given(specs, machines)
def test_without_a_driver_nothing_runs_on_the_gpu(asked, there):
    assume(there.gpus)
    outcome = resolve(asked, (replace(there, driver=ABSENT),), FACTS)
    assert isinstance(outcome, Conflict) or outcome.best.build.cuda is None
