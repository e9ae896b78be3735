"""Whatever is unknown of a machine, it is answered in words, and what was answered can be planned."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envforge.model import ABSENT, Choice, ComputeCapability, Dotted, Driver, Gpu, Interpreter, Machine, Offer
from envforge.plan import make_plan
from envforge.resolve import resolve
from resolve.worlds import FACTS, refused, spec, wheel

pytestmark = pytest.mark.law

gpus = st.builds(
    lambda name, capability, memory: Gpu(index=0, name=name, compute_capability=capability, memory_bytes=memory),
    st.sampled_from([None, "NVIDIA H100 80GB HBM3", "Some Card of Tomorrow"]),
    st.sampled_from([None, ComputeCapability(9, 0), ComputeCapability(13, 4), ComputeCapability(2, 1)]),
    st.sampled_from([None, 0, 24 << 30]),
)
drivers = st.builds(
    lambda version, cuda, module: Driver(version=Dotted(version), cuda_version=cuda and Dotted(cuda), module=module),
    st.sampled_from(["304.137", "535", "550.54.15", "999.1"]),
    st.sampled_from([None, "12.4", "14.2"]),
    st.sampled_from([None, "open", "proprietary"]),
)
machines = st.builds(
    Machine,
    name=st.just("here"),
    subdir=st.sampled_from([None, "linux-64", "linux-aarch64", "osx-arm64", "win-64", "linux-riscv64"]),
    driver=st.one_of(st.none(), st.just(ABSENT), drivers),
    gpus=st.one_of(st.none(), st.lists(gpus, max_size=2).map(tuple)),
    glibc=st.sampled_from([None, ABSENT, Dotted("2.17"), Dotted("2.39")]),
    platform=st.sampled_from([None, "wsl2", "bare-metal"]),
    tegra=st.sampled_from([None, True, False]),
    interpreters=st.sampled_from([None, (), (Interpreter(path="/usr/bin/python3", version=Dotted("3.12.3")),)]),
)
specs = st.builds(
    lambda **keys: spec(**{key: entry for key, entry in keys.items() if entry is not None}),
    gpu=st.sampled_from([None, "required", "preferred"]),
    needs=st.sampled_from([None, {"gpus": 1, "memory": "16GiB", "capability": ">=8.0"}]),
    channels=st.sampled_from([None, [], ["https://conda.example/private"]]),
    exclude_newer=st.sampled_from([None, "2024-06-01"]),
    **{"with": st.sampled_from([None, ["torchvision", "nobody-knows-me"]])},
)
offers = st.sampled_from(
    [
        (),
        (refused("pytorch"), refused("conda-forge"), refused("pypi")),
        (Offer(source="pypi", builds=(wheel("2.99.0"), wheel("2.99.0", "cu140"))),),
    ]
)


@settings(max_examples=40, deadline=None)
@given(specs, machines, offers)
def test_no_machine_goes_unanswered(asked, there, asked_offers):
    outcome = resolve(asked, (there,), FACTS, asked_offers)
    told = [each.text for each in outcome.warnings]
    if isinstance(outcome, Choice):
        plan = make_plan(asked, outcome.best, there, FACTS, asked_offers)
        assert plan.specs or plan.interpreter
        told += [each.text for each in outcome.reasons]
    else:
        assert outcome.cores
        told += [reason.text for core in outcome.cores for reason in core]
    assert [text for text in told if "None" in text or not text] == []
