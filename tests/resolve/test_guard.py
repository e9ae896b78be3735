"""What an engine answered is held against the choice and the machine again."""

from envforge.model import Locked
from envforge.resolve import check_artefacts, resolve
from resolve.worlds import FACTS, machine, spec

OLD = machine(driver="525.60.13", gpus=["NVIDIA A100-SXM4-80GB"])
CONDA = resolve(spec(sources=["conda-forge"]), (OLD,), FACTS).best
WHEEL = resolve(spec(sources=["pytorch"]), (OLD,), FACTS).best


def locked(name, version, build="", kind="conda", **rest):
    return Locked(name=name, version=version, build=build, kind=kind, url=f"https://x/{name}", sha256="0" * 64, **rest)


PYTORCH = locked("pytorch", str(CONDA.build.torch), f"{CONDA.build.variant}_mkl_py313_h1_300")
TORCH = locked("torch", f"{WHEEL.build.torch}+{WHEEL.build.variant}", kind="wheel")


def rules(*artefacts, candidate=CONDA, there=OLD):
    return [each.rule for each in check_artefacts(artefacts, candidate, there, FACTS)]


def test_what_was_chosen_is_let_through():
    assert [] == rules(PYTORCH, locked("cuda-version", "12.9"), locked("cuda-cudart", "12.9.79"))
    assert [] == rules(TORCH, locked("nvidia-cuda-runtime-cu12", "12.6.77", kind="wheel"), candidate=WHEEL)


def test_a_cuda_that_slipped_past_the_driver_is_refused():
    """conda#10803, mamba#4311: ``cuda-version 13.3`` under a driver for CUDA 12.0."""
    found = check_artefacts((PYTORCH, locked("cuda-version", "13.3")), CONDA, OLD, FACTS)
    assert "cuda-version 13.3: CUDA 13.3 needs driver ≥ 580.65.06, this machine has 525.60.13" == found[0].text
    assert ["driver-floor", "cuda-family"] == [each.rule for each in found]


def test_a_runtime_wheel_of_another_family_is_refused():
    found = rules(TORCH, locked("nvidia-cuda-runtime", "13.0.48", kind="wheel"), candidate=WHEEL)
    assert ["driver-floor", "cuda-family"] == found


def test_a_cpu_build_in_place_of_the_chosen_one_is_refused():
    assert ["torch-build"] == rules(locked("pytorch", str(CONDA.build.torch), "cpu_mkl_py313_h1_100"))
    assert ["torch-build"] == rules(locked("torch", f"{WHEEL.build.torch}+cpu", kind="wheel"), candidate=WHEEL)


def test_another_version_is_refused():
    assert ["torch-build"] == rules(locked("pytorch", "2.4.1", f"{CONDA.build.variant}_py313_h1_300"))


def test_no_torch_and_two_torches_are_refused():
    assert ["torch-build"] == rules()
    assert ["torch-build", "torch-build"] == rules(PYTORCH, TORCH)


def test_a_package_that_demands_a_newer_driver_is_refused():
    ffmpeg = locked("ffmpeg", "7.1.1", "gpl_h1_0", constrains=("__cuda  >=12.4",))
    assert ["virtual-cuda"] == rules(PYTORCH, ffmpeg)


def test_a_numpy_that_an_old_wheel_of_torch_was_not_built_for_is_refused():
    old = resolve(spec(torch="2.2.2", sources=["pytorch"]), (OLD,), FACTS).best
    torch = locked("torch", f"2.2.2+{old.build.variant}", kind="wheel")
    found = check_artefacts((torch, locked("numpy", "2.1.0")), old, OLD, FACTS)
    assert ["torch 2.2.2 was built for numpy <2, the engine gave numpy 2.1.0"] == [each.text for each in found]
    assert [] == rules(torch, locked("numpy", "1.26.4", kind="wheel"), candidate=old)
    assert [] == rules(TORCH, locked("numpy", "2.1.0"), candidate=WHEEL)


def test_a_machine_that_changed_since_is_refused():
    there = machine(driver="470.57.02", gpus=["NVIDIA A100-SXM4-80GB"])
    assert "driver-floor" in rules(PYTORCH, there=there)
