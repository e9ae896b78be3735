"""The quick tier: healthy on a real torch, and each check fails for its own reason."""

import contextlib
import shutil
import time
from pathlib import Path

import pytest

from envforge.model import SmokeReport
from envforge.verify import select, verify
from verify import faults
from verify.conftest import SITE
from verify.told import said

IN_CONTAINER = any(Path(sign).exists() for sign in ("/.dockerenv", "/run/.containerenv", "/singularity"))
NO_LIBCUDA = "E_NO_LIBCUDA" if IN_CONTAINER else "driver-not-installed"
NEEDS_CUDA = {"driver_init", "arch_match"}


@pytest.fixture(scope="module")
def healthy(torch_python) -> SmokeReport:
    return verify(torch_python, None, devices=("cpu",))


def test_a_healthy_cpu_passes_everything_that_needs_no_gpu(healthy):
    skipped = dict.fromkeys(NEEDS_CUDA, ("skip", "S_KIND")) | {"companions": ("skip", "S_MODULE")}
    expected = {check.name: skipped.get(check.name, ("pass", None)) for check in select("quick")}
    assert (expected, "pass") == (said(healthy), healthy.verdict)


def test_results_come_in_the_order_of_the_table(healthy):
    assert [check.name for check in select("quick")] == [result.check for result in healthy.results]


def test_only_device_checks_name_a_device(healthy):
    hosts = {check.name for check in select("quick") if check.scope == "host"}
    assert {r.check: None if r.check in hosts else "cpu" for r in healthy.results} == {
        r.check: r.device for r in healthy.results
    }


def test_the_report_names_what_was_verified(healthy):
    assert ("2.13.0+cpu", None) == (healthy.torch, healthy.cuda)


def test_the_quick_tier_costs_an_import_and_two_seconds(torch_python):
    """Or two imports, where the machine is so busy that one takes longer than a second."""

    def over_budget() -> float:
        began = time.monotonic()
        import_s = verify(torch_python, None, devices=("cpu",)).results[0].took_s
        return time.monotonic() - began - import_s - max(2.0, 2 * import_s)

    assert min(over_budget(), over_budget()) < 0


def test_every_quick_check_fails_for_its_own_reason(planted):
    python = planted(
        faults.numpy_of_another_abi,
        faults.copies_that_change_a_word,
        faults.sort_that_swaps,
        faults.convolution_off_by_one,
        faults.eigenvectors_of_another_matrix,
        faults.transform_with_one_wrong_frequency,
        faults.seed_that_is_ignored,
        faults.optimiser_that_does_nothing,
        faults.product_with_one_wrong_element,
    )
    wrong = {
        "numpy_bridge": ("fail", "numpy2-vs-old-torch"),
        "alloc_copy": ("fail", "E_COPY"),
        "int_kernels": ("fail", "E_WRONG"),
        "matmul_exact": ("fail", "E_WRONG"),
        "conv_cudnn": ("fail", "E_WRONG"),
        "linalg": ("fail", "E_INACCURATE"),
        "fft": ("fail", "E_INACCURATE"),
        "rng": ("fail", "E_NONDETERMINISTIC"),
        "train_step": ("fail", "E_WRONG"),
    }
    got = said(verify(python, None, tuple(wrong), devices=("cpu",)))
    assert {**wrong, "import_torch": ("pass", None), "device_init": ("pass", None)} == got


@pytest.mark.parametrize(
    ("fault", "check", "code"),
    [
        (faults.float32_products_in_tf32, "matmul_accuracy", "E_TF32_LEFT_ON"),
        (faults.half_products_in_eight_bits, "matmul_accuracy", "E_INACCURATE"),
        (faults.product_that_is_nan, "matmul_accuracy", "E_INACCURATE"),
        (faults.optimiser_that_wants_a_package, "train_step", "E_NO_MODULE"),
        (faults.gradient_with_a_wrong_sign, "train_step", "E_WRONG"),
    ],
)
def test_a_fault_is_named(planted, fault, check, code):
    assert ("fail", code) == said(verify(planted(fault), None, (check,), devices=("cpu",)))[check]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.device_that_cannot_add, "E_WRONG"),
        (faults.device_that_hangs, "E_TIMEOUT"),
        (faults.device_that_crashes, "E_SIGSEGV"),
    ],
)
def test_a_device_that_does_not_answer_is_left_alone(planted, fault, code):
    report = verify(planted(fault), None, ("numpy_bridge", "fft", "rng"), devices=("cpu",), slack=0.1)
    gone = ("skip", "S_NO_DEVICE")
    expected = {"import_torch": ("pass", None), "device_init": ("fail", code), "fft": gone, "rng": gone}
    assert {**expected, "numpy_bridge": ("pass", None)} == said(report)


@pytest.mark.parametrize(
    ("expect", "code"),
    [
        ({"torch": "2.13.0", "cuda": "none", "build": "cpu", "python": "3"}, None),
        ({"torch": "2.13"}, None),
        ({"torch": "2.1"}, "E_VERSION"),
        ({"python": "3.9"}, "E_VERSION"),
        ({"build": "cu128"}, "E_VERSION"),
        ({"cuda": "13.0"}, "torch-cpu-build-pip"),
        ({"cuda": "none", "sass": "sm_90"}, "E_VERSION"),
    ],
)
def test_the_build_is_held_against_the_lock(stub, expect, code):
    report = verify(stub(), None, ("build_facts",), expect=expect)
    assert ("fail" if code else "pass", code) == said(report)["build_facts"]


def test_a_cpu_build_by_conda_is_told_apart(stub):
    python = stub()
    meta = python.parent.parent / "conda-meta"
    meta.mkdir()
    (meta / "pytorch-2.13.0-cpu_mkl_0.json").touch()
    assert ("fail", "torch-cpu-build-conda") == said(verify(python, None, ("build_facts",), expect={"cuda": "13.0"}))[
        "build_facts"
    ]


def test_a_torch_on_pythonpath_is_seen_and_the_environments_own_is_checked(stub, tmp_path):
    (tmp_path / "other" / "torch").mkdir(parents=True)
    (tmp_path / "other" / "torch" / "__init__.py").write_text("raise SystemExit('the wrong one')")
    report = verify(stub(), None, ("torch_origin",), variables=(("PYTHONPATH", str(tmp_path / "other")),))
    assert {"import_torch": ("pass", None), "torch_origin": ("fail", "user-site-shadows-env")} == said(report)


@pytest.mark.parametrize(
    ("prefix", "outcome", "code"), [(None, "pass", "W_TORCH_OUTSIDE"), (".", "fail", "E_NO_TORCH")]
)
def test_a_torch_outside_is_an_interpreters_and_never_an_environments(stub, tmp_path, prefix, outcome, code):
    python = stub()
    (tmp_path / "outside").mkdir()
    shutil.move(python.parent.parent / SITE / "torch", tmp_path / "outside" / "torch")
    found = (("PYTHONPATH", str(tmp_path / "outside")),)
    where = None if prefix is None else python.parent.parent
    report = verify(python, None, ("torch_origin",), prefix=where, variables=found)
    origin = ("pass", None) if prefix is None else ("skip", "S_NO_TORCH")
    assert {"import_torch": (outcome, code), "torch_origin": origin} == said(report)


def test_a_torch_in_the_working_directory_is_seen(stub, tmp_path):
    (tmp_path / "torch.py").write_text("1 / 0")
    with contextlib.chdir(tmp_path):
        report = verify(stub(), None, ("torch_origin",))
    assert {"import_torch": ("pass", None), "torch_origin": ("fail", "cwd-shadows-torch")} == said(report)


def test_a_torch_outside_the_prefix_is_not_the_environments(stub, tmp_path):
    report = verify(stub(), None, ("torch_origin",), prefix=tmp_path / "elsewhere")
    assert ("fail", "user-site-shadows-env") == said(report)["torch_origin"]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        (["a/libcudnn.so.9"], "ld-library-path-cudnn"),
        (["a/libcublasLt.so.12"], "ld-library-path-cublaslt"),
        (["a/libnvJitLink.so.12"], "ld-library-path-nvjitlink"),
        (["a/libcufft.so.11"], "E_LIB_FOREIGN"),
        (["a/libcufft.so.11", "b/libcufft.so.12"], "mixed-cuda-majors-pip"),
    ],
)
def test_a_foreign_cuda_library_is_seen(stub, build, tmp_path, files, code):
    python = stub(loading(build, tmp_path, files))
    report = verify(python, None, ("libs_origin",), prefix=python.parent.parent, devices=("cpu",))
    assert ("fail", code) == said(report)["libs_origin"]


def loading(build, tmp_path, files) -> str:
    """A torch that loads libraries, and can make the one tensor that the first check wants."""
    (empty := tmp_path / "empty.c").write_text("int x;")
    paths = [str(build(tmp_path / file, empty)) for file in files]
    torch = f"class backends: mps = None\nfor path in {paths}: ctypes.CDLL(path)\n"
    torch += "class One:\n    def __add__(self, o): return self\n    def cpu(self): return [42]\n"
    return torch + "int32 = None\ndef device(name): return name\ndef full(*w, **o): return One()\n"


@pytest.mark.parametrize(
    ("own", "outcome", "code"),
    [
        ("nvidia/cublas/lib/libcublas.so.12", "pass", "W_LIB_SYSTEM"),
        ("torch/lib/libcufft.so.11", "fail", "E_LIB_FOREIGN"),
    ],
)
def test_a_systems_library_is_a_fault_where_the_environment_has_its_own(stub, build, tmp_path, own, outcome, code):
    python = stub(loading(build, tmp_path, ["a/libcufft.so.11"]))
    copy = python.parent.parent / SITE / own
    copy.parent.mkdir(parents=True)
    copy.touch()
    assert (outcome, code) == said(verify(python, None, ("libs_origin",), devices=("cpu",)))["libs_origin"]


def test_a_library_and_its_builtins_are_not_two_copies(stub, build, tmp_path):
    python = stub(loading(build, tmp_path, ["a/libnvrtc.so.13", "a/libnvrtc-builtins.so.13.0"]))
    assert ("pass", "W_LIB_SYSTEM") == said(verify(python, None, ("libs_origin",), devices=("cpu",)))["libs_origin"]


@pytest.mark.parametrize(
    ("variables", "devices", "outcome", "code"),
    [
        ((), ("0",), "pass", None),
        ((("FAKE_CUINIT", "803"),), ("0",), "fail", "driver-library-mismatch"),
        ((("FAKE_CUINIT", "802"),), ("0",), "fail", "fabricmanager-not-running"),
        ((("FAKE_CUINIT", "100"),), ("0",), "fail", "E_CUINIT_100"),
        ((("FAKE_CUINIT", "100"),), None, "skip", "S_NO_DRIVER"),
        ((("FAKE_CUINIT", "777"),), ("0",), "fail", "E_CUINIT_777"),
        pytest.param(
            *((("FAKE_CUINIT", "999"),), ("0",), "fail", "uvm-device-missing"),
            marks=pytest.mark.skipif(Path("/dev/nvidia-uvm").exists(), reason="this host has nvidia-uvm"),
        ),
        ((("FAKE_CUDA", "12040"),), ("0",), "fail", "driver-too-old-for-torch"),
    ],
)
def test_the_drivers_own_code_is_reported(stub, driver, variables, devices, outcome, code):
    found = (("LD_LIBRARY_PATH", str(driver)), *variables)
    report = verify(stub("Version.cuda = '13.0'"), None, ("driver_init",), devices=devices, variables=found)
    assert (outcome, code) == said(report)["driver_init"]


@pytest.mark.skipif(Path("/proc/driver/nvidia").exists(), reason="this host has an NVIDIA driver")
@pytest.mark.parametrize(("devices", "outcome", "code"), [(("0",), "fail", NO_LIBCUDA), (None, "skip", "S_NO_DRIVER")])
def test_no_driver_is_a_fault_only_where_a_gpu_was_asked_for(stub, devices, outcome, code):
    report = verify(stub("Version.cuda = '13.0'"), None, ("driver_init",), devices=devices)
    assert (outcome, code) == said(report)["driver_init"]


def test_a_cpu_build_never_passes_where_a_gpu_was_asked_for(stub):
    report = verify(stub(), None, ("driver_init",), devices=("0",))
    assert ("fail", "torch-cpu-build-pip") == said(report)["driver_init"]


def test_a_required_check_that_cannot_run_fails(stub):
    assert ("fail", "E_REQUIRED") == said(verify(stub(), None, ("build_facts",), require=("driver_init",)))[
        "driver_init"
    ]
