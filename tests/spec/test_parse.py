"""Reading specs: every key, every mistake with its place."""

from textwrap import dedent

import pytest
from packaging.specifiers import SpecifierSet

from envforge.errors import SpecError
from envforge.model import Needs, Spec, Target
from envforge.spec import parse_spec

FULL = """\
name: vision
python: ">=3.11,<3.14"
torch: ">=2.8"
with: [torchvision, torchaudio]
cuda: "12.8"
gpu: preferred
sources: [conda-forge, https://wheels.example.org/simple]
channels: [conda-forge, file:///srv/channel]
indexes: [pypi]
find-links: [./wheels]
conda: ["numpy >=2", ffmpeg]
wheels: ["einops", "timm>=1"]
toolkit: true
needs: {gpus: 2, memory: 24GiB, capability: ">=8.0"}
targets:
  cluster: {driver: "535", gpus: ["NVIDIA A100-SXM4-80GB"], glibc: "2.28"}
  laptop: machines/laptop.yaml
checks: [import, matmul]
variables: {OMP_NUM_THREADS: "8"}
exclude-newer: 2026-10-01
"""


def complaints(text: str, origin: str = "a.yaml") -> list[tuple[str, str, tuple[str, ...]]]:
    with pytest.raises(SpecError) as caught:
        parse_spec(dedent(text), origin)
    return [(each.where[0], each.message, each.hints) for each in (caught.value, *caught.value.others)]


def complaint(text: str) -> tuple[str, str, tuple[str, ...]]:
    (only,) = complaints(text)
    return only


def test_every_key_of_the_contract_is_read():
    expected = Spec(
        name="vision",
        origin="vision.yaml",
        python=SpecifierSet(">=3.11,<3.14"),
        torch=SpecifierSet(">=2.8"),
        companions=("torchvision", "torchaudio"),
        cuda=SpecifierSet("==12.8.*"),
        gpu="preferred",
        sources=("conda-forge", "https://wheels.example.org/simple"),
        channels=("conda-forge", "file:///srv/channel"),
        indexes=("pypi",),
        find_links=("./wheels",),
        conda=("numpy >=2", "ffmpeg"),
        wheels=("einops", "timm>=1"),
        toolkit=True,
        needs=Needs(gpus=2, memory_bytes=24 << 30, capability=SpecifierSet(">=8.0")),
        targets=(
            Target(name="cluster", profile={"driver": "535", "gpus": ["NVIDIA A100-SXM4-80GB"], "glibc": "2.28"}),
            Target(name="laptop", path="machines/laptop.yaml"),
        ),
        checks=("import", "matmul"),
        variables=(("OMP_NUM_THREADS", "8"),),
        exclude_newer="2026-10-01",
    )
    assert parse_spec(FULL, "vision.yaml") == expected


def test_what_is_left_out_gets_the_contracts_defaults():
    assert parse_spec("torch: '2.8'", "dir/my-env.yaml") == Spec(
        name="my-env", origin="dir/my-env.yaml", torch=SpecifierSet("==2.8.*")
    )


def test_a_spec_says_where_its_keys_stand():
    spec = parse_spec(FULL, "vision.yaml")
    assert spec.where("targets.cluster.gpus") == "vision.yaml:16"


@pytest.mark.parametrize(
    ("origin", "name"),
    [("a/Vision Two.yml", "vision-two"), ("Größe.yaml", "groe"), ("torch2.8.yaml", "torch2.8"), ("<stdin>", "stdin")],
)
def test_the_name_comes_from_the_files_stem(origin: str, name: str):
    assert parse_spec("gpu: none", origin).name == name


def test_a_stem_without_letters_asks_for_a_name():
    assert complaints("gpu: none", "дом.yaml") == [
        ("дом.yaml:1:1", "the file's name gives no environment name", ("add `name: ...`",))
    ]


def test_a_version_of_cuda_requires_a_gpu_unless_told_otherwise():
    policies = [parse_spec(text, "a.yaml").gpu for text in ("cuda: '12.8'", "cuda: auto", "cuda: none")]
    assert policies == ["required", None, None]


@pytest.mark.parametrize(
    ("text", "meant"),
    [("3.12", "==3.12.*"), ("3.12.*", "==3.12.*"), ("3", "==3.*"), ("2.9.0rc1", "==2.9.0rc1"), ("~=3.11", "~=3.11")],
)
def test_a_bare_version_is_a_prefix(text: str, meant: str):
    assert parse_spec(f"python: '{text}'", "a.yaml").python == SpecifierSet(meant)


def test_a_python_that_yaml_reads_as_a_number_is_refused_with_its_fix():
    assert complaint("python: 3.10") == (
        "a.yaml:1:9",
        "`python` must be text, but YAML reads `3.10` as a number",
        ('write `python: "3.10"`',),
    )


def test_all_errors_of_a_file_come_at_once_each_with_its_place():
    found = complaints("""\
        naem: x
        python: 3.10
        needs: {gpus: many}
        channels:
        """)
    assert [where for where, _, _ in found] == ["a.yaml:1:1", "a.yaml:2:9", "a.yaml:3:15", "a.yaml:4:10"]


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("pyton", "python"),
        ("pytorch", "torch"),
        ("pip", "wheels"),
        ("dependencies", "conda"),
        ("find_links", "find-links"),
    ],
)
def test_an_unknown_key_is_met_with_the_one_that_was_meant(key: str, meant: str):
    assert complaint(f"{key}: x") == ("a.yaml:1:1", f"unknown key `{key}`", (f"did you mean `{meant}`?",))


def test_an_unknown_key_like_no_other_is_met_with_all_of_them():
    assert complaint("zzzzz: x")[2][0].startswith("the keys are name, python, torch, with,")


BAD = {
    "python: '>=3.13,<3.11'": "`python`: `>=3.13,<3.11` allows no version at all",
    "torch: latest": "`torch`: `latest` is not a version specifier",
    "cuda: cu128": "`cuda`: `cu128` is the tag of a build, not a CUDA version",
    "cuda: '12.8.1'": "`cuda`: torch is built for a CUDA release, `12.8.1` is more exact than that",
    "cuda: 12.8": "`cuda` must be text, but YAML reads `12.8` as a number",
    "gpu: yes": "`gpu` must be one of `required`, `preferred`, `none`, not `yes`",
    "gpu: [none]": "`gpu` must be one of `required`, `preferred`, `none`, not a list",
    "name: My Env": "`name`: `My Env` is not a name of small letters, digits, `.`, `_`, `-`",
    "with: [torchvision==0.20]": "`with`: `torchvision==0.20` is not the plain name of a package",
    "sources: []": "`sources` must not be empty",
    "sources: [s3://bucket]": "`sources`: `s3://bucket` is not a source of torch: `s3` URLs are not read",
    "channels: [a, a]": "`a` stands twice under `channels`",
    "conda: numpy": "`conda` must be a list of match specs, not text",
    "conda: [{a: b}]": "`conda` must be a conda match spec, not a mapping",
    "conda: ['numpy >>2']": "`conda`: `>>2` in `numpy >>2` is not a version constraint",
    "conda: ['>=2']": "`conda`: `>=2` is not a match spec",
    "conda: ['python 3.11']": "`conda`: `python 3.11` belongs to the key `python`",
    "wheels: ['timm >']": "`wheels`: `timm >` is not a PEP 508 requirement",
    "wheels: ['-r all.txt']": "`wheels`: `-r all.txt` is an option of pip, not a requirement",
    "wheels: [torch>=2]": "`wheels`: `torch>=2` belongs to the key `torch`",
    "toolkit: 'true'": "`toolkit` must be `true` or `false`, not text",
    "needs: 3": "`needs` must be a mapping of keys, not a number",
    "needs: {gpus: true}": "`needs.gpus` must be a whole number from 0 to 1024, not `true`",
    "needs: {gpus: -1}": "`needs.gpus` must be a whole number from 0 to 1024, not `-1`",
    "needs: {memory: 24G}": "`needs.memory`: `24G` is not a size with a unit",
    "needs: {memory: 24}": "`needs.memory` must be text, but YAML reads `24` as a number",
    "needs: {capability: '8.0'}": "`needs.capability`: `8.0` alone does not say whether newer ones will do",
    "targets: [a]": "`targets` must be a mapping of machines, not a list",
    "targets: {A: a.yaml}": "`A` under `targets` is not a name of small letters, digits, `.`, `_`, `-`",
    "targets: {a: {drivr: x}}": "unknown key `targets.a.drivr`",
    "targets: {a: {driver: 535}}": "`targets.a.driver` must be text, but YAML reads `535` as a number",
    "targets: {a: {driver: new}}": "`targets.a.driver`: `new` is not a dotted number",
    "targets: {a: {gpus: [{memory: 8GiB}]}}": "a GPU needs a `name` or a `capability`",
    "targets: {a: {cuda: '12.4'}}": "`cuda` tells of a driver, and the profile names none",
    "checks: fast": "`checks` must be one of `quick`, `standard`, `deep`, not `fast`",
    "checks: []": "`checks` must not be empty",
    "variables: {A: 8}": "`variables.A` must be text, but YAML reads `8` as a number",
    "variables: {9A: '8'}": "`9A` under `variables` is not the name of an environment variable",
    "exclude-newer: yesterday": "`exclude-newer`: `yesterday` is neither a date nor an RFC 3339 time",
    "exclude-newer: '2026-13-01'": "`exclude-newer`: `2026-13-01` is neither a date nor an RFC 3339 time",
    "exclude-newer: '2026-10-01T10:00:00'": "`exclude-newer`: `2026-10-01T10:00:00` has no time zone",
    "torch:": "`torch` has no value",
    "[a, b]": "a spec must be a mapping of keys, not a list",
    "{cuda: none, gpu: required}": "`gpu: required` contradicts `cuda: none`",
    "{cuda: '12.8', gpu: none}": "`gpu: none` contradicts a version of `cuda`",
    "{cuda: none, toolkit: true}": "`toolkit: true` contradicts `cuda: none`",
    "{gpu: none, needs: {gpus: 1}}": "`needs` contradicts `gpu: none`",
}


@pytest.mark.parametrize("text", BAD)
def test_a_mistake_is_named_in_the_users_words(text: str):
    where, message, _ = complaint(text)
    assert (where.startswith("a.yaml:1:"), message[: len(BAD[text])]) == (True, BAD[text])


SMALLEST_CHANGES = {
    'torch: ">>2.8"': "write `>=2.8`",
    'torch: "=>2.8,=<2.10"': "write `>=2.8,<=2.10`",
    'conda: ["numpy=>2"]': 'write `"numpy >=2"`',
    'wheels: ["einops=>1"]': "write `einops>=1`",
    'wheels: ["einops=1.0"]': "write `einops==1.0`",
    'wheels: ["https://a.org/b.whl"]': "write the package's name before it, `NAME @ https://a.org/b.whl`",
    'wheels: ["torchvision==0.21"]': "write `with: [torchvision]`: its version follows torch",
    "conda: [torchaudio]": "write `with: [torchaudio]`: its version follows torch",
    "name: My Vision": "write `my-vision`",
    "name: ---": "for example `vision`",
    "targets: {a: {driver: absent}}": "write `null`",
    'toolkit: "Yes"': "write `toolkit: true`",
}


@pytest.mark.parametrize("text", SMALLEST_CHANGES)
def test_the_hint_is_the_smallest_change_that_helps(text: str):
    assert (SMALLEST_CHANGES[text],) == complaint(text)[2]


def test_a_companion_that_is_named_by_its_url_follows_torch_by_itself():
    wheel = "torchvision @ https://a.org/torchvision-0.21-cp311-cp311-linux_aarch64.whl"
    assert (wheel,) == parse_spec(f'wheels: ["{wheel}"]', "a.yaml").wheels


def test_a_quote_that_is_never_closed_is_shown_where_it_begins():
    where, message, _ = complaint('torch: "2.8\nwith:\n- torchvision\n')
    assert ("a.yaml:1:8", "not YAML: a quote that is opened here is never closed") == (where, message)


@pytest.mark.parametrize("text", ["", "# only a comment\n", "---\n...\n"])
def test_an_empty_file_is_said_to_be_empty(text: str):
    assert [message for _, message, _ in complaints(text)] == ["the file is empty"]


GOOD_MATCH_SPECS = [
    "numpy",
    "numpy >=2",
    "numpy>=2,<3",
    "numpy=1.26",
    "numpy==1.26.4",
    "numpy =1.26=py311*",
    "numpy 1.26.* py311*",
    "numpy 1.26.*|2.*",
    "numpy (>=1.26,<2)|>2.1",
    "conda-forge::numpy >=2",
    "conda-forge/linux-64::numpy",
    "numpy[version='>=2,<3',build=py311*]",
    "_openmp_mutex=*=*_llvm",
    "libblas=*=*mkl",
    "cuda-version 12.8.*",
    "r-base ~=4.3",
    "nodejs !=20.1",
]


@pytest.mark.parametrize("text", GOOD_MATCH_SPECS)
def test_the_usual_forms_of_match_specs_are_read(text: str):
    assert parse_spec(f'conda: ["{text}"]', "a.yaml").conda == (text,)


@pytest.mark.parametrize("text", GOOD_MATCH_SPECS)
def test_the_engine_reads_what_we_read(text: str):
    rattler = pytest.importorskip("rattler")
    rattler.MatchSpec(text, strict=False)


@pytest.mark.parametrize(
    ("text", "size_bytes"), [("24GiB", 24 << 30), ("80 GB", 80 * 10**9), ("1.5TiB", 3 << 39), ("512mib", 512 << 20)]
)
def test_sizes_carry_their_unit(text: str, size_bytes: int):
    assert parse_spec(f"needs: {{memory: {text}}}", "a.yaml").needs.memory_bytes == size_bytes


@pytest.mark.parametrize("text", ["2026-10-01", "'2026-10-01'", "2026-10-01T12:00:00Z", "'2026-10-01T12:00:00+02:00'"])
def test_dates_may_be_quoted_or_not(text: str):
    assert parse_spec(f"exclude-newer: {text}", "a.yaml").exclude_newer == text.strip("'")


def test_a_recording_may_be_a_target():
    spec = parse_spec("targets: {a: {schema: envforge.machine/1, kernel: {release: '6.8'}}}", "a.yaml")
    assert spec.targets[0].profile == {"schema": "envforge.machine/1", "kernel": {"release": "6.8"}}


def test_a_version_of_cuda_is_simply_unequal_to_a_word():
    spec = parse_spec("cuda: '12.8'", "a.yaml")
    assert (spec.cuda == "auto", spec.cuda != "none", spec == parse_spec("cuda: auto", "a.yaml")) == (
        False,
        True,
        False,
    )
