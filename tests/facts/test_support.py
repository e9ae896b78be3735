"""What runs where, held against an independent derivation from the same sources."""

from pathlib import Path

import pytest
from packaging.version import Version

from envforge.facts.reading import read_part
from envforge.model import ComputeCapability

SUPPORT = read_part((Path(__file__).parent / "support.yaml").read_text(), "support.yaml")
FIRST_DERIVED = Version("1.8.0")
DEVICES = [ComputeCapability.parse(word) for word in SUPPORT["capabilities"].split()]


def reached(facts, build):
    by_sass = [each for each in DEVICES if any(facts.executes(code, each, cuda=build.cuda) for code in build.sass)]
    by_ptx = [
        each
        for each in DEVICES
        if each not in by_sass and any(facts.kernels.compiles(code, each) for code in build.ptx)
    ]
    return " ".join(map(str, by_sass)), " ".join(map(str, by_ptx))


@pytest.mark.parametrize(
    "row", SUPPORT["rows"], ids=lambda row: f"{row['on']}-{row['variant']}-{row['torch'].split()[0]}"
)
def test_builds_reach_the_devices_that_were_derived(facts, row):
    key = (row["source"], row["variant"], row.get("tegra", False))
    builds = {
        str(build.torch): build
        for build in facts.builds(row["on"])
        if (build.source, build.variant, build.tegra) == key and str(build.torch) in row["torch"].split()
    }
    assert dict.fromkeys(row["torch"].split(), (row["sass"], row["ptx"])) == {
        torch: reached(facts, build) for torch, build in builds.items()
    }


@pytest.mark.parametrize(
    "row", SUPPORT["rows"], ids=lambda row: f"{row['on']}-{row['variant']}-{row['torch'].split()[0]}"
)
def test_builds_need_the_driver_that_was_derived(facts, row):
    floors = {
        (str(facts.driver_floor(build.cuda, "linux-64")), str(facts.driver_floor(build.cuda, "win-64")))
        for build in facts.builds(row["on"])
        if build.variant == row["variant"]
    }
    assert floors == {(row["linux"], row["windows"])}


def test_every_gpu_build_was_derived(facts):
    derived = {
        (torch, row["source"], row["on"], row["variant"], row.get("tegra", False))
        for row in SUPPORT["rows"]
        for torch in row["torch"].split()
    }
    ours = {
        (str(build.torch), build.source, build.subdir, build.variant, build.tegra)
        for subdir in ("linux-64", "linux-aarch64", "win-64")
        for build in facts.builds(subdir)
        if build.sass and build.source != "pypi"
    }
    assert derived - ours == set()
    since = {key for key in ours - derived if Version(key[0]) >= FIRST_DERIVED}
    assert {key[1:3] for key in since} == {("https://conda.anaconda.org/pytorch", "win-64")}


def test_what_nobody_derived_is_said_to_be_inferred(facts):
    builds = [build for build in facts.builds("win-64") if build.source.endswith("/pytorch") and build.cuda]
    assert {build.confidence for build in builds} == {"inferred"}
