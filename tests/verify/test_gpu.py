"""On a real GPU: everything healthy, and a planted fault found. ENVFORGE_TEST_PYTHON names a Python with a CUDA torch."""

import os
from pathlib import Path

import pytest

from envforge.verify import verify
from verify import believe, faults
from verify.told import said

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not Path("/proc/driver/nvidia").exists(), reason="no NVIDIA driver on this host"),
    pytest.mark.skipif(
        "ENVFORGE_TEST_PYTHON" not in os.environ, reason="ENVFORGE_TEST_PYTHON names no Python with a CUDA torch"
    ),
]


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_a_healthy_gpu_fails_nothing(torch_python):
    report = verify(torch_python, None, "standard", devices=("0",))
    assert [] == [(r.check, r.code, r.detail) for r in report.results if r.outcome in ("fail", "inconclusive")]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fault", "check", "code"),
    [
        (faults.product_with_one_wrong_element, "matmul_exact", "E_WRONG"),
        (believe.product_with_a_constant_fault_anywhere, "gemm_repeat", "E_SDC"),
        (believe.memory_with_a_stuck_bit, "memory_pattern", "E_MEMORY"),
        (faults.copies_that_change_a_word, "alloc_copy", "E_COPY"),
    ],
)
def test_a_planted_fault_is_found_on_a_gpu(planted, fault, check, code):
    assert ("fail", code) == said(verify(planted(fault), None, (check,), devices=("0",)))[check]
