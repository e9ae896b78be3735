"""Machines from files: profiles, recordings, files of several, and what is refused."""

from pathlib import Path

import pytest

from envforge.detect import identify, read_machine, read_machines
from envforge.errors import SpecError
from envforge.facts import load_facts
from envforge.model import ABSENT, ComputeCapability, Dotted, Driver, Gpu, Machine
from patience import in_time

MACHINES = Path(__file__).parents[1] / "machines"
FACTS = load_facts()


def read(text: str, origin: str = "m.yaml") -> Machine:
    return read_machine(text, origin, FACTS)


def complaint(text: str) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
    with pytest.raises(SpecError) as caught:
        read(text)
    return caught.value.message, caught.value.where, caught.value.hints


def test_a_profile_gets_its_cards_from_the_facts():
    text = (
        '{driver: "535.104.05", cuda: "12.2", module: open, gpus: [NVIDIA A100-SXM4-80GB], glibc: "2.35", os: rocky 9}'
    )
    driver = Driver(version=Dotted("535.104.05"), cuda_version=Dotted("12.2"), module="open")
    card = Gpu(
        index=0,
        name="NVIDIA A100-SXM4-80GB",
        compute_capability=ComputeCapability(8, 0),
        memory_bytes=80 << 30,
    )
    assert read(text, "fleet/cluster.yaml") == Machine(
        name="cluster",
        subdir="linux-64",
        driver=driver,
        cuda_version=Dotted("12.2"),
        gpus=(card,),
        glibc=Dotted("2.35"),
        os="rocky 9",
        tegra=False,
    )


def test_a_driver_may_be_told_by_its_branch():
    assert read('driver: "535"').driver == Driver(version=Dotted("535"))


@pytest.mark.parametrize(
    ("text", "driver", "gpus"), [("driver:\ngpus: []", ABSENT, ()), ("subdir: linux-64", None, None)]
)
def test_none_there_is_told_from_not_known(text: str, driver: object, gpus: object):
    machine = read(text)
    assert (machine.driver, machine.gpus) == (driver, gpus)


def test_a_mac_has_no_glibc():
    assert read("{driver: null, gpus: [], subdir: osx-arm64}").glibc is ABSENT


def test_a_jetson_is_known_by_its_card():
    machine = read('{driver: "540.4.0", gpus: [Orin]}')
    assert (machine.tegra, machine.subdir) == (True, "linux-aarch64")


def test_a_card_that_no_fact_knows_may_say_what_it_can_do():
    text = '{driver: "700", gpus: [{name: NVIDIA X1000, capability: "13.0", memory: 512GiB}]}'
    assert read(text).gpus == (
        Gpu(index=0, name="NVIDIA X1000", compute_capability=ComputeCapability(13, 0), memory_bytes=512 << 30),
    )


def test_an_unknown_card_is_met_with_the_nearest_one():
    message, where, hints = complaint('driver: "535"\ngpus: [NVIDIA A100-SXM4-81GB]\n')
    assert (message, where) == ("no fact knows a GPU `NVIDIA A100-SXM4-81GB`", ("m.yaml:2:8",))
    assert hints[0].startswith("did you mean `NVIDIA A100-SXM4-")


def test_a_card_by_its_short_name_is_met_with_the_shortest_that_has_it():
    _, _, hints = complaint('driver: "535"\ngpus: [A1000]\n')
    assert hints == ("did you mean `NVIDIA RTX A1000`?", 'or say what it can do: `{name: A1000, capability: "..."}`')


BAD = {
    "drver: '535'": "unknown key `drver`",
    "driver: 535.104": "`driver` must be text, but YAML reads `535.104` as a number",
    "driver: newest": "`driver`: `newest` is not a dotted number",
    "{gpus: NVIDIA A30}": "`gpus` must be a list of GPUs, not text",
    "gpus: [{}]": "a GPU needs a `name` or a `capability`",
    "cuda: '12.4'": "`cuda` tells of a driver, and the profile names none",
    "module: closed": "`module` must be one of `open`, `proprietary`, not `closed`",
    "glibc: 2.28": "`glibc` must be text, but YAML reads `2.28` as a number",
    "[]": "a machine's file must be a mapping: a profile or a recording",
    "hello": "a machine's file must be a mapping: a profile or a recording",
    "schema: envforge.machine/9": "`envforge.machine/9` is not a recording that can be read",
    "snapshot: 3": "`snapshot` must be a mapping of readings",
    "{a: {driver: '535'}, b: {gpus: []}}": "the file holds several machines: `a`, `b`",
    "": "the file is empty",
}


@pytest.mark.parametrize("text", BAD)
def test_a_mistake_is_named_in_the_users_words(text: str):
    assert complaint(text)[0] == BAD[text]


@pytest.mark.parametrize(
    "text",
    ["\0\1\2ELF" * 9999, "x" * (5 << 20), "[" * 2_000_000, "- {a: b}\n" * 400_000, "a: &a [1]\nb: " + "[*a, *a]" * 9],
    ids=["binary", "5 MB of a word", "deep", "many", "aliases"],
)
def test_garbage_is_refused_at_once(text: str):
    with in_time(2):
        complaint(text)


def test_a_file_may_hold_several_machines():
    text = "a: {driver: '535', gpus: [Tesla T4]}\nb: {schema: envforge.machine/1, platform: {kind: vm}}\n"
    assert [(each.name, each.platform) for each in read_machines(text, "fleet.yaml", FACTS)] == [
        ("a", None),
        ("b", "vm"),
    ]


def test_a_recording_inside_a_case_file_is_found():
    assert read("id: x\ncomplaint: y\nsnapshot: {platform: {kind: vm}}\n").platform == "vm"


def test_a_recording_without_its_schema_is_told_by_its_keys():
    assert read("os_release: {ID: ubuntu, VERSION_ID: '22.04'}\nplatform: {arch: x86_64}\n").subdir == "linux-64"


def test_a_recording_keeps_why_something_is_missing():
    machine = read("schema: envforge.machine/1\nnvml: {driver_version: '535.1'}\nerrors: {nvml: hung, pci: masked}\n")
    assert [(each.source, each.error) for each in machine.readings] == [("nvml", "hung"), ("pci", "masked")]


def test_a_card_that_no_driver_tells_is_identified_by_its_pci_id():
    machine = read((MACHINES / "recordings/nouveau-has-the-card.yaml").read_text())
    assert machine.gpus is not None
    assert machine.gpus[0].compute_capability is None
    identified = identify(machine, FACTS)
    assert [each.compute_capability for each in identified.gpus or ()] == [ComputeCapability(5, 2)]


@pytest.mark.parametrize("path", sorted(MACHINES.glob("profiles/*.yaml")), ids=lambda path: path.stem)
def test_every_profile_reads(path: Path):
    machine = read_machine(path.read_text(), str(path), FACTS)
    assert (machine.name, [gpu.name for gpu in machine.gpus or () if gpu.compute_capability is None]) == (path.stem, [])
