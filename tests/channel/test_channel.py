"""The channel and the server are real: what other tests stand on."""

import json
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest

from channel.archive import Entry, write_conda
from channel.served import Served
from channel.stubs import record
from channel.wheelhouse import Channel


def records(channel: Channel, subdir: str) -> dict[str, dict[str, object]]:
    document = json.loads((channel.path / subdir / "repodata.json").read_text())
    return {each["name"]: each for each in document["packages.conda"].values()}


def get(url: str, **headers: str) -> tuple[int, bytes]:
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=5) as answer:
        return answer.status, answer.read()


def test_the_channel_has_real_and_stub_packages(channel: Channel) -> None:
    real, pure = records(channel, "linux-64"), records(channel, "noarch")
    assert {"python", "numpy", "pytorch", "cuda-cudart", "markupsafe"} <= set(real)
    assert {"sympy", "networkx", "cuda-version", "tzdata", "python_abi"} <= set(pure)
    assert "python >=3.9" in pure["sympy"]["depends"]


def test_archives_are_byte_identical(tmp_path: Path) -> None:
    entries = [Entry(path="share/a", content=b"a"), Entry(path="share/b", link="a")]
    one = write_conda(tmp_path / "1", record("a", "1"), entries).read_bytes()
    assert one == write_conda(tmp_path / "2", record("a", "1"), entries).read_bytes()


def test_the_wheelhouse_has_real_wheels(wheelhouse: Path) -> None:
    names = {re.split("-", path.name)[0] for path in wheelhouse.glob("*.whl")}
    assert {"numpy", "sympy", "jinja2", "typing_extensions"} <= names


def test_the_server_serves_ranges_and_keeps_a_log(http_server: Callable[[Path], Served], tmp_path: Path) -> None:
    (tmp_path / "a b.txt").write_text("0123456789")
    served = http_server(tmp_path)
    assert get(f"{served.url}/a%20b.txt") == (200, b"0123456789")
    assert get(f"{served.url}/a%20b.txt", Range="bytes=2-5") == (206, b"2345")
    assert served.requests == ["GET /a b.txt", "GET /a b.txt"]


def test_the_server_lies_as_told(http_server: Callable[[Path], Served], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("0123456789")
    served = http_server(tmp_path)
    served.misbehave("file", "503", times=1)
    with pytest.raises(urllib.error.HTTPError, match="503") as refused:
        get(f"{served.url}/file")
    refused.value.close()
    assert get(f"{served.url}/file") == (200, b"0123456789")
    served.misbehave("file", "wrong-bytes", times=1)
    assert get(f"{served.url}/file")[1] != b"0123456789"
    served.misbehave("file", "truncate")
    with pytest.raises(Exception, match="IncompleteRead"):
        get(f"{served.url}/file")


def test_the_running_python_is_in_the_channel(channel: Channel) -> None:
    names = [path.name for path in (channel.path / "linux-64").glob("python-3*.conda")]
    assert [name for name in names if name.startswith(f"python-{channel.python}.")] != []
