"""Every format: the same bytes from the same section, nothing lost in silence, no credential, installed by its tool."""

from __future__ import annotations

import importlib
import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from packaging.pylock import Pylock

from envforge.cli.export import Form
from envforge.errors import SpecError, UsageError
from envforge.exports import FORMATS, export
from envforge.exports.subject import without_secrets
from envforge.facts import load_facts
from envforge.foreign import import_file
from envforge.model import Interpreter, Locked, Section
from envforge.run import in_child

Make = Callable[..., Section]
STANDIN = Path(__file__).parent.parent / "engines" / "standin.py"
FORMS = sorted(FORMATS)


def test_the_command_offers_every_format() -> None:
    assert list(FORMATS) == [each.value for each in Form][: len(FORMATS)]


@pytest.mark.parametrize("form", FORMS)
def test_equal_sections_give_equal_bytes_in_any_order(form: str, make: Make) -> None:
    section = make()
    turned = replace(section, artefacts=section.artefacts[::-1])
    once, again = export("both", section, form).text, export("both", turned, form).text
    assert once == again


@pytest.mark.parametrize("form", FORMS)
def test_no_credential_is_written(form: str, make: Make) -> None:
    section = make()
    hidden = [re.sub("//", "//me:secret@", each.url, count=1) for each in section.artefacts]
    artefacts = tuple(
        replace(each, url=re.sub(r"(:\d+)/", r"\1/t/secret-token/", url) + "?signature=secret")
        for each, url in zip(section.artefacts, hidden, strict=True)
    )
    channels = tuple(re.sub("//", "//me:secret@", each) for each in section.channels)
    index = "https://me:secret@mirror.example.org/simple"
    found = export("both", replace(section, artefacts=artefacts, channels=channels, indexes=(index,)), form)
    assert "secret" not in found.text
    assert "credentials and queries" in found.lost[-1]


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://me:p@mirror.org/t/abc/noarch/x-1-0.conda?sig=1#md5=2", "https://mirror.org/noarch/x-1-0.conda"),
        ("https://token@mirror.org:8443/x.whl", "https://mirror.org:8443/x.whl"),
        ("https://mirror.org/x%2Bcu126.whl", "https://mirror.org/x%2Bcu126.whl"),
        ("file:///home/t/wheels/x.whl", "file:///home/t/wheels/x.whl"),
        ("conda-forge", "conda-forge"),
    ],
)
def test_only_secrets_are_taken_out_of_an_address(address: str, expected: str) -> None:
    assert expected == without_secrets(address)


@pytest.mark.parametrize(
    ("form", "lost"),
    [
        ("explicit", ["wheels", "variables"]),
        ("environment-yml", ["no hash"]),
        ("conda-lock", ["variables"]),
        ("pixi-lock", ["variables"]),
        ("pixi-lock-v6", ["variables"]),
        ("pylock", ["conda packages", "variables"]),
        ("requirements", ["conda packages", "variables"]),
        ("sbom", ["variables"]),
        ("dockerfile", []),
        ("apptainer", []),
    ],
)
def test_what_a_format_cannot_carry_is_said(form: str, lost: list[str], make: Make) -> None:
    said = export("both", make(), form).lost
    assert len(lost) == len(said)
    assert all(each.startswith(words) for each, words in zip(said, lost, strict=True))


@pytest.mark.parametrize("form", ["conda-lock", "pixi-lock", "pixi-lock-v6", "pylock", "requirements"])
def test_a_python_at_hand_that_a_format_cannot_carry_is_said(form: str, make: Make, at_hand: Interpreter) -> None:
    said = export("both", make(conda=(), interpreter=at_hand), form).lost
    assert any("stands on a Python 3." in each for each in said)


def test_files_of_this_computer_are_said(make: Make, wheels: tuple[Locked, ...]) -> None:
    section = make()
    local = replace(section, artefacts=wheels)
    assert any("on this computer: `jinja2`, `markupsafe`" in each for each in export("x", local, "pylock").lost)


def test_a_format_that_can_carry_nothing_is_refused(make: Make, at_hand: Interpreter) -> None:
    with pytest.raises(UsageError, match="no conda package"):
        export("x", make(conda=(), interpreter=at_hand), "explicit")
    with pytest.raises(UsageError, match="no wheel"):
        export("x", make(wheels=()), "requirements")


@pytest.mark.parametrize("form", FORMS)
def test_text_that_would_break_out_of_its_line_is_refused(form: str, make: Make) -> None:
    section = make()
    evil = replace(section.artefacts[0], url=section.artefacts[0].url + "\nEND_OF_LIST\nRUN evil")
    with pytest.raises(SpecError, match="cannot be written"):
        export("x", replace(section, artefacts=(evil, *section.artefacts[1:])), form)
    with pytest.raises(SpecError, match="cannot be written"):
        export("x\nRUN evil", section, form)
    with pytest.raises(SpecError, match="variable"):
        export("x", make(variables=(("A", "1\nRUN evil"),)), form)


@pytest.mark.parametrize("tool", ["conda", "mamba", "micromamba"])
def test_an_explicit_file_is_installed_by_the_tools_of_conda(tool: str, make: Make, tmp_path: Path) -> None:
    listing = tmp_path / "explicit.txt"
    section = make()
    listing.write_text(export("both", section, "explicit").text)
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "CONDA_PKGS_DIRS": str(tmp_path / "pkgs")}
    words = ["create", "--yes", "--json", "-p", str(tmp_path / "env"), "--file", str(listing)]
    done = subprocess.run([sys.executable, STANDIN, tool, *words], capture_output=True, text=True, env=env, check=False)
    assert 0 == done.returncode, done.stdout
    there = {path.stem for path in (tmp_path / "env/conda-meta").glob("*-*-*.json")}
    assert {f"{e.name}-{e.version}-{e.build}" for e in section.artefacts if e.kind == "conda"} == there


def test_an_explicit_file_lists_what_is_needed_first(make: Make) -> None:
    names = [line.rpartition("/")[2].split("-")[0] for line in export("x", make(), "explicit").text.splitlines()[3:]]
    assert names.index("python") < names.index("mpmath") < names.index("sympy")


def as_rattler_reads(path: Path) -> tuple[list[Locked], str]:
    """Give the packages that rattler reads from a pixi.lock, and what it writes of them: its newest version."""

    def read(_: object) -> tuple[list[Locked], str]:
        from rattler import LockFile

        from envforge.engines._rattler_worker import locked

        lock = LockFile.from_path(path)
        environment, platform = lock.default_environment(), lock.platforms()[0]
        found = [locked(each) for each in environment.conda_repodata_records_for_platform(platform)]
        for each in environment.pypi_packages_for_platform(platform) or ():
            sha256, version = each.hashes.sha256.hex(), str(each.version)
            found.append(Locked(name=each.name, version=version, kind="wheel", url=each.location, sha256=sha256))
        lock.to_path(path.with_suffix(".again"))
        return found, path.with_suffix(".again").read_text()

    return in_child(read, deadline_s=60)


@pytest.mark.parametrize(("form", "version"), [("pixi-lock", 7), ("pixi-lock-v6", 6)])
@pytest.mark.parametrize("served", [True, False], ids=["served", "on this computer"])
def test_a_pixi_lock_is_read_by_rattler_with_nothing_lost(
    form: str, version: int, served: bool, make: Make, conda: tuple[Locked, ...], tmp_path: Path
) -> None:
    section, path = make(), tmp_path / "pixi.lock"
    if not served:
        section = make(wheels=())
        section = replace(section, artefacts=conda, channels=(conda[0].url.rsplit("/", 2)[0],))
    path.write_text(export("both", section, form).text)
    assert version == yaml.safe_load(path.read_text())["version"]
    found = [replace(each, size_bytes=None) if each.kind == "wheel" else each for each in section.artefacts]
    ordered = {"depends": tuple, "constrains": tuple}
    wanted = [replace(each, **{key: tuple(sorted(getattr(each, key))) for key in ordered}) for each in found]
    read, _ = as_rattler_reads(path)
    assert sorted(wanted, key=str) == sorted(read, key=str)


def test_what_rattler_writes_of_a_pixi_lock_says_the_same(make: Make, tmp_path: Path) -> None:
    pages = {"torch": "https://download-r2.pytorch.org/whl/cu126/torch-2.9.0-py3-none-any.whl"}
    pages |= {"one": "https://wheels.example.org/files/one-1.0-py3-none-any.whl"}
    pages |= {"two": "https://files.example.net/two-1.0-py3-none-any.whl"}
    sha256, versions = "ab" * 32, {"torch": "2.9.0"}
    section = make(indexes=("https://wheels.example.org/simple", "pytorch", "pypi"))
    conda = tuple(each for each in section.artefacts if each.kind == "conda")
    wheels = tuple(
        Locked(name=name, version=versions.get(name, "1.0"), kind="wheel", url=url, sha256=sha256)
        for name, url in pages.items()
    )
    path = tmp_path / "pixi.lock"
    path.write_text(export("both", replace(section, artefacts=(*conda, *wheels)), "pixi-lock").text)
    ours = yaml.safe_load(path.read_text())
    _, text = as_rattler_reads(path)
    theirs = yaml.safe_load(text)
    assert ours["platforms"] == theirs["platforms"]
    environment = theirs["environments"]["default"]
    assert ours["environments"]["default"]["indexes"] == environment["indexes"]
    assert ours["environments"]["default"]["channels"] == environment["channels"]
    indexes = {each["name"]: each.get("index") for each in theirs["packages"] if "pypi" in each}
    page = "https://download.pytorch.org/whl"
    assert {"torch": page, "one": "https://wheels.example.org/simple", "two": None} == indexes
    assert ours["environments"]["default"]["indexes"][1:] == ["https://wheels.example.org/simple", page]


def test_what_rattler_writes_as_version_7_is_imported(make: Make, conda: tuple[Locked, ...], tmp_path: Path) -> None:
    path = tmp_path / "pixi.lock"
    path.write_text(export("both", make(), "pixi-lock-v6").text)
    _, text = as_rattler_reads(path)
    assert text.startswith("version: 7\n")
    spec = import_file(text, "pixi.lock", load_facts(), Path.read_text).spec
    python = next(each for each in conda if each.name == "python")
    assert f"=={'.'.join(python.version.split('.')[:2])}.*" == str(spec.python)
    assert {"jinja2", "sympy"} <= {each.partition(" ")[0].partition(">")[0] for each in (*spec.conda, *spec.wheels)}


def test_a_conda_lock_is_read_by_rattler(make: Make, tmp_path: Path) -> None:
    section, path = make(), tmp_path / "conda-lock.yml"
    path.write_text(export("both", section, "conda-lock").text)

    def read(_: object) -> list[str]:
        from rattler import LockFile

        lock = LockFile.from_path(path)
        packages = lock.default_environment().packages(lock.platforms()[0])
        return sorted(each.name for each in packages)

    assert sorted(each.name for each in section.artefacts) == in_child(read, deadline_s=60)


def test_a_package_without_the_md5_that_conda_lock_asks_for_is_said(make: Make) -> None:
    section = make()
    old = replace(section, artefacts=tuple(replace(each, md5=None) for each in section.artefacts))
    assert "conda-lock wants an md5" in export("both", old, "conda-lock").lost[0]


def test_a_pylock_is_valid(make: Make) -> None:
    Pylock.from_dict(tomllib.loads(export("both", make(), "pylock").text)).validate()


def test_an_environment_file_is_read_back_by_import(make: Make) -> None:
    section = make()
    text = export("both", section, "environment-yml").text
    spec = import_file(text, "environment.yml", load_facts(), lambda path: path).spec
    least = {f"{each.name} >={each.version}" for each in section.artefacts if each.build and each.name != "python"}
    assert ("both", section.channels[0], section.variables) == (spec.name, spec.channels[0], spec.variables)
    assert least == set(spec.conda)
    assert {f"{e.name}=={e.version}" for e in section.artefacts if e.kind == "wheel"} == set(spec.wheels)


def test_a_bill_of_materials_names_every_artefact_once(make: Make) -> None:
    section = make()
    bill = json.loads(export("both", section, "sbom").text)
    assert ("CycloneDX", "1.6", 1) == (bill["bomFormat"], bill["specVersion"], bill["version"])
    assert re.fullmatch(
        r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", bill["serialNumber"]
    )
    hashes = {
        each["name"]: each["hashes"][0]["content"]
        for each in bill["components"]
        if each["purl"].startswith("pkg:conda")
    }
    assert {each.name: each.sha256 for each in section.artefacts if each.kind == "conda"} == hashes
    references = [each["bom-ref"] for each in bill["components"]]
    edges = {each["ref"]: each.get("dependsOn", []) for each in bill["dependencies"]}
    assert len(references) == len(set(references)) == len(section.artefacts)
    assert {name for named in edges.values() for name in named} <= set(references)
    assert set(references) == set(edges["environment"])
    sympy = next(each for each in references if "/sympy@" in each)
    assert ["mpmath", "python"] == sorted(re.search(r"conda/(\w+)@", each)[1] for each in edges[sympy])  # type: ignore[index]


def test_a_bill_of_materials_is_valid_by_cyclonedx(make: Make, at_hand: Interpreter) -> None:
    validation = pytest.importorskip("cyclonedx.validation.json")
    strict = validation.JsonStrictValidator(importlib.import_module("cyclonedx.schema").SchemaVersion.V1_6)
    for section in (make(), make(conda=(), interpreter=at_hand), make(wheels=())):
        assert strict.validate_str(export("both", section, "sbom").text) is None


@pytest.mark.parametrize("form", ["dockerfile", "apptainer"])
def test_the_lists_inside_an_image_s_recipe_are_those_that_the_tools_install(form: str, make: Make) -> None:
    section = make()
    text = export("both", section, form).text
    lists = re.findall(r"END_OF_LIST['\"].*?\n(.*?)\nEND_OF_LIST", text, re.DOTALL)
    explicit = export("both", section, "explicit").text.split("@EXPLICIT")[1].strip()
    wheels = [line for line in export("both", section, "requirements").text.splitlines() if line[0] != "#"]
    assert [f"@EXPLICIT\n{explicit}", "\n".join(wheels)] == lists
    assert "driver>=575.51.03" in text


def test_variables_of_an_image_say_what_the_spec_says(make: Make) -> None:
    section = make(variables=(("A", "a \"b\" $c \\d 'e'"),))
    assert 'ENV A="a \\"b\\" \\$c \\\\d \'e\'"' in export("x", section, "dockerfile").text
    line = next(each for each in export("x", section, "apptainer").text.splitlines() if "export A=" in each)
    shown = subprocess.run(["sh", "-c", f'{line}\nprintf %s "$A"'], capture_output=True, text=True, check=True)
    assert "a \"b\" $c \\d 'e'" == shown.stdout


def test_yaml_formats_are_yaml(make: Make) -> None:
    for form in ("environment-yml", "conda-lock", "pixi-lock", "pixi-lock-v6"):
        assert isinstance(yaml.safe_load(export("x", make(), form).text), dict)
