"""Several machines: one environment where one serves all, else the fewest; a thousand machines at once."""

import time
from itertools import cycle, islice, product

from envforge.model import Choice, Conflict
from envforge.resolve import cover, resolve, why_not
from resolve.worlds import FACTS, machine, profile, spec

V100 = machine("v100", driver="580.65.06", gpus=["Tesla V100-SXM2-32GB"])
B200 = machine("b200", driver="580.65.06", gpus=["NVIDIA B200"], module="open")
A100 = machine("a100", driver="535.104.05", gpus=["NVIDIA A100-SXM4-80GB"])
STUCK = machine("stuck", driver="565.57.01", gpus=["NVIDIA GeForce RTX 5090"], module="open")


def test_one_environment_where_one_serves_all():
    covers = cover(spec(), (V100, A100, B200), FACTS)
    assert [("v100", "a100", "b200")] == [each.machines for each in covers]
    assert ("2.13.0", "cuda129") == (str(covers[0].outcome.best.build.torch), covers[0].outcome.best.build.variant)


def test_the_fewest_environments_where_none_serves_all():
    covers = cover(spec(sources=["pytorch", "pypi"], torch=">=2.12"), (V100, A100, B200), FACTS)
    assert [{"v100", "a100"}, {"b200"}] == [set(each.machines) for each in covers]
    assert ["cu126", "cu130"] == [each.outcome.best.build.variant for each in covers]


def test_the_obstacle_is_named_alone_and_by_name():
    covers = cover(spec(), (A100, STUCK), FACTS)
    assert [("a100",), ("stuck",)] == [each.machines for each in covers]
    assert isinstance(covers[1].outcome, Conflict)


def test_a_conflict_of_several_machines_names_the_host():
    outcome = resolve(spec(), (A100, STUCK), FACTS)
    texts = [reason.text for core in outcome.cores for reason in core]
    assert any("stuck has 565.57.01" in text for text in texts)


def test_platforms_are_covered_each_by_its_own():
    covers = cover(spec(), (profile("apple-m3"), profile("laptop-nogpu")), FACTS)
    assert {"osx-arm64", "linux-64"} == {each.outcome.best.build.subdir for each in covers}


def test_the_twelve_machines_are_covered():
    names = [
        "a100-535.104",
        "h100-550.54",
        "rtx3090-470.57",
        "rtx4090-545.23",
        "rtx5090-570.86",
        "v100-450.80",
        "t4-525.60",
    ]
    covers = cover(spec(), tuple(map(profile, names)), FACTS)
    assert all(isinstance(each.outcome, Choice) for each in covers)
    assert 2 == len(covers)


def test_a_thousand_machines_take_less_than_a_second():
    drivers = ["450.80.02", "470.57.02", "525.60.13", "535.104.05", "550.54.15", "570.86.15", "580.65.06", "580.159.03"]
    cards = ["Tesla V100-SXM2-32GB", "Tesla T4", "NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3"]
    kinds = product(drivers, cards, ["2.17", "2.28", "2.31", "2.35"])
    fleet = tuple(
        machine(f"node{at}", driver=driver, gpus=[card] * 4, glibc=glibc)
        for at, (driver, card, glibc) in enumerate(islice(cycle(kinds), 1000))
    )
    began = time.process_time()
    covers = cover(spec(), fleet, FACTS)
    assert time.process_time() - began < 1.0
    assert 1000 == sum(len(each.machines) for each in covers)


def test_why_not_says_what_forbids_every_build_of_a_release():
    found = why_not(spec(), (A100,), FACTS, torch="2.15")
    assert found
    assert {"driver-floor", "gpu"} == {each.reasons[0].rule for each in found}


def test_why_not_says_in_what_an_allowed_release_lost():
    found = why_not(spec(), (A100,), FACTS, torch="2.13")
    assert "its torch is newer" in found[0].reasons[0].text
    assert () == why_not(spec(), (A100,), FACTS, torch="2.14.1")[0].reasons


def test_why_not_of_a_release_that_nobody_has_is_empty():
    assert () == why_not(spec(), (A100,), FACTS, torch="9.9")


def test_a_machine_without_gpus_does_not_make_its_team_wish_for_the_cpu():
    fleet = (profile("b200-580.65"), profile("laptop-nogpu"))
    found = resolve(spec(), fleet, FACTS)
    assert ("cu130", ()) == (found.best.build.variant, found.unlocks)
    assert [f"torch {found.best.build.torch} cu130 is a CUDA build, and there is no GPU to use it on laptop-nogpu"] == [
        each.text for each in found.warnings if each.code == "gpu-missing"
    ]
