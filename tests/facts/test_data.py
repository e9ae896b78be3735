"""Laws over the files of facts."""

import re
from itertools import pairwise
from urllib.parse import urlsplit

from packaging.utils import canonicalize_name
from packaging.version import Version
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from envforge.facts.builds import cuda_of_variant
from envforge.facts.compile import DATA
from envforge.facts.reading import blocks, rows, sources
from envforge.model import ComputeCapability, Dotted

SUBDIRS = ("linux-64", "linux-aarch64", "win-64", "osx-arm64", "osx-64")
MEASURES = {"memory_gb", "bandwidth", "matmul", "fp32", "tf32", "bf16", "fp16", "fp8", "fp4"}


def every_row(parts):
    return [
        (f"{stem}.{name}", row) for stem, part in parts.items() for name, _ in blocks(part) for row in rows(part, name)
    ]


def test_every_row_names_a_source_that_its_file_explains(parts):
    unknown = {
        (stem, source)
        for stem, part in parts.items()
        for name, _ in blocks(part)
        for row in rows(part, name)
        for source in sources(row)
        if source not in part["sources"]
    }
    assert unknown == set()


def test_every_explained_source_is_used(parts):
    used = {
        (stem, source)
        for stem, part in parts.items()
        for name, block in blocks(part)
        for row in (block, *rows(part, name))
        for source in sources(row)
    }
    assert {(stem, source) for stem, part in parts.items() for source in part["sources"]} == used


def test_every_row_was_seen_on_a_day_and_says_how_sure_it_is(parts):
    wrong = [
        (block, row)
        for block, row in every_row(parts)
        if not re.fullmatch(r"20\d\d-[01]\d-[0-3]\d", row["seen"])
        or row["confidence"] not in {"read", "inferred", "measured"}
    ]
    assert wrong == []


def test_no_version_was_written_as_a_number(parts):
    floats = [
        (block, key, item)
        for block, row in every_row(parts)
        for key, item in row.items()
        if isinstance(item, float) and key not in MEASURES
    ]
    assert floats == []


def test_what_contradicts_says_what_was_taken_and_why(parts):
    told = [row for stem in parts for row in rows(parts[stem], "contradictions")]
    assert [row for row in told if not {"about", "taken", "against", "because"} <= set(row)] == []


def test_no_file_names_a_registry_host():
    host = urlsplit(PYPI_SIMPLE_ENDPOINT).hostname or "?"
    named = [path.name for path in DATA.glob("*.yaml") if host in path.read_text()]
    assert named == []


def test_no_build_stands_twice(facts):
    keys = [
        (build.torch, build.source, build.subdir, build.variant, build.tegra)
        for subdir in SUBDIRS
        for build in facts.builds(subdir)
    ]
    assert len(keys) == len(set(keys))


def test_every_build_has_pythons_and_a_cpu_build_has_no_gpu_code(facts):
    wrong = [
        build
        for subdir in SUBDIRS
        for build in facts.builds(subdir)
        if not build.pythons or (build.cuda is None) != (build.sass == () and build.ptx == ())
    ]
    assert wrong == []


def test_every_linux_build_that_pulls_in_cuda_states_its_glibc(facts):
    unsaid = [
        build
        for subdir in ("linux-64", "linux-aarch64")
        for build in facts.builds(subdir)
        if build.glibc is None and not (build.source == "conda-forge" and build.torch < Version("2.5"))
    ]
    assert unsaid == []


def test_every_cuda_of_a_build_is_a_toolkit_that_can_make_its_code(facts):
    """Windows and conda builds of CUDA 11.0-11.6 are held against the next older toolkit that is known."""
    impossible = []
    for build in (build for subdir in SUBDIRS for build in facts.builds(subdir) if build.cuda):
        assert facts.native_driver(build.cuda, "linux-64") is not None
        targets = facts.drivers.targets(build.cuda)
        codes = {str(code) for code in (*(build.sass or ()), *(build.ptx or ()))}
        if targets is not None and not codes <= set(targets):
            impossible.append((build.where, codes - set(targets)))
    assert impossible == []


def test_every_variant_of_a_build_gives_the_cuda_it_names():
    given = {variant: str(cuda_of_variant(variant)) for variant in ("cu92", "cu126", "cuda129", "cuda12.4", "cpu")}
    assert given == {"cu92": "9.2", "cu126": "12.6", "cuda129": "12.9", "cuda12.4": "12.4", "cpu": "None"}


def test_every_torch_release_has_companions_and_a_day(facts, parts):
    released = [row["torch"] for row in rows(parts["torch"], "releases")]
    assert [row["torch"] for row in rows(parts["companions"], "pairs")] == released
    assert released == sorted(released, key=Version)
    built = {str(build.torch) for build in facts.builds("linux-64") if build.kind == "wheel"}
    assert built == set(released)


def test_every_paired_companion_has_wheels_that_are_known(parts):
    known = {(row["name"], row["version"]) for row in rows(parts["companions"], "wheels")}
    names = ("torchvision", "torchaudio", "torchtext", "torchdata", "xformers")
    paired = {
        (name, version) for row in rows(parts["companions"], "pairs") for name in names for version in row[name].split()
    }
    assert paired - known == set()


def test_names_of_companions_are_normalised(parts):
    named = {
        row["name"] for block in ("wheels", "extensions", "requirements") for row in rows(parts["companions"], block)
    }
    assert {canonicalize_name(name) for name in named} == named


def test_toolkits_stand_newest_first_and_their_drivers_never_grow_older(facts):
    versions = [toolkit.version for toolkit in facts.drivers.toolkits]
    assert versions == sorted(versions, reverse=True)
    drivers = [toolkit.linux for toolkit in facts.drivers.toolkits if toolkit.linux and not toolkit.preview]
    branches = [driver.major for driver in drivers]
    assert branches == sorted(branches, reverse=True)


def test_no_native_driver_is_older_than_the_floor_of_its_cuda(facts):
    for toolkit in facts.drivers.toolkits:
        for subdir, native in (("linux-64", toolkit.linux), ("win-64", toolkit.windows)):
            floor = facts.driver_floor(toolkit.version, subdir)
            early = toolkit.preview or toolkit.label in ("11.0 GA", "12.0 GA")
            assert early or native is None or (floor is not None and native >= floor), toolkit


def test_floors_never_fall_as_cuda_grows(facts):
    minors = sorted({Dotted(f"{each.version.major}.{each.version.minor}") for each in facts.drivers.toolkits})
    for subdir in ("linux-64", "win-64"):
        floors = [floor for minor in minors if (floor := facts.driver_floor(minor, subdir))]
        assert floors == sorted(floors)


def test_branches_stand_oldest_first_and_each_speaks_a_newer_cuda(facts):
    for older, newer in pairwise(facts.drivers.branches):
        assert older.number < newer.number
        assert older.cuda < newer.cuda


def test_every_toolkit_driver_speaks_its_toolkit(facts):
    silent = [
        toolkit.label
        for toolkit in facts.drivers.toolkits
        if toolkit.linux and (spoken := facts.cuda_of_driver(toolkit.linux)) is not None
        if (spoken.major, spoken.minor) < (toolkit.version.major, toolkit.version.minor)
    ]
    assert silent == []


def test_windows_majors_belong_to_the_branch_that_names_them(facts, parts):
    wrong = [
        (row["branch"], major)
        for row in rows(parts["branches"], "branches")
        for major in row["windows"].split("-")
        if facts.branch(Dotted(major)).name != row["branch"]
    ]
    assert wrong == []


def test_every_card_chip_and_device_has_a_known_architecture(facts, parts):
    named = [(row, "cards") for row in rows(parts["cards"], "cards")]
    named += [(row, "chips") for row in rows(parts["cards"], "chips")]
    named += [(row, "jetson") for row in rows(parts["cards"], "jetson")]
    named += [(row, "devices") for row in rows(parts["pci"], "devices")]
    unknown = [row for row, _ in named if facts.architecture(ComputeCapability.parse(row["cc"])) is None]
    assert unknown == []


def test_cards_chips_and_devices_agree_on_the_capability(parts):
    chips = {row["chip"]: row["cc"] for row in rows(parts["cards"], "chips")}
    devices = {row["id"]: row["cc"] for row in rows(parts["pci"], "devices")}
    for card in rows(parts["cards"], "cards"):
        assert {chips[chip] for chip in card["chips"].split()} == {card["cc"]}, card
        assert {devices[device] for device in card.get("devices", "").split()} <= {card["cc"]}, card


def test_every_peak_is_of_a_known_card_of_that_capability(facts, parts):
    peaks = {row["name"]: row["cc"] for row in rows(parts["peaks"], "peaks")}
    assert peaks == {name: str(card.capability) for name in peaks if (card := facts.card(name))}


def test_every_architecture_is_served_before_it_is_dropped(facts):
    for each in facts.drivers.architectures:
        assert None in (each.first_driver, each.last_driver) or each.first_driver <= each.last_driver
        assert None in (each.first_cuda, each.last_cuda) or each.first_cuda <= each.last_cuda


def test_code_runs_on_its_own_device_and_never_on_an_older_one(facts):
    known = [each.capability for each in facts.drivers.architectures]
    for code in known:
        assert facts.executes(code, code)
        late = [device for device in known if device < code and facts.executes(code, device)]
        assert late == []
