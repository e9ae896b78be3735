import pytest
from packaging.specifiers import SpecifierSet

from envforge.facts.matrix import Asked, matrix, newest_by_capability, unserved
from envforge.model import ComputeCapability, Dotted


def test_a_pascal_card_on_580_gets_cuda_12_and_never_13(facts):
    found = matrix(facts, "linux-64", Asked(capability=ComputeCapability(6, 1), driver=Dotted("580.95.05")))
    newest = found[0]
    assert (str(newest.build.torch), newest.build.variant, str(newest.floor)) == ("2.14.1", "cu126", "525.60.13")
    assert {entry.build.cuda.major for entry in found if entry.build.cuda} == {9, 10, 11, 12}


@pytest.mark.parametrize(
    ("capability", "driver", "served"),
    [("12.0", "565.57.01", False), ("12.0", "570.86.15", True), ("7.0", "590.48.01", False), ("9.0", "580", True)],
)
def test_a_driver_whose_branch_does_not_serve_the_card_runs_nothing(facts, capability, driver, served):
    asked = Asked(capability=ComputeCapability.parse(capability), driver=Dotted(driver))
    assert (served, not served) == (bool(matrix(facts, "linux-64", asked)), unserved(facts, asked) is not None)


def test_a_branch_alone_stands_for_its_newest_release(facts):
    newest = matrix(facts, "linux-64", Asked(capability=ComputeCapability(9, 0), driver=Dotted("580")))[0]
    assert (str(newest.build.torch), newest.build.cuda.major) == ("2.15.0", 13)


def test_ptx_alone_needs_the_driver_of_its_toolkit(facts):
    def asked(driver):
        found = matrix(facts, "linux-64", Asked(capability=ComputeCapability(11, 0), driver=Dotted(driver)))
        return {entry.build.variant for entry in found if ComputeCapability(11, 0) in entry.compiles}

    assert asked("580") >= asked("575.51.03")


def test_ptx_from_before_a_card_does_not_count(facts):
    old = [each for each in matrix(facts, "linux-64", Asked(torch=SpecifierSet("<1.13"))) if each.build.cuda]
    assert [each.build.variant for each in old if ComputeCapability(9, 0) in each.compiles] == []


def test_filters_join(facts):
    asked = Asked(torch=SpecifierSet("==2.13.*"), python="3.14", source="conda-forge", driver=Dotted("550.54.15"))
    assert [entry.build.variant for entry in matrix(facts, "linux-64", asked)] == ["cuda129", "cpu"]


def test_a_matrix_stands_newest_first_and_leaves_nothing_out(facts):
    entries = matrix(facts, "win-64")
    assert len(entries) == len(facts.builds("win-64"))
    assert [entry.build.torch for entry in entries] == sorted((entry.build.torch for entry in entries), reverse=True)


def test_ptx_is_told_apart_from_machine_code(facts):
    entry = next(
        each for each in matrix(facts, "linux-64", Asked(source="conda-forge")) if each.build.variant == "cuda129"
    )
    assert ComputeCapability(6, 1) in entry.runs
    assert ComputeCapability(11, 0) not in (*entry.runs, *entry.compiles)
    assert not set(entry.runs) & set(entry.compiles)


def test_the_newest_torch_by_capability(facts):
    newest = {
        str(each.capability): entry and f"{entry.build.torch} {entry.build.variant}"
        for each, entry in newest_by_capability(facts, "linux-64")
    }
    some = {capability: newest[capability] for capability in ("3.0", "3.7", "7.0", "9.0")}
    assert some == {"3.0": None, "3.7": "2.7.1 cu118", "7.0": "2.14.1 cu126", "9.0": "2.15.0 cu132"}
