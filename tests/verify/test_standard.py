"""What the standard and deep tiers can do on a CPU: healthy, and each check failing for its own reason."""

import pytest

from envforge.verify import verify
from verify import believe
from verify.told import said

ON_A_CPU = (
    "sdpa",
    "int8_matmul",
    "gemm_repeat",
    "memory_pattern",
    "perf_gemm",
    "perf_membw",
    "shm_dataloader",
    "burn",
    "allreduce",
)


STARTED = {"import_torch": ("pass", None), "device_init": ("pass", None)}


def test_a_healthy_cpu_passes(torch_python):
    report = verify(torch_python, None, ON_A_CPU, devices=("cpu",))
    assert {**STARTED, **dict.fromkeys(ON_A_CPU, ("pass", None))} == said(report)


SICK = {
    "constant fault": (
        (believe.product_with_a_constant_fault, believe.memory_with_a_stuck_bit, believe.integer_product_that_saturates,
         believe.attention_that_leaks_the_future, believe.loader_that_loses_a_number, believe.sums_with_one_too_many),
        {"gemm_repeat": "E_SDC", "burn": "E_SDC", "memory_pattern": "E_MEMORY", "int8_matmul": "E_WRONG", "sdpa": "E_INACCURATE",
         "shm_dataloader": "E_WRONG", "allreduce": "E_COLLECTIVE_WRONG"},
    ),
    "fault now and then": (
        (believe.product_that_is_wrong_now_and_then, believe.memory_with_crossed_addresses, believe.loader_whose_worker_dies,
         believe.groups_that_do_not_start, believe.compilers_that_are_missing),
        {"gemm_repeat": "E_SDC", "memory_pattern": "E_MEMORY", "shm_dataloader": "shm-too-small-dataloader",
         "allreduce": "E_COLLECTIVE", "torch_compile": "inductor-no-c-compiler"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("patient", SICK)
def test_each_check_fails_for_its_own_reason(planted, patient):
    tampered, wrong = SICK[patient]
    report = verify(planted(*tampered), None, tuple(wrong), devices=("cpu",))
    assert {**STARTED, **{check: ("fail", code) for check, code in wrong.items()}} == said(report)


def test_a_compiled_function_that_differs_is_found(planted):
    report = verify(planted(believe.compiled_results_that_differ), None, ("torch_compile",), devices=("cpu",))
    assert ("fail", "E_INACCURATE") == said(report)["torch_compile"]


@pytest.mark.slow
def test_inductor_really_compiles(torch_python):
    report = verify(torch_python, None, ("torch_compile",), devices=("cpu",), require=("compile",))
    assert ("pass", None) == said(report)["torch_compile"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Ninja is required to load C++ extensions", "E_NO_NINJA"),
        ("fatal error: Python.h: No such file or directory", "python-headers-missing"),
        ("libenvforge.so: failed to map segment from shared object", "noexec-tmp-or-cache"),
    ],
)
def test_an_extension_that_does_not_build_says_why(planted, words, code):
    python = planted(believe.extension_builder_that_fails)
    report = verify(python, None, ("cpp_extension",), devices=("cpu",), variables=(("FAKE_BUILD", words),))
    assert ("fail", code) == said(report)["cpp_extension"]


def test_a_required_backend_that_is_not_there_fails(torch_python):
    report = verify(torch_python, None, ("build_facts",), devices=("cpu",), require=("efficient",))
    assert ("fail", "E_REQUIRED") == said(report)["sdpa"]
