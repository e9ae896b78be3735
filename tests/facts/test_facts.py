"""What the facts answer, on questions that people really have."""

import pytest
from packaging.version import Version

from envforge.facts import load_facts
from envforge.facts.companions import Companions
from envforge.model import ComputeCapability, Dotted


def only(builds, **wanted):
    found = [build for build in builds if all(str(getattr(build, key)) == item for key, item in wanted.items())]
    assert len(found) == 1
    return found[0]


def words(items):
    return " ".join(map(str, items))


def test_the_wheel_of_the_default_index_is_known_in_full(facts):
    build = only(facts.builds("linux-64"), torch="2.8.0", source="pypi")
    assert (build.variant, str(build.cuda), build.local, str(build.glibc)) == ("cu128", "12.8", None, "2.28")
    assert (words(build.sass), words(build.ptx)) == ("7.0 7.5 8.0 8.6 9.0 10.0 12.0", "")
    assert build.pythons == ("3.9", "3.10", "3.11", "3.12", "3.13")
    assert build.size_bytes == 888_000_000
    assert build.where == (
        "torch.yaml 2.8.0 cu128 linux-64: pypi-simple, pypi-wheel, pypi-archflags, pypi-fatbin, seen 2026-11-20",
    )


def test_a_wheel_of_the_variant_index_has_a_local_version(facts):
    build = only(facts.builds("win-64"), torch="2.8.0", source="pytorch", variant="cu126")
    assert (build.local, words(build.sass), build.glibc) == ("cu126", "6.1 7.0 7.5 8.0 8.6 9.0", None)


def test_wheels_of_torch_before_2_7_run_on_glibc_2_17_but_for_one(facts):
    floors = {
        build.variant: str(build.glibc)
        for build in facts.builds("linux-64")
        if build.source == "pytorch" and str(build.torch) == "2.6.0"
    }
    assert floors == {"cpu": "2.17", "cu118": "2.17", "cu124": "2.17", "cu126": "2.28"}


def test_conda_builds_need_the_glibc_of_what_they_pull_in(facts):
    build = only(facts.builds("linux-64"), torch="2.13.0", source="conda-forge", variant="cuda129")
    assert (build.kind, str(build.glibc), words(build.ptx)) == ("conda", "2.28", "12.0")


def test_a_tegra_build_is_told_from_the_one_for_servers(facts):
    builds = [
        each for each in facts.builds("linux-aarch64") if str(each.torch) == "2.12.0" and each.source == "conda-forge"
    ]
    assert {words(each.sass) for each in builds if each.tegra} == {"8.7"}


def test_a_platform_that_no_fact_names_has_no_builds(facts):
    assert facts.builds("linux-riscv64") == ()


def test_a_build_whose_code_nobody_read_says_so(facts):
    build = only(facts.builds("win-64"), torch="1.8.0", source="conda-forge", variant="cuda111")
    assert (build.sass, build.ptx) == (None, None)


@pytest.mark.parametrize(
    ("cuda", "subdir", "floor"),
    [
        ("12.8", "linux-64", "525.60.13"),
        ("12.8", "win-64", "528.33"),
        ("13.2", "linux-64", "580.65.06"),
        ("11.8", "linux-aarch64", "450.80.02"),
        ("11.0", "linux-64", "450.36.06"),
        ("10.2", "linux-64", "440.33"),
    ],
)
def test_a_cuda_needs_the_driver_of_its_major(facts, cuda, subdir, floor):
    assert str(facts.driver_floor(Dotted(cuda), subdir)) == floor


def test_no_driver_is_known_for_a_cuda_of_the_future(facts):
    assert facts.driver_floor(Dotted("14.0"), "linux-64") is None
    assert facts.native_driver(Dotted("14.0"), "linux-64") is None


def test_a_toolkit_is_native_to_the_driver_of_its_first_release(facts):
    native = [str(facts.native_driver(Dotted(cuda), "linux-64")) for cuda in ("12.8", "12.4", "13.0", "13.4", "12.7")]
    assert native == ["570.26", "550.54.14", "580.65.06", "615", "None"]


@pytest.mark.parametrize(
    ("driver", "branch", "cuda"),
    [
        ("535.104.05", "R535", "12.2"),
        ("565", "R565", "12.7"),
        ("528.33", "R525", "12.0"),
        ("580.88", "R580", "13.0"),
        ("700.10", "R615", "13.4"),
    ],
)
def test_a_driver_reports_the_cuda_of_its_branch(facts, driver, branch, cuda):
    assert (facts.branch(Dotted(driver)).name, str(facts.cuda_of_driver(Dotted(driver)))) == (branch, cuda)


def test_a_driver_older_than_every_branch_is_unknown(facts):
    assert (facts.branch(Dotted("340.108")), facts.cuda_of_driver(Dotted("340.108"))) == (None, None)


def test_the_branch_of_an_architecture_bounds_its_drivers(facts):
    volta, blackwell = (facts.architecture(ComputeCapability(*each)) for each in ((7, 0), (12, 0)))
    assert [volta.served_by(Dotted(each)) for each in ("580.95.05", "590.44.01")] == [True, False]
    assert [blackwell.served_by(Dotted(each)) for each in ("565.77", "570")] == [False, True]
    assert (volta.module, blackwell.module) == ("proprietary", "open")


def test_a_compat_package_may_stand_over_a_base_branch_only(facts):
    over = [facts.drivers.forward_compatible(Dotted("12.9"), Dotted(each)) for each in ("535.1", "550.1", "580.1")]
    assert over == [True, False, False]
    assert facts.drivers.forward_compatible(Dotted("12.0"), Dotted("535.1")) is None


@pytest.mark.parametrize(
    ("code", "device", "cuda", "runs"),
    [
        ("8.6", "8.9", None, True),
        ("8.9", "8.6", None, False),
        ("9.0", "10.0", None, False),
        ("5.0", "6.1", None, False),
        ("8.0", "8.7", "12.6", False),
        ("8.0", "8.7", "13.2", True),
        ("8.7", "8.9", None, False),
        ("10.1", "11.0", None, True),
        ("10.0", "10.1", None, False),
        ("42.0", "42.1", None, True),
    ],
)
def test_machine_code_runs_within_its_major_but_for_tegra(facts, code, device, cuda, runs):
    pair = ComputeCapability.parse(code), ComputeCapability.parse(device)
    assert facts.executes(*pair, cuda=Dotted(cuda) if cuda else None) is runs


def test_an_unknown_tegra_runs_its_own_code_only(facts):
    code, device = ComputeCapability(42, 0), ComputeCapability(42, 1)
    assert (facts.executes(code, device, tegra=True), facts.executes(device, device, tegra=True)) == (False, True)


@pytest.mark.parametrize("name", ["NVIDIA GeForce GTX 1080 Ti", "GeForce GTX 1080 Ti", "nvidia  geforce gtx 1080 ti"])
def test_a_card_is_found_with_and_without_the_prefix(facts, name):
    card = facts.card(name)
    assert (card.name, str(card.capability), card.kind) == ("NVIDIA GeForce GTX 1080 Ti", "6.1", "consumer")
    assert (card.first_driver, str(card.last_driver), card.module) == (None, "580", "proprietary")


def test_a_slice_of_a_card_is_found_by_its_parent_and_its_memory_is_unknown(facts):
    mig, vgpu = facts.card("NVIDIA A100-SXM4-40GB MIG 1g.5gb"), facts.card("NVIDIA A40-48Q")
    assert [(str(each.capability), each.memory_bytes) for each in (mig, vgpu)] == [("8.0", None), ("8.6", None)]


@pytest.mark.parametrize(
    ("short", "capability", "kind"),
    [
        ("A100", "8.0", "datacenter"),
        ("RTX 4090", "8.9", "consumer"),
        ("V100", "7.0", "datacenter"),
        ("T4", "7.5", "datacenter"),
    ],
)
def test_a_short_name_is_taken_when_all_that_it_may_mean_agree(facts, short, capability, kind):
    card = facts.card(short)
    assert (card.name, str(card.capability), card.kind, card.confidence) == (short, capability, kind, "inferred")


@pytest.mark.parametrize("name", ["RTX 6000", "NVIDIA", "", "GeForce", "RTX"])
def test_a_short_name_that_may_mean_different_cards_is_unknown(facts, name):
    assert facts.card(name) is None


def test_a_name_that_covers_several_sizes_promises_the_smallest(facts):
    assert facts.card("NVIDIA GeForce RTX 3080").memory_bytes == 10 << 30


def test_a_jetson_is_tegra_and_a_server_is_not(facts):
    assert [facts.card(name).tegra for name in ("Orin", "NVIDIA GB10", "NVIDIA H200")] == [True, False, False]


def test_a_card_that_nobody_knows_is_unknown(facts):
    assert facts.card("NVIDIA Quantum 9000") is None
    assert facts.cards.device("FFFF") is None


def test_a_pci_id_gives_the_card_and_never_one_of_another_chip(facts):
    ada, namesake = facts.cards.device("2684"), facts.cards.device("0fc5")
    assert (ada.name, ada.kind) == ("NVIDIA GeForce RTX 4090", "consumer")
    assert (namesake.name, str(namesake.capability), namesake.kind) == ("GeForce GT 1030", "3.0", None)


def test_a_subsystem_decides_between_products_of_one_id(facts):
    assert [facts.cards.device("2335", each).name for each in ("10de:18be", "10DE:18BF")] == ["NVIDIA H200"] * 2


def test_peaks_are_dense_and_say_which_figures_were_read(facts):
    peak = facts.peak("H100 80GB HBM3")
    assert (peak.tflops["bf16"], peak.bandwidth_gb_per_s) == (989.0, 3350.0)
    assert "fp4" not in peak.tflops
    assert "bf16" in peak.read
    assert facts.peak("NVIDIA Quantum 9000") is None


def test_companions_pair_exactly(facts):
    torch = Version("2.8.0")
    paired = [facts.companion(torch, name) for name in ("torchvision", "torchaudio", "triton", "torchtext")]
    assert paired == [("0.23.0",), ("2.8.0",), ("3.4.0",), ()]
    assert (facts.companion(Version("9.9"), "torchvision"), facts.companion(torch, "left-pad")) == (None, None)


def test_a_companion_serves_the_pythons_of_its_wheels(facts):
    build = only(facts.builds("linux-64"), torch="2.15.0", source="pypi")
    served = {name: facts.companion_serves(name, build, "3.15") for name in ("torchvision", "torchaudio", "triton")}
    assert served == {"torchvision": True, "torchaudio": False, "triton": True}
    assert facts.companion_serves("torchtext", build, "3.12") is False
    assert facts.companion_serves("left-pad", build, "3.12") is None


def test_of_conda_companions_only_absence_is_known(facts):
    build = only(facts.builds("linux-64"), torch="2.13.0", source="conda-forge", variant="cuda130")
    served = [facts.companion_serves(name, build, "3.12") for name in ("torchvision", "torchtext")]
    assert served == [None, False]


def test_numpy_2_breaks_torch_before_2_3(facts):
    companions: Companions = facts.companions
    limits = [companions.numpy_limit(Version(torch), "linux-64") for torch in ("2.2.2", "2.3.0")]
    assert (limits, companions.numpy_limit(Version("2.3.0"), "win-64")) == (["<2", None], "<2")


def test_an_extension_exists_for_exactly_one_torch_cuda_and_python(facts):
    asked = [
        ("2.8.0", "12.8", "3.12"),
        ("2.8.0", "13.0", "3.12"),
        ("2.4.0", "12.1", "3.13"),
        ("2.15.0", "13.2", "3.12"),
    ]
    found = [
        facts.companions.extension("flash_attn", Version(torch), Dotted(cuda), python, "linux-64")[-1:]
        for torch, cuda, python in asked
    ]
    assert found == [("2.8.3.post1",), (), (), ()]
    assert facts.companions.extension("apex", Version("2.8.0"), Dotted("12.8"), "3.12", "linux-64") is None


def test_an_extension_names_the_oldest_gpu_that_it_serves(facts):
    builds = facts.builds("linux-64")
    wheel = only(builds, torch="2.8.0", source="pypi")
    floor, where = facts.companions.extension_floor("flash_attn", wheel, "3.12")
    assert ("8.0", True) == (str(floor), where.startswith("companions.yaml flash-attn 2."))
    assert facts.companions.extension_floor("torchvision", wheel, "3.12") is None
    assert [True, False] == [facts.companions.is_extension(name) for name in ("flash-attn", "torchvision")]


def test_a_toolkit_exists_from_one_cuda_on(facts):
    assert ["12.0", "12.0"] == [str(facts.first_toolkit(subdir)[0]) for subdir in ("linux-64", "win-64")]
    assert facts.first_toolkit("osx-arm64") is None


def test_the_abi_of_wheels_changed_with_2_7(facts):
    builds = facts.builds("linux-64")
    abis = [facts.cxx11_abi(only(builds, torch=torch, source="pypi")) for torch in ("2.6.0", "2.7.0")]
    conda = only(builds, torch="2.13.0", source="conda-forge", variant="cuda130")
    assert (abis, facts.cxx11_abi(conda)) == ([False, True], True)
    old = next(each for each in builds if each.source.endswith("/pytorch"))
    assert facts.cxx11_abi(old) is False


def test_an_extension_is_named_by_abi_too(facts):
    wheel = only(facts.builds("linux-64"), torch="2.6.0", source="pypi")
    found = facts.companions.extension_url("flash_attn", wheel, "3.12", cxx11_abi=facts.cxx11_abi(wheel))
    assert found.endswith("/v2.8.3.post1/flash_attn-2.8.3.post1+cu12torch2.6cxx11abiFALSE-cp312-cp312-linux_x86_64.whl")
    assert facts.companions.extension_url("flash_attn", wheel, "3.14", cxx11_abi=False) is None
    assert facts.companions.extension_url("xformers", wheel, "3.12", cxx11_abi=False) is None


def test_releases_and_pythons_have_their_days(facts):
    assert (facts.released(Version("2.15.0")), facts.released(Version("9.9"))) == ("2026-10-28", None)
    assert (facts.python("3.10").eol, facts.python("2.7")) == ("2026-10-31", None)


def test_facts_say_when_they_were_seen_and_from_which_texts(facts):
    assert facts.dated == "2026-11-20"
    assert facts.digest == load_facts().digest
    assert facts.digest.startswith("sha256:")
