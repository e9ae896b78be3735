"""pip's and uv's configuration is read as they read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from envforge.engines.settings import Settings, parse_pip, parse_uv, pip_places, read_settings, settings_from, uv_places
from envforge.errors import UsageError

PIP = """\
[global]
index-url = https://me:secret@mirror.example/simple/
extra_index_url =
    https://one.example/simple
    https://two.example/simple
find-links = /srv/wheels
cert = /etc/ssl/company.pem
[install]
find-links = /srv/other
"""
UV = """\
index-url = "https://old.example/simple"
find-links = ["/srv/uv"]
[[index]]
url = "https://three.example/simple"
[[index]]
name = "torch"
url = "https://torch.example/whl/cpu"
explicit = true
[[index]]
url = "https://default.example/simple"
default = true
[pip]
extra-index-url = ["https://four.example/simple"]
"""


def test_pips_file_is_read_section_by_section() -> None:
    found = parse_pip(PIP, "pip.conf")
    assert ["https://one.example/simple", "https://two.example/simple"] == found["extra-index-url"]
    assert ["/srv/other"] == found["find-links"]


def test_uvs_file_is_read_without_its_explicit_indexes() -> None:
    found = parse_uv(UV, "uv.toml")
    assert ["https://default.example/simple"] == found["index-url"]
    assert ["https://three.example/simple", "https://four.example/simple"] == found["extra-index-url"]
    assert ["/srv/uv"] == found["find-links"]


def test_variables_beat_files_uv_beats_pip_and_lists_are_joined() -> None:
    environ = {
        "PIP_FIND_LINKS": "/env/wheels",
        "UV_INDEX": "corp=https://corp.example/simple",
        "PIP_PROXY": "http://p:1",
    }
    found = settings_from(environ, {"pip.conf": PIP}, {"uv.toml": UV})
    assert (
        Settings(
            default_index="https://default.example/simple",
            extra_indexes=("https://corp.example/simple", "https://one.example/simple", "https://two.example/simple"),
            find_links=("/srv/uv", "/env/wheels"),
            cert="/etc/ssl/company.pem",
            proxy="http://p:1",
            said=found.said,
        )
        == found
    )
    assert "find-links from PIP_*" in found.said
    assert "secret" not in repr(found.said)


def test_credentials_of_named_indexes_reach_uv() -> None:
    environ = {"UV_INDEX_CORP_PASSWORD": "x", "UV_HTTP_TIMEOUT": "7", "UV_CACHE_DIR": "/no"}
    assert (("UV_HTTP_TIMEOUT", "7"), ("UV_INDEX_CORP_PASSWORD", "x")) == settings_from(environ, {}, {}).environ


def test_files_are_found_where_pip_and_uv_look(tmp_path: Path) -> None:
    home, own = tmp_path / "home", tmp_path / "own.conf"
    (home / ".config" / "pip").mkdir(parents=True)
    (home / ".config" / "pip" / "pip.conf").write_text("[global]\nindex-url = https://user.example/simple\n")
    own.write_text("[global]\nindex-url = https://own.example/simple\n")
    environ = {"HOME": str(home), "XDG_CONFIG_DIRS": str(tmp_path / "xdg"), "UV_NO_CONFIG": "1"}
    assert "https://user.example/simple" == read_settings(environ).default_index
    assert "https://own.example/simple" == read_settings(environ | {"PIP_CONFIG_FILE": str(own)}).default_index
    assert [] == pip_places(environ | {"PIP_CONFIG_FILE": "/dev/null"})
    assert [tmp_path / "uv.toml"] == uv_places({"UV_CONFIG_FILE": str(tmp_path / "uv.toml")})


@pytest.mark.parametrize(("read", "text"), [(parse_pip, "index-url = x"), (parse_uv, "index = [")])
def test_a_broken_file_is_named(read: object, text: str) -> None:
    with pytest.raises(UsageError, match="configuration cannot be read") as refused:
        read(text, "the file")  # type: ignore[operator]
    assert ("the file",) == refused.value.where
