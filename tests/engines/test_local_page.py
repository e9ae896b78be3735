"""Pages of indexes that lie on this computer."""

from pathlib import Path

import pytest

from envforge.engines.local_page import read_links
from envforge.errors import Unreachable

PAGE = """<!DOCTYPE html><html><head><meta name="pypi:repository-version" content="1.3"></head><body>
<a href="../../files/torch-2.14.1-cp311-cp311-manylinux_2_28_x86_64.whl#sha256=30&amp;x=1">torch-2.14.1…</a>
<A HREF='/pool/torch-2.14.1%2Bcu126-cp311-cp311-linux_x86_64.whl' data-requires-python="&gt;=3.8">torch</A>
<a href="torch-2.14.0-cp311-cp311-linux_x86_64.whl" data-yanked="broken">torch</a>
<a href="torch-2.13.0-cp311-cp311-linux_x86_64.whl" data-yanked>torch</a>
<a name="top">no link</a>
</body></html>"""


def write(folder: Path, text: str) -> Path:
    page = folder / "simple" / "torch" / "index.html"
    page.parent.mkdir(parents=True)
    page.write_text(text)
    return page


def test_links_are_resolved_and_yanked_ones_left_out(tmp_path: Path) -> None:
    assert (
        f"{tmp_path.as_uri()}/files/torch-2.14.1-cp311-cp311-manylinux_2_28_x86_64.whl",
        "file:///pool/torch-2.14.1%2Bcu126-cp311-cp311-linux_x86_64.whl",
    ) == read_links(write(tmp_path, PAGE))


def test_a_base_is_what_links_are_relative_to(tmp_path: Path) -> None:
    page = write(tmp_path, '<base href="https://example.org/pool/"><a href="torch.whl">torch</a>')
    assert ("https://example.org/pool/torch.whl",) == read_links(page)


def test_an_index_of_a_later_major_version_is_refused(tmp_path: Path) -> None:
    page = write(tmp_path, '<meta name="pypi:repository-version" content="2.0"><a href="torch.whl">torch</a>')
    with pytest.raises(Unreachable, match=r"version 2\.0"):
        read_links(page)


def test_a_page_that_is_no_text_is_refused(tmp_path: Path) -> None:
    page = write(tmp_path, "")
    page.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(Unreachable, match="cannot be read"):
        read_links(page)
