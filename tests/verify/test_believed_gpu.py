"""The GPU checks on a card to believe in: each passes when all is well, and fails for its own reason."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from envforge.verify import checks, verify
from patience import comes, works, written
from verify import believe
from verify.conftest import SITE
from verify.told import said

HERE = Path(__file__).parent / "stand_ins"
QUICK = tuple(name for name, check in checks().items() if check.tier == "quick")
STANDARD = [
    "sdpa",
    "fp8_matmul",
    "int8_matmul",
    "nvrtc_cubin",
    "nvrtc_ptx",
    "jiterator",
    "triton_kernel",
    "cuda_graph",
    "streams",
    "gemm_repeat",
    "memory_pattern",
    "perf_gemm",
    "perf_membw",
    "perf_pcie",
    "telemetry",
    "p2p_matrix",
    "memory_full",
    "cpp_extension",
    "nvcc_kernel",
    "dcgm_diag",
]


@pytest.fixture
def tools(tmp_path) -> Path:
    """Stand-ins for nvcc and dcgmi, to be put on PATH."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("dcgmi", "nvcc", "kernel.c"):
        shutil.copy(HERE / name, folder)
    (folder / "answer.json").write_text(json.dumps({"tests": [{"name": "memory", "results": [{"status": "Pass"}]}]}))
    return folder


def variables(driver: Path, tools: Path, **planted: object) -> tuple[tuple[str, str], ...]:
    base = {
        "LD_LIBRARY_PATH": driver,
        "PATH": f"{tools}:/usr/bin:/bin",
        "REAL_CC": shutil.which("cc") or "",
        "CUDA_HOME": "/",
    }
    return tuple((name, str(word)) for name, word in {**base, **planted}.items())


GPU = (believe.gpu, believe.flags_of_cuda_13, believe.scaled_product_of_the_cpu)


@pytest.mark.parametrize("wanted", [QUICK, STANDARD], ids=["quick", "standard"])
def test_every_check_passes_on_a_healthy_card(planted, driver, tools, wanted):
    python = planted(*GPU, believe.extension_that_is_right, triton=wanted is STANDARD)
    (python.parent.parent / SITE / "torchvision.py").touch()
    healthy = variables(driver, tools, FAKE_GPUS=2, FAKE_TIME="1e-9")  # no host is too busy to keep up with the card
    report = verify(python, None, wanted, devices=("0",), variables=healthy)
    expected = {"import_torch": ("pass", None), "device_init": ("pass", None), **dict.fromkeys(wanted, ("pass", None))}
    on_a_busy_host = {"p2p_matrix": ("pass", "W_SLOW_PAIR")}  # copies between two "cards" of one CPU
    found = said(report)
    assert {**expected, **{name: each for name, each in on_a_busy_host.items() if found.get(name) == each}} == found
    assert {"cuda:0", None} == {result.device for result in report.results}


SICK = {
    "the software": (
        (
            believe.gcd_that_differs_at_the_second_call,
            believe.a_stream_that_does_not_wait,
            believe.integer_product_that_saturates,
            believe.attention_that_leaks_the_future,
            believe.extension_that_is_wrong,
            believe.conv_without_a_sublibrary,
        ),
        {"FAKE_ARCHS": "sm_70 sm_80a", "FAKE_FP8": 1, "FAKE_GRAPH": 1, "FAKE_TRITON": 1, "FAKE_WRONG": 1},
        {
            "arch_match": "torch-arch-too-old-for-gpu",
            "fp8_matmul": "E_WRONG",
            "int8_matmul": "E_WRONG",
            "jiterator": "E_WRONG",
            "triton_kernel": "E_WRONG",
            "cuda_graph": "E_WRONG",
            "streams": "E_WRONG",
            "sdpa": "E_INACCURATE",
            "nvrtc_cubin": "E_WRONG",
            "nvrtc_ptx": "E_WRONG",
            "nvcc_kernel": "E_WRONG",
            "cpp_extension": "E_WRONG",
            "conv_cudnn": "cudnn-wheel-incomplete",
        },
    ),
    "the hardware": (
        (
            believe.product_with_a_constant_fault_anywhere,
            believe.memory_with_a_stuck_bit,
            believe.copies_between_gpus_that_never_happen,
        ),
        {"FAKE_GPUS": 2, "FAKE_UNCORRECTED": 3, "FAKE_RUN": 700},
        {
            "gemm_repeat": "E_SDC",
            "memory_pattern": "E_MEMORY",
            "memory_full": "E_MEMORY",
            "p2p_matrix": "nccl-p2p-hang-iommu-acs",
            "telemetry": "gpu-ecc-uncorrectable",
            "nvcc_kernel": "E_NVCC_RUN",
        },
    ),
    "the toolkit": (
        (),
        {
            "FAKE_NVRTC": 7,
            "FAKE_ARCHS": "sm_100 sm_120",
            "FAKE_NVCC": "error: unsupported GNU version! gcc 15",
            "FAKE_CUDNN": "9.20.0",
            "FAKE_TRITON": "Failed to find C compiler. Please specify via CC",
            "FAKE_XID": 79,
        },
        {
            "nvrtc_cubin": "E_NVRTC_BUILTINS",
            "nvrtc_ptx": "E_NVRTC_BUILTINS",
            "arch_match": "torch-arch-dropped-for-old-gpu",
            "nvcc_kernel": "gcc-too-new-for-nvcc",
            "conv_cudnn": "ld-library-path-cudnn",
            "triton_kernel": "inductor-no-c-compiler",
            "telemetry": "E_XID",
        },
    ),
    "the driver": (
        (),
        {
            "FAKE_CUBIN": 209,
            "FAKE_PTX": 222,
            "FAKE_CUDA": 14000,
            "FAKE_TRITON": 2,
            "FAKE_NVCC": "Unsupported gpu architecture 'sm_90'",
            "FAKE_PENDING": 1,
        },
        {
            "nvrtc_cubin": "E_CUBIN",
            "nvrtc_ptx": "ptx-unsupported-toolchain",
            "triton_kernel": "E_WRONG",
            "nvcc_kernel": "E_NVCC_ARCH",
            "telemetry": "row-remap-pending",
        },
    ),
    "an old toolkit": (
        (),
        {
            "FAKE_ARCH": 89,
            "FAKE_PTX": 221,
            "FAKE_REASONS": 8,
            "FAKE_NVCC": "nvcc failed",
            "FAKE_TRITON": "fatal error: Python.h: No such file or directory",
        },
        {
            "nvrtc_cubin": "E_NVRTC_ARCH",
            "nvrtc_ptx": "libcuda-compute-package-missing",
            "telemetry": "gpu-throttled",
            "nvcc_kernel": "E_NVCC",
            "triton_kernel": "python-headers-missing",
        },
    ),
}


@pytest.mark.parametrize("patient", SICK)
def test_every_check_fails_for_its_own_reason(planted, driver, tools, patient):
    tampered, environment, wrong = SICK[patient]
    planted_variables = variables(driver, tools, **environment)
    report = verify(
        planted(*GPU, *tampered, triton=True), None, tuple(wrong), devices=("0",), variables=planted_variables
    )
    expected = {check: ("fail", code) for check, code in wrong.items()}
    assert {**expected, "import_torch": ("pass", None), "device_init": ("pass", None)} == said(report)


NOTED = {
    "perf_gemm": "W_SLOW",
    "perf_membw": "W_SLOW",
    "perf_pcie": "pcie-link-degraded",
    "nvrtc_ptx": "ptx-unsupported-toolchain",
    "device_init": "gpu-memory-full-by-others",
    "arch_match": "W_ARCH_PTX",
    "telemetry": "gpu-throttled",
    "nvcc_kernel": "nvcc-torch-cuda-mismatch",
}


def test_what_is_only_worth_knowing_passes_with_a_code(planted, driver, tools):
    slow = variables(
        driver,
        tools,
        FAKE_WIDTH=8,
        FAKE_MAX_WIDTH=16,
        FAKE_PTX=222,
        FAKE_CUDA=12040,
        FAKE_FREE="0.4",
        FAKE_REASONS=0x20,
        FAKE_ARCHS="sm_80 compute_80",
        FAKE_RELEASE="12.4",
        FAKE_NVRTC_MAJOR=12,
    )
    report = verify(planted(*GPU), None, tuple(NOTED), devices=("0",), variables=slow)
    expected = {check: ("pass", code) for check, code in NOTED.items()}
    assert {**expected, "import_torch": ("pass", None)} == said(report)


def test_checks_are_skipped_below_their_capability(planted, driver, tools):
    old = variables(driver, tools, FAKE_CAPABILITY="6.1", FAKE_ARCHS="sm_61", FAKE_NVML=1, FAKE_FREE="0.6")
    wanted = (
        "matmul_exact",
        "fp8_matmul",
        "int8_matmul",
        "triton_kernel",
        "torch_compile",
        "telemetry",
        "p2p_matrix",
        "memory_full",
    )
    report = verify(planted(*GPU), None, wanted, devices=("0",), variables=old, require=("fp8", "bf16"))
    low = ("skip", "S_CAPABILITY")
    assert {
        "import_torch": ("pass", None),
        "device_init": ("pass", None),
        "matmul_exact": ("fail", "E_REQUIRED"),
        "fp8_matmul": ("fail", "E_REQUIRED"),
        "int8_matmul": low,
        "triton_kernel": low,
        "torch_compile": low,
        "telemetry": ("skip", "S_NO_NVML"),
        "p2p_matrix": ("skip", "S_ONE_DEVICE"),
        "memory_full": ("skip", "S_BUSY"),
    } == said(report)


def test_a_torch_that_tells_neither_free_memory_nor_address_is_helped_by_the_driver(planted, driver, tools):
    """As torch 1.8: no `mem_get_info`, and neither UUID nor bus address that NVML would know."""
    old = variables(driver, tools, FAKE_LACK="mem_get_info", FAKE_UUID=6)
    report = verify(planted(*GPU), None, ("telemetry", "perf_membw"), devices=("0",), variables=old)
    passed = ("pass", None)
    expected = {"import_torch": passed, "device_init": passed, "telemetry": passed}
    assert expected == {name: each for name, each in said(report).items() if name != "perf_membw"}
    assert "pass" == said(report)["perf_membw"][0]


LACKING = (
    believe.int8_without_a_kernel,
    believe.float8_for_hopper_alone,
    believe.convolutions_without_bfloat16,
    believe.attention_of_cudnn_without_a_plan,
    believe.nccl_to_believe_in,
    believe.collectives_without_bfloat16,
)


def test_what_a_version_or_a_card_lacks_is_no_fault(planted, driver, build, tmp_path):
    """Old releases and cards as they answer: each refusal is skipped or named, and nothing fails."""
    source = (HERE / "libnvrtc.c").read_text().splitlines()
    (old := tmp_path / "old.c").write_text("\n".join(line for line in source if "nvrtcGetCUBIN" not in line))
    build(tmp_path / "libnvrtc.so.13", old)
    found = (("LD_LIBRARY_PATH", f"{tmp_path}:{driver}"),)
    skipped = dict.fromkeys(("fp8_matmul", "int8_matmul", "nvrtc_cubin"), ("skip", "S_TORCH"))
    passed = dict.fromkeys(("import_torch", "device_init", "conv_cudnn", "sdpa", "allreduce"), ("pass", None))
    report = verify(planted(*GPU, *LACKING), None, (*skipped, *passed), devices=("0",), variables=found)
    assert {**skipped, **passed} == said(report)
    measured = {result.check: result.measured for result in report.results}
    assert "unsupported" == measured["conv_cudnn"]["bfloat16"]
    assert None is measured["allreduce"]["wrong_elements"]["torch.bfloat16"]
    assert measured["sdpa"]["error"]["cudnn"].startswith("unavailable: cuDNN Frontend error")


def test_memory_that_runs_out_is_no_fault_of_cudnn(planted, driver):
    found = (("LD_LIBRARY_PATH", str(driver)),)
    python = planted(*GPU, believe.convolutions_that_find_no_memory)
    report = verify(python, None, ("conv_cudnn",), devices=("0",), variables=found)
    assert ("inconclusive", "E_OOM") == said(report)["conv_cudnn"]


@pytest.mark.parametrize(
    ("archs", "code"),
    [
        ("sm_80 sm_90", "torch-arch-too-old-for-gpu"),
        ("sm_75 sm_80a", "torch-arch-too-old-for-gpu"),
        ("sm_100 sm_120", "torch-arch-dropped-for-old-gpu"),
    ],
)
def test_a_kernel_without_an_image_is_the_builds_fault(planted, driver, archs, code):
    found = (("LD_LIBRARY_PATH", str(driver)), ("FAKE_ARCHS", archs))
    report = verify(planted(*GPU, believe.kernels_without_an_image), None, ("fft",), devices=("0",), variables=found)
    assert {
        "import_torch": ("pass", None),
        "device_init": ("fail", code),
        "fft": ("skip", "S_NO_DEVICE"),
    } == said(report)


def test_a_lost_assertion_is_found(planted, driver):
    found = (("LD_LIBRARY_PATH", str(driver)),)
    lost = verify(
        planted(*GPU, believe.assertions_that_are_lost), None, ("async_error",), devices=("0",), variables=found
    )
    heard = verify(planted(*GPU, name="heard"), None, ("async_error",), devices=("0",), variables=found)
    assert (("fail", "E_NO_ERROR"), ("pass", None)) == (said(lost)["async_error"], said(heard)["async_error"])


@pytest.mark.parametrize(
    ("fault", "outcome", "code"),
    [
        ("none", "pass", None),
        ("p2p", "fail", "nccl-p2p-hang-iommu-acs"),
        ("ranks", "inconclusive", "E_COLLECTIVE"),
    ],
)
@pytest.mark.slow
def test_the_control_arms_say_whose_fault_a_collective_is(planted, driver, fault, outcome, code):
    python = planted(*GPU, believe.nccl_to_believe_in)
    found = (("LD_LIBRARY_PATH", str(driver)), ("FAKE_GPUS", "2"), ("FAKE_NCCL", fault))
    report = verify(python, None, ("allreduce",), devices=("0",), variables=found)
    assert (outcome, code) == said(report)["allreduce"]


def test_every_gpu_has_its_own_worker(planted, driver):
    found = (("LD_LIBRARY_PATH", str(driver)), ("FAKE_GPUS", "3"))
    report = verify(planted(*GPU), None, ("fft", "numpy_bridge"), expect={"cuda": "13.0"}, variables=found)
    assert ["cuda:0", "cuda:1", "cuda:2"] == sorted(r.device or "" for r in report.results if r.check == "fft")
    assert 1 == sum(result.check == "numpy_bridge" for result in report.results)


def test_a_pair_is_not_slow_because_the_host_was_busy_once(planted, driver):
    found = (("LD_LIBRARY_PATH", str(driver)), ("FAKE_GPUS", "2"))
    python = planted(*GPU, believe.a_host_that_is_held_up_at_one_copy)
    report = verify(python, None, ("p2p_matrix",), devices=("0",), variables=found)
    assert ("pass", None) == said(report)["p2p_matrix"]


def test_gpus_that_are_named_are_seen_together_where_it_matters(planted, driver):
    found = (("LD_LIBRARY_PATH", str(driver)),)
    python = planted(*GPU)
    together = verify(python, None, ("p2p_matrix",), devices=("0", "1"), variables=found)
    alone = verify(python, None, ("p2p_matrix",), devices=("0",), variables=found)
    assert (("pass", None), ("skip", "S_ONE_DEVICE")) == (said(together)["p2p_matrix"], said(alone)["p2p_matrix"])


@pytest.mark.parametrize(
    ("answer", "outcome", "code"),
    [
        (
            {
                "DCGM Diagnostic": {
                    "test_categories": [{"tests": [{"name": "Memory", "results": [{"status": "Fail"}]}]}]
                }
            },
            "fail",
            "E_DCGM",
        ),
        ({"tests": [{"name": "Memory", "results": [{"status": "Skip"}]}]}, "inconclusive", "E_DCGM_SILENT"),
        ("host engine is not running", "inconclusive", "E_DCGM_SILENT"),
    ],
)
def test_nvidias_own_diagnostic_is_heard(planted, driver, tools, answer, outcome, code):
    (tools / "answer.json").write_text(json.dumps(answer))
    report = verify(planted(*GPU), None, ("dcgm_diag",), devices=("0",), variables=variables(driver, tools))
    assert (outcome, code) == said(report)["dcgm_diag"]


def test_no_nvcc_is_said(planted, driver, tmp_path):
    found = (("LD_LIBRARY_PATH", str(driver)), ("PATH", str(tmp_path)), ("CUDA_HOME", str(tmp_path)))
    report = verify(planted(*GPU), None, ("nvcc_kernel",), devices=("0",), variables=found)
    assert ("fail", "cuda-home-not-set") == said(report)["nvcc_kernel"]


def test_a_lost_context_costs_one_result_and_a_fresh_worker(planted, driver):
    found = (("LD_LIBRARY_PATH", str(driver)),)
    python = planted(*GPU, believe.context_that_dies_with_a_convolution)
    report = verify(python, None, ("conv_cudnn", "cuda_graph"), devices=("0",), variables=found)
    assert (("fail", "E_EXCEPTION"), ("pass", None)) == (said(report)["conv_cudnn"], said(report)["cuda_graph"])
    assert next(result.measured["context_lost"] for result in report.results if result.check == "conv_cudnn")


def test_an_interrupted_suite_leaves_no_worker_behind(planted, driver, tmp_path):
    python = planted(*GPU, believe.a_second_gpu_that_hangs)
    code = "import sys; from pathlib import Path; from envforge.verify import verify\nverify(Path(sys.argv[1]), None, ('fft',), expect={'cuda': '13.0'})"
    env = {**os.environ, "LD_LIBRARY_PATH": str(driver), "FAKE_GPUS": "2", "FAKE_MARK": str(tmp_path / "mark")}
    suite = subprocess.Popen([sys.executable, "-c", code, python], env=env, stderr=subprocess.DEVNULL)
    assert comes(lambda: written(tmp_path / "mark"))
    suite.send_signal(signal.SIGINT)
    suite.wait(60)
    assert comes(lambda: not works(int((tmp_path / "mark").read_text())))
