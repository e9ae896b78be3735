"""The table of checks and codes is whole, and the checks' pure judgements hold."""

import importlib
import inspect
import re
from importlib import resources

import pytest
from envforge_smoke.driver import arch_verdict
from envforge_smoke.figures import eta_limit
from envforge_smoke.health import faults, notes
from envforge_smoke.needs import numbers
from envforge_smoke.start import fault

from envforge.errors import UsageError
from envforge.model import CheckResult
from envforge.verify import checks, codes, explain, features, reported, select
from envforge.verify.judge import judge
from envforge.verify.registry import floors, sources


def test_every_check_has_its_function():
    for check in checks().values():
        if check.run:
            module, function = check.run.split(".")
            found = getattr(importlib.import_module(f"envforge_smoke.{module}"), function)
            assert ["bench"] == list(inspect.signature(found).parameters)


def test_every_code_of_a_check_is_explained():
    assert set() == {code for check in checks().values() for code in check.codes} - set(codes())


def test_every_code_that_a_check_can_raise_is_explained():
    raised = set()
    for check in checks().values():
        if check.run:
            source = inspect.getsource(importlib.import_module(f"envforge_smoke.{check.run.split('.')[0]}"))
            raised |= {
                word for word in source.replace('"', " ").split() if word[:2] in ("E_", "W_", "S_") and "%" not in word
            }
    assert set() == {word for word in raised if word.isupper()} - set(codes())


def test_every_source_and_feature_is_known():
    assert set() == {word for check in checks().values() for word in check.source} - set(sources())
    assert set() == set(features().values()) - set(checks())
    assert all(numbers(floor) for floor in floors().values())


def test_a_code_with_a_rule_is_reported_as_the_rule():
    assert ("driver-library-mismatch", "E_SDC", "E_UNHEARD_OF", None) == (
        reported("E_CUINIT_803"), reported("E_SDC"), reported("E_UNHEARD_OF"), reported(None),
    )  # fmt: skip


def test_every_rule_is_one_of_the_doctors():
    rules = resources.files("envforge.doctor").joinpath("rules").iterdir()
    known = {name for page in rules for name in re.findall(r"^- id: (\S+)", page.read_text(), re.MULTILINE)}
    assert set() == {code.rule for code in codes().values() if code.rule} - known


def test_tiers_hold_the_tiers_below_them():
    quick, standard, deep = ({check.name for check in select(tier)} for tier in ("quick", "standard", "deep"))
    assert quick < standard < deep


def test_what_must_be_asked_for_is_in_no_tier():
    asked = {name for name, check in checks().items() if check.asked}
    assert (set(), asked) == (
        asked & {c.name for c in select("deep")},
        asked & {c.name for c in select("quick", sorted(asked))},
    )


def test_a_named_check_brings_the_checks_it_stands_on():
    assert ["import_torch", "device_init", "fft"] == [check.name for check in select(("fft",))]
    assert ["import_torch", "build_facts"] == [check.name for check in select(("build_facts",))]


def test_an_unknown_check_is_a_usage_error_with_a_guess():
    with pytest.raises(UsageError) as error:
        select(("matmul_exakt",))
    assert ("unknown check `matmul_exakt`", ("did you mean `matmul_exact`?",)) == (
        error.value.message,
        error.value.hints,
    )


@pytest.mark.parametrize(
    ("capability", "archs", "verdict"),
    [
        ((8, 9), "sm_50 sm_80 sm_86 sm_90a", ("minor", "sm_86")),
        ((8, 6), "sm_80 sm_86", ("exact", "sm_86")),
        ((9, 0), "sm_90a", ("exact", "sm_90a")),
        ((10, 0), "sm_90 compute_90", ("ptx", "compute_90")),
        ((12, 1), "sm_120 sm_100", ("minor", "sm_120")),
        ((10, 3), "sm_100f sm_90", ("minor", "sm_100f")),
        ((10, 3), "sm_100a sm_90", (None, None)),
        ((6, 1), "sm_75 compute_75", (None, None)),
        ((7, 0), "sm_50 sm_60 compute_60 compute_50", ("ptx", "compute_60")),
        ((8, 0), "compute_70 sm_80", ("exact", "sm_80")),
        ((8, 6), "sm_80 compute_80", ("minor", "sm_80")),
        ((9, 0), "", (None, None)),
    ],
)
def test_a_build_serves_a_card(capability, archs, verdict):
    assert verdict == arch_verdict(capability, archs.split())


@pytest.mark.parametrize(
    ("now", "codes"),
    [
        ({}, []),
        ({"throttle": ["sw_power_cap"]}, []),
        ({"throttle": ["hw_thermal"]}, ["E_THROTTLE"]),
        ({"ecc_uncorrected": 1}, ["E_ECC"]),
        ({"ecc_uncorrected_lifetime": 5}, ["E_ECC"]),
        ({"ecc_uncorrected_lifetime": 2}, []),
        ({"remap_pending": 1, "remap_failed": 1}, ["E_REMAP", "E_REMAP_PENDING"]),
        ({"retired_pending": 1}, ["E_REMAP_PENDING"]),
        ({"xid": [79]}, ["E_XID"]),
        ({"xid": [31]}, []),
        ({"nvlink_up": [0], "nvlink_down": [1]}, ["E_NVLINK"]),
        ({"nvlink_up": [0, 1], "nvlink_down": [2]}, []),
        ({"nvlink_up": [0], "nvlink_down": [2], "nvlink_switch": True}, ["E_NVLINK"]),
        ({"nvlink_up": [], "nvlink_down": [2, 3]}, []),
    ],
)
def test_a_cards_readings_are_judged(now, codes):
    before = {"ecc_uncorrected_lifetime": 2, "nvlink_up": [0, 1]}
    assert codes == [code for code, _ in faults(now, before, {"xid_of_programs": [31]})]


def test_what_is_worth_knowing_of_a_card_is_noted():
    now = {"throttle": ["sw_thermal"], "ecc_corrected": 20000, "pcie_replays": 100, "xid": [31, 79]}
    now |= {"nvlink_up": [0], "nvlink_down": [1]}
    limits = {"corrected": 10000, "replays": 80, "xid_of_programs": [31]}
    codes = [code for code, _ in notes(now, {"pcie_replays": 1}, limits)]
    assert ["W_THROTTLE", "W_XID", "W_NVLINK", "W_ECC", "W_PCIE_REPLAYS"] == codes


def test_clocks_that_are_held_down_at_moments_are_noted():
    """The driver sets the bit at changes of state too."""
    now = {"throttle": [], "throttle_seen": ["hw_slowdown", "sw_power_cap"]}
    assert ([], ["W_THROTTLE"]) == ([code for code, _ in faults(now, {})], [code for code, _ in notes(now, {}, {})])


@pytest.mark.parametrize(
    ("name", "limit"), [("float32", 4.7e-6), ("float64", 8.8e-15), ("float16", 4.9e-4), ("tf32", 9.8e-4)]
)
def test_the_accuracy_limits_are_the_documented_ones(name, limit):
    assert limit == pytest.approx(eta_limit(name, 384), rel=0.02)


def rate(**measured) -> CheckResult:
    return CheckResult(check="perf_gemm", device="cuda:0", outcome="pass", took_s=1.0, measured=measured)


def test_a_rate_is_held_against_the_data_sheet():
    healthy = judge(rate(tflop_per_s=780.0, format="bf16", card="NVIDIA H200"))
    slow = judge(rate(tflop_per_s=300.0, format="bf16", card="NVIDIA H200"))
    unknown = judge(rate(tflop_per_s=1.0, format="bf16", card="NVIDIA Unheard Of"))
    capped = judge(rate(tflop_per_s=400.0, format="bf16", card="NVIDIA H200", held_by=["sw_power_cap"]))
    assert (None, "W_SLOW", None, None) == (healthy.code, slow.code, unknown.code, capped.code)
    assert 0.7 < healthy.measured["fraction"] < 0.9


def test_an_import_error_of_torchs_own_modules_is_told_from_no_torch():
    assert ("E_NO_TORCH", "E_NO_MODULE", "E_SHADOWED") == (
        fault(ModuleNotFoundError("No module named 'torch'")),
        fault(ModuleNotFoundError("No module named 'typing_extensions'")),
        fault(ModuleNotFoundError("No module named 'torch._C'")),
    )


def test_one_rule_has_one_layer_and_every_fault_of_the_stack_has_one():
    layers = {code.rule: set() for code in codes().values() if code.rule}
    for code in codes().values():
        if code.rule:
            layers[code.rule].add(code.layer)
    assert {} == {rule: found for rule, found in layers.items() if len(found) > 1}
    assert ("driver", "build", "libraries", "hardware", None) == tuple(
        explain(name).layer
        for name in ("driver-too-old-for-torch", "E_ARCH", "ld-library-path-cudnn", "E_SDC", "E_TIMEOUT")
    )
    assert None is explain("E_UNHEARD_OF")
