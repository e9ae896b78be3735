"""A CUDA version that is known by itself: stated on a login node, or spoken where the driver's version is hidden."""

from dataclasses import replace

import pytest

from envforge.facts import load_facts
from envforge.model import ABSENT, Choice, ComputeCapability, Dotted, Driver, Gpu, Machine, Reading, Spec
from envforge.resolve import resolve

FACTS = load_facts()
CARD = Gpu(index=0, name=None, compute_capability=ComputeCapability(8, 0))
HIDDEN = Machine(name="m", subdir="linux-64", glibc=Dotted("2.35"), gpus=(CARD,))


def chosen(machine: Machine) -> Choice:
    found = resolve(Spec(name="x"), (machine,), FACTS)
    assert isinstance(found, Choice)
    return found


@pytest.mark.parametrize("cuda", ["11.8", "12.4", "13.0"])
def test_the_family_of_a_spoken_cuda_bounds_the_choice(cuda: str):
    build = chosen(replace(HIDDEN, cuda_version=Dotted(cuda))).best.build
    assert build.cuda is not None
    assert build.cuda.major == Dotted(cuda).major


def test_a_stated_cuda_bounds_the_choice_below_what_the_driver_could_do():
    machine = replace(
        HIDDEN,
        driver=Driver(version=Dotted("580.65.06"), cuda_version=Dotted("12.4")),
        cuda_version=Dotted("12.4"),
        readings=(Reading(source="overrides", value={"CONDA_OVERRIDE_CUDA": "12.4"}),),
    )
    found = chosen(machine)
    assert (found.best.build.cuda.major, "`CONDA_OVERRIDE_CUDA`" in str(found.reasons)) == (12, True)


def test_a_stated_cuda_asks_for_a_cuda_build_where_no_gpu_can_be_seen():
    reading = Reading(source="overrides", value={"CONDA_OVERRIDE_CUDA": "12.4"})
    login = replace(HIDDEN, gpus=None, cuda_version=Dotted("12.4"), readings=(reading,))
    found = chosen(login)
    assert (12, True) == (
        found.best.build.cuda.major,
        "unknown-kernels" in {each.code for each in found.warnings},
    )


def test_a_machine_that_is_stated_to_have_none_gets_a_cpu_build():
    assert chosen(replace(HIDDEN, driver=ABSENT, cuda_version=ABSENT, gpus=())).best.build.cuda is None
