"""A plan in words and in the contract's shape."""

from dataclasses import replace

import pytest
from packaging.version import Version

from envforge.model import (
    ABSENT,
    Build,
    Candidate,
    Choice,
    Conflict,
    Cover,
    Dotted,
    Driver,
    Gpu,
    Machine,
    Reason,
    Rejected,
    RejectedRange,
    Warned,
    WayOut,
)
from envforge.report.plan import place_name, plan_page
from envforge.report.shapes import plan_shape
from report.test_text import shown


def candidate(torch, cuda):
    variant = f"cu{cuda.replace('.', '')}" if cuda else "cpu"
    build = Build(
        torch=Version(torch),
        variant=variant,
        cuda=Dotted(cuda) if cuda else None,
        source="pytorch",
        kind="wheel",
        subdir="linux-64",
        pythons=("3.12",),
        local=variant,
    )
    return Candidate(python="3.12", build=build, companions=(("torchvision", "0.28.0"),))


DRIVER = Reason(
    rule="driver-floor",
    owner="driver",
    text="CUDA 13.0 needs a driver ≥ 580.65.06, yours is 535.104.05",
    where=("https://docs.nvidia.com/cuda/",),
)
NEWER = WayOut(gives_up=(DRIVER,), gets=candidate("2.15.0", "13.0"), hint="update the driver to ≥ 580.65.06")
CHOICE = Choice(
    best=candidate("2.13.0", "12.6"),
    native=False,
    reasons=(Reason(rule="rank", text="the newest torch that this driver serves"),),
    rejected=(Rejected(candidate=candidate("2.15.0", "13.0"), reasons=(DRIVER,)),),
    ranges=(RejectedRange(torch="2.14.0-2.15.0", variants=("cu130",), sources=("pytorch",), reason=DRIVER),),
    unlocks=(NEWER,),
    warnings=(Warned(code="minor-version", text="kernels that are compiled at run time may need a newer driver"),),
)
CONFLICT = Conflict(
    cores=((Reason(rule="cuda-pin", owner="spec", text="the spec asks for CUDA 13.0", where=("v.yaml:3",)), DRIVER),),
    ways_out=(NEWER,),
)
BOX = Machine(
    name="box",
    subdir="linux-64",
    driver=Driver(version=Dotted("535.104.05")),
    gpus=(Gpu(index=0, name="NVIDIA A100-SXM4-80GB", compute_capability=None),) * 2,
    glibc=Dotted("2.35"),
)


def test_a_choice_says_what_why_what_not_and_what_would_unlock_more():
    page = plan_page("vision", (BOX,), CHOICE, download_bytes=2_660_000_000)
    expected = """\
vision
for box  driver 535.104.05, 2 × NVIDIA A100-SXM4-80GB, glibc 2.35, linux-64

  torch     2.13.0 with CUDA 12.6, from pytorch (wheel, cu126)
  python    3.12
  with      torchvision 0.28.0
  size      2.7 GB to download

Why
  • the newest torch that this driver serves

Newer or preferred, but not here
  torch 2.14.0-2.15.0 cu130  from pytorch
    CUDA 13.0 needs a driver ≥ 580.65.06, yours is 535.104.05

What would unlock more
  → update the driver to ≥ 580.65.06: torch 2.15.0 with CUDA 13.0 on Python 3.12, from pytorch

warning: kernels that are compiled at run time may need a newer driver
"""
    assert expected == shown(page)


def test_verbose_names_the_source_of_each_fact():
    assert "https://docs.nvidia.com/cuda/" in shown(plan_page("vision", (BOX,), CHOICE, verbose=True))
    assert "https://docs.nvidia.com/cuda/" not in shown(plan_page("vision", (BOX,), CHOICE))


def test_of_many_builds_three_are_named_unless_all_are_asked_for():
    many = RejectedRange(
        torch="1.10.2-2.14.1", variants=(*(f"cu{n}" for n in range(111, 119)), ""), sources=("pypi",), reason=DRIVER
    )
    choice = replace(CHOICE, ranges=(many,))
    assert "  torch 1.10.2-2.14.1 cu111, cu112, cu113 and 5 others  from pypi\n" in shown(
        plan_page("vision", (BOX,), choice)
    )
    assert "cu117, cu118  from pypi" in shown(plan_page("vision", (BOX,), choice, verbose=True))


def test_a_conflict_says_what_contradicts_and_the_ways_out():
    expected = """\
vision
for box  driver 535.104.05, 2 × NVIDIA A100-SXM4-80GB, glibc 2.35, linux-64

No environment can serve this.

These contradict each other
  • the spec asks for CUDA 13.0
  • CUDA 13.0 needs a driver ≥ 580.65.06, yours is 535.104.05

Ways out
  1. update the driver to ≥ 580.65.06
     → torch 2.15.0 with CUDA 13.0 on Python 3.12, from pytorch
"""
    assert expected == shown(plan_page("vision", (BOX,), CONFLICT))


def test_several_environments_are_shown_one_by_one():
    covers = (Cover(machines=("a", "b"), outcome=CHOICE), Cover(machines=("c",), outcome=CONFLICT))
    text = shown(plan_page("vision", (BOX,), CONFLICT, covers=covers))
    assert ["One environment for a, b", "None for c"] == [
        line for line in text.splitlines() if line.startswith(("One", "None "))
    ]


@pytest.mark.parametrize(
    ("machine", "expected"),
    [
        (Machine(name="m"), "for m  driver unknown, GPUs unknown"),
        (Machine(name="m", driver=ABSENT, gpus=(), glibc=ABSENT), "for m  no driver, no GPU"),
    ],
)
def test_unknown_is_not_absent(machine, expected):
    assert expected in shown(plan_page("vision", (machine,), CHOICE)).splitlines()


def test_the_shape_of_a_choice_is_the_contracts():
    shape = plan_shape("v.yaml", ("box",), CHOICE, download_bytes=7)
    assert {
        "python": "3.12",
        "torch": "2.13.0",
        "cuda": "12.6",
        "source": "pytorch",
        "build": "cu126",
        "kind": "wheel",
        "companions": {"torchvision": "0.28.0"},
        "native": False,
        "reasons": [
            {"rule": "rank", "owner": "system", "text": "the newest torch that this driver serves", "where": []}
        ],
    } == shape["choice"]
    assert "driver-floor" == shape["rejected"][0]["rule"]
    assert (None, [], 7, None) == (shape["conflict"], shape["covers"], shape["download_bytes"], shape["unpacked_bytes"])


def test_the_shape_of_a_conflict_is_the_contracts():
    shape = plan_shape("v.yaml", ("box",), CONFLICT)
    assert shape["choice"] is None
    assert ["cuda-pin", "driver-floor"] == [reason["rule"] for reason in shape["conflict"]["cores"][0]]
    assert {
        "gives_up": [DRIVER.text],
        "gets": {"python": "3.12", "torch": "2.15.0", "cuda": "13.0", "source": "pytorch"},
        "hint": "update the driver to ≥ 580.65.06",
    } == shape["conflict"]["ways_out"][0]


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("pypi", "pypi"),
        ("conda-forge", "conda-forge"),
        ("/srv/wheels", "/srv/wheels"),
        ("file:///srv/mirror/of/all/simple", "…/all/simple"),
        ("https://mirror.example.org/simple", "mirror.example.org/simple"),
        ("https://mirror.example.org/api/pypi/gpu/simple/", "mirror.example.org/…/simple"),
    ],
)
def test_a_place_is_named_by_what_people_know_it_by(source, name):
    assert name == place_name(source)


def test_a_sentence_is_said_once():
    twice = replace(CHOICE, warnings=(Warned(code="driver", text=DRIVER.text),))
    assert 1 == shown(plan_page("vision", (BOX,), twice)).count(DRIVER.text)
