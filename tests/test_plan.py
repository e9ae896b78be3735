"""What the engines are asked for: the build that was chosen and nothing else, the machine in explicit terms."""

from dataclasses import replace

import pytest

from envforge.model import ABSENT, Dotted, Interpreter, Offer
from envforge.plan import OLD_CHANNEL, OLD_CHANNEL_PARTNER, build_glob, make_plan
from envforge.resolve import resolve
from resolve.worlds import FACTS, machine, profile, refused, spec, wheel

A100 = profile("a100-535.104")


def planned(asked, there=A100, offers=()):
    return make_plan(asked, resolve(asked, (there,), FACTS, offers).best, there, FACTS, offers)


def test_conda_torch_is_asked_for_by_version_and_build():
    plan = planned(spec(sources=["conda-forge"], python="3.12", conda=["numpy >=2"], **{"with": ["torchvision"]}))
    assert ("python 3.12.*", "pytorch ==2.13.0 cuda129*", "torchvision", "numpy >=2") == plan.specs
    assert () == plan.requirements


def test_no_match_spec_is_written_in_the_form_that_conda_and_mamba_read_differently():
    plan = planned(spec(sources=["conda-forge"], toolkit=True))
    assert [] == [each for each in plan.specs if "=" in each.split()[0]]


def test_cuda_version_stays_on_the_build_s_line_where_the_driver_speaks_less():
    assert ("cuda-version >=12.9,<=12.9",) == planned(spec(sources=["conda-forge"])).limits


def test_cuda_version_never_passes_what_the_driver_speaks():
    there = profile("gtx1080ti-580.65")
    assert ("cuda-version >=12.6,<=13.0",) == planned(spec(cuda="12.6", sources=["conda-forge"]), there).limits


def test_other_packages_get_no_cuda_above_the_driver_s():
    assert ("cuda-version <=12.2",) == planned(spec(gpu="none")).limits
    assert () == planned(spec(), profile("laptop-nogpu")).limits


@pytest.mark.parametrize(("torch", "limits"), [("2.2.2", ("numpy <2",)), ("2.3.0", ())])
def test_numpy_stays_on_what_a_wheel_of_torch_was_built_against(torch, limits):
    plan = planned(spec(torch=torch, sources=["pypi"], conda=["numpy"]))
    assert (limits, limits) == (tuple(each for each in plan.limits if each.startswith("numpy")), plan.wheel_limits)


def test_what_conda_builds_says_itself_which_numpy_it_needs():
    plan = planned(spec(torch="2.1", sources=["conda-forge"]))
    assert ([], ()) == ([each for each in plan.limits if each.startswith("numpy")], plan.wheel_limits)


def test_a_toolkit_matches_torch_s_cuda():
    plan = planned(spec(sources=["conda-forge"], toolkit=True))
    assert {"cuda-nvcc 12.9.*", "cuda-libraries-dev 12.9.*"} <= set(plan.specs)


def test_the_machine_is_told_as_virtual_packages():
    expected = {"__unix": "0", "__linux": "0", "__glibc": "2.35", "__archspec": "1=x86_64"}
    assert {**expected, "__cuda": "12.2", "__cuda_arch": "8.0"} == dict(planned(spec()).virtual)


def test_a_machine_without_a_driver_has_no_virtual_cuda():
    virtual = dict(planned(spec(), profile("laptop-nogpu")).virtual)
    assert {"__cuda", "__cuda_arch"} & set(virtual) == set()


def test_an_unknown_driver_is_told_as_what_the_floor_promises():
    there = replace(A100, driver=None)
    plan = planned(spec(torch="2.10", sources=["conda-forge"], cuda="12.9"), there)
    assert "12.9" == dict(plan.virtual)["__cuda"]


def test_an_unknown_glibc_is_told_as_the_floor():
    plan = planned(spec(sources=["conda-forge"]), replace(A100, glibc=None))
    assert str(plan.floor.glibc) == dict(plan.virtual)["__glibc"]


def test_a_machine_without_glibc_has_no_virtual_one():
    best = resolve(spec(), (A100,), FACTS).best
    plan = make_plan(spec(), best, replace(A100, glibc=ABSENT), FACTS)
    assert "__glibc" not in dict(plan.virtual)


def test_the_lowest_capability_of_a_mixed_box_is_told():
    there = machine(driver="580.65.06", gpus=["NVIDIA GeForce GTX 1080 Ti", "NVIDIA GeForce RTX 5090"])
    assert "6.1" == dict(planned(spec(), there).virtual)["__cuda_arch"]


def test_an_apple_machine_is_told_as_one():
    virtual = dict(planned(spec(), profile("apple-m3")).virtual)
    assert {"__unix", "__osx", "__archspec"} == set(virtual)


def test_wheels_are_asked_for_exactly_with_the_page_of_the_variant():
    plan = planned(spec(sources=["pytorch"], torch="2.7", cuda="12.8", wheels=["einops"], **{"with": ["torchvision"]}))
    assert ("torch==2.7.1+cu128", "torchvision==0.22.1", "einops") == plan.requirements
    assert ("https://download.pytorch.org/whl/cu128", "pypi") == plan.indexes
    assert ("python 3.12.*",) == plan.specs


def test_a_cpu_wheel_carries_its_label():
    plan = planned(spec(sources=["pytorch"]), profile("laptop-nogpu"))
    assert "torch==2.15.0+cpu" == plan.requirements[0]
    assert "https://download.pytorch.org/whl/cpu" == plan.indexes[0]


def test_wheels_stand_on_a_python_at_hand_when_no_channel_serves_one():
    at_hand = Interpreter(path="/usr/bin/python3.11", version=Dotted("3.11.7"))
    there = replace(profile("laptop-nogpu"), interpreters=(at_hand,))
    plan = planned(spec(sources=["pytorch"]), there, (refused("conda-forge"),))
    assert (at_hand, (), (), ()) == (plan.interpreter, plan.channels, plan.specs, plan.limits)


def test_a_channel_that_serves_the_python_is_preferred_to_one_at_hand():
    at_hand = Interpreter(path="/usr/bin/python3.14", version=Dotted("3.14.0"))
    there = replace(profile("laptop-nogpu"), interpreters=(at_hand,))
    assert planned(spec(), there).interpreter is None


def test_a_private_index_is_asked_before_the_spec_s_own():
    mirror = "https://mirror.example/simple"
    offer = Offer(source=mirror, builds=(wheel("2.13.0", "cpu", source=mirror),))
    plan = planned(spec(sources=[mirror]), profile("laptop-nogpu"), (offer,))
    assert (mirror, "pypi") == plan.indexes
    assert "torch==2.13.0+cpu" == plan.requirements[0]


def test_the_old_channel_brings_its_partner():
    plan = planned(spec(sources=[OLD_CHANNEL], torch="2.5.1"))
    assert (OLD_CHANNEL, OLD_CHANNEL_PARTNER, "conda-forge") == plan.channels
    assert ("pytorch ==2.5.1 *cuda12.1*",) == plan.specs[1:]


def test_a_mirror_of_the_old_channel_is_asked_in_its_spelling():
    mirror = "https://mirror.example/pytorch"
    old = next(each for each in FACTS.builds("linux-64") if each.source == OLD_CHANNEL and each.variant == "cuda12.1")
    cpu = replace(old, variant="cpu", cuda=None)
    assert ["*cuda12.1*", "*cpu*"] == [build_glob(replace(each, source=mirror)) for each in (old, cpu)]


def test_a_torch_for_macos_is_not_asked_by_its_build():
    (build,) = [
        each for each in FACTS.builds("osx-arm64") if (str(each.torch), each.source) == ("2.13.0", "conda-forge")
    ]
    assert "" == build_glob(build)


def test_the_floor_is_what_the_build_needs_not_what_the_machine_has():
    floor = planned(spec(sources=["conda-forge"])).floor
    assert (Dotted("525.60.13"), Dotted("2.28")) == (floor.driver, floor.glibc)
    assert "9.0" in map(str, floor.capabilities)
    assert planned(spec(), profile("laptop-nogpu")).floor.driver is None
