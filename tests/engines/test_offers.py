"""What sources offer: names of wheels, records of channels, pages over HTTP, folders, and sources that fail."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from packaging.version import Version

from channel.served import Served
from channel.wheelhouse import Channel
from envforge.engines import ask
from envforge.engines.channels import Record, pythons_of
from envforge.engines.channels import builds_of as conda_builds
from envforge.engines.index import File, builds_of, glibc_of
from envforge.engines.settings import Settings
from envforge.model import Build, Dotted, Offer, Spec
from patience import in_time

Serve = Callable[[Path], Served]
NAMES = (
    "torch-2.6.0+cu126-cp311-cp311-manylinux_2_28_x86_64.whl",
    "torch-2.6.0+cu126-cp312-cp312-manylinux_2_28_x86_64.whl",
    "torch-2.6.0+cu126-cp313-cp313t-manylinux_2_28_x86_64.whl",
    "torch-2.6.0+cu126-cp312-cp312-linux_aarch64.whl",
    "torch-2.6.0+cpu-cp311-cp311-linux_x86_64.whl",
    "torch-2.15.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    "torch-2.15.0-cp311-none-macosx_14_0_arm64.whl",
    "torchvision-0.28.0-cp311-cp311-manylinux_2_28_x86_64.whl",
    "torch-2.15.0.tar.gz",
)


def short(builds: tuple[Build, ...]) -> list[tuple[str, str, str | None, tuple[str, ...], str | None]]:
    return [
        (
            str(each.torch),
            each.variant,
            str(each.cuda) if each.cuda else None,
            each.pythons,
            str(each.glibc) if each.glibc else None,
        )
        for each in builds
    ]


def test_names_of_wheels_tell_variant_python_and_glibc() -> None:
    files = [File(name=name, url=f"https://x.org/{name}") for name in NAMES]
    assert [
        ("2.6.0", "cpu", None, ("3.11",), None),
        ("2.6.0", "cu126", "12.6", ("3.11", "3.12"), "2.28"),
        ("2.15.0", "", None, ("3.11",), "2.28"),
    ] == short(builds_of(files, "pytorch", "linux-64", "https://x.org"))
    assert [("2.6.0", "cu126", "12.6", ("3.12",), None)] == short(builds_of(files, "x", "linux-aarch64", ""))


@pytest.mark.parametrize(
    ("tag", "glibc"),
    [("manylinux2014_x86_64", "2.17"), ("manylinux1_x86_64", "2.5"), ("manylinux_2_28_aarch64", "2.28")],
)
def test_a_manylinux_tag_is_a_glibc_floor(tag: str, glibc: str) -> None:
    assert Dotted(glibc) == glibc_of(tag)
    assert glibc_of("linux_x86_64") is None


def test_records_of_channels_tell_variant_and_python() -> None:
    forge = ("python >=3.12,<3.13.0a0", "__glibc >=2.28,<3.0.a0", "python_abi 3.12.* *_cp312")
    records = [
        Record(name="pytorch", version="2.9.1", build="cuda129_generic_py312_h1_200", subdir="linux-64", depends=forge),
        Record(name="pytorch", version="2.9.1", build="cpu_mkl_py312_h1_100", subdir="linux-64", depends=forge),
        Record(
            name="pytorch",
            version="2.5.1",
            build="py3.11_cuda12.4_cudnn9.1.0_0",
            subdir="linux-64",
            depends=("python >=3.11,<3.12.0a0",),
        ),
        Record(name="pytorch", version="1.0", build="py36_1", subdir="linux-64"),
        Record(name="python", version="3.12.1", build="h1_0_cpython", subdir="linux-64"),
        Record(name="python", version="3.14.0rc1", build="h1_0_cp314", subdir="linux-64"),
        Record(name="python", version="3.13.0", build="h1_0_cp313t", subdir="linux-64"),
    ]
    assert [
        ("2.5.1", "cuda12.4", "12.4", ("3.11",), None),
        ("2.9.1", "cpu", None, ("3.12",), "2.28"),
        ("2.9.1", "cuda129", "12.9", ("3.12",), "2.28"),
    ] == short(conda_builds(records, "conda-forge", "https://x"))
    assert ("3.12",) == pythons_of(records)


def write_wheel(folder: Path, name: str, cuda: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / name, "w") as wheel:
        wheel.writestr("torch/version.py", f"from typing import Optional\ncuda: Optional[str] = {cuda}\n")


def spec(**fields: object) -> Spec:
    return Spec(**{"name": "x", "sources": (), "channels": (), "indexes": (), **fields})  # type: ignore[arg-type]


def by_source(offers: tuple[Offer, ...]) -> dict[str, Offer]:
    return {offer.source: offer for offer in offers}


def test_a_wheel_on_this_computer_tells_its_cuda(tmp_path: Path) -> None:
    write_wheel(tmp_path / "links", NAMES[5], "'13.2'")
    write_wheel(tmp_path / "links", "torch-2.14.0-cp311-cp311-manylinux_2_28_x86_64.whl", "None")
    place = str(tmp_path / "links")
    (offer,) = ask(spec(find_links=(place,)), "linux-64", cache=tmp_path, settings=Settings())
    assert place == offer.source
    assert [("2.14.0", "cpu", None, ("3.11",), "2.28"), ("2.15.0", "cu132", "13.2", ("3.11",), "2.28")] == short(
        offer.builds
    )


def test_every_configured_source_is_asked_at_once(channel: Channel, http_server: Serve, tmp_path: Path) -> None:
    simple = tmp_path / "site" / "simple" / "torch"
    simple.mkdir(parents=True)
    links = "".join(f'<a href="/files/{name.replace("+", "%2B")}#sha256={"0" * 64}">{name}</a>\n' for name in NAMES)
    (simple / "index.html").write_text(f"<!DOCTYPE html><html><body>{links}</body></html>")
    write_wheel(tmp_path / "links", NAMES[4], "None")
    served = http_server(tmp_path / "site")
    private = served.url.replace("//", "//me:secret@")
    served.login = ("me", "secret")
    settings = Settings(default_index=f"{private}/simple", find_links=(str(tmp_path / "links"),))
    wanted = spec(sources=("pypi", channel.url, f"{served.url}/nothing"), channels=(channel.url,), indexes=("pypi",))
    found = by_source(ask(wanted, "linux-64", cache=tmp_path / "cache", settings=settings, timeout_s=30))
    assert ["pypi", channel.url, f"{served.url}/nothing", str(tmp_path / "links")] == list(found)
    assert 3 == len(found["pypi"].builds)
    assert {"cpu", "cuda128", "cuda130"} <= {each.variant for each in found[channel.url].builds}
    assert channel.python in found[channel.url].pythons
    assert ("cpu",) == tuple(each.variant for each in found[str(tmp_path / "links")].builds)
    assert found[f"{served.url}/nothing"].error is not None
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("503", "HTTP 503"),
        ("403", "HTTP 403"),
        ("hang", "timed out|no answer within 1 s"),
        ("reset", "cannot be reached"),
    ],
)
def test_an_index_that_fails_is_said_and_the_others_answer(
    how: str, says: str, http_server: Serve, tmp_path: Path
) -> None:
    (tmp_path / "site").mkdir()
    write_wheel(tmp_path / "links", NAMES[4], "None")
    served = http_server(tmp_path / "site")
    served.misbehave("torch", how)  # type: ignore[arg-type]
    wanted = spec(
        sources=(f"{served.url}/simple",), indexes=(f"{served.url}/simple",), find_links=(str(tmp_path / "links"),)
    )
    timeout_s = 1 if how == "hang" else 10
    with in_time(3 + timeout_s):
        bad, good = ask(wanted, "linux-64", cache=tmp_path, settings=Settings(), timeout_s=timeout_s)
    assert any(each in str(bad.error) for each in says.split("|"))
    assert (None, 1) == (good.error, len(good.builds))


def test_an_index_without_torch_offers_nothing_and_is_no_error(http_server: Serve, tmp_path: Path) -> None:
    served = http_server(tmp_path)
    place = f"{served.url}/simple"
    (offer,) = ask(spec(sources=(place,), indexes=(place,)), "linux-64", cache=tmp_path, settings=Settings())
    assert ((), None) == (offer.builds, offer.error)


def test_offline_asks_only_what_is_here(channel: Channel, tmp_path: Path) -> None:
    wanted = spec(sources=(channel.url, "pypi"), channels=(channel.url,))
    found = by_source(ask(wanted, "linux-64", cache=tmp_path, settings=Settings(), offline=True))
    assert (None, "not asked: offline") == (found[channel.url].error, found["pypi"].error)


def test_a_folder_that_is_a_channel_is_asked_as_one(channel: Channel, tmp_path: Path) -> None:
    place = os.fspath(channel.path)
    (offer,) = ask(spec(sources=(place,)), "linux-64", cache=tmp_path, settings=Settings())
    assert {Version("2.13.0")} <= {each.torch for each in offer.builds if each.kind == "conda"}
