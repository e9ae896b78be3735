"""Names become URLs, URLs lose their credentials, dates become instants."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envforge.engines.places import channel_url, cutoff, local_path, without_credentials
from envforge.errors import SpecError


@pytest.mark.parametrize(
    ("channel", "url"),
    [
        ("conda-forge", "https://conda.anaconda.org/conda-forge"),
        ("nvidia/label/cuda-12.4.0", "https://conda.anaconda.org/nvidia/label/cuda-12.4.0"),
        ("https://repo.example/main/", "https://repo.example/main"),
        ("/srv/my channel", "file:///srv/my%20channel"),
        ("file:///srv/für alle", "file:///srv/f%C3%BCr%20alle"),
    ],
)
def test_a_channels_url(channel: str, url: str) -> None:
    assert url == channel_url(channel) == channel_url(channel_url(channel))


def test_credentials_are_taken_out() -> None:
    assert "see https://a.b/t/***/c and http://x/y" == without_credentials(
        "see https://u:p@a.b/t/tk-1/c and http://z@x/y"
    )


@pytest.mark.law
@given(st.from_regex(r"[a-z0-9:%]{1,12}", fullmatch=True))
def test_law_no_password_survives(secret: str) -> None:
    assert f"https://{secret}@" not in without_credentials(f"https://{secret}@host/simple")


def test_local_places() -> None:
    assert Path("/srv/a b") == local_path("file:///srv/a%20b")
    assert Path("/srv/a b") == local_path("/srv/a b")
    assert local_path("https://x/y") is None


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-01", datetime(2026, 10, 2, tzinfo=UTC)),
        ("2026-10-01T02:00:00+02:00", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-10-01T00:00:00Z", datetime(2026, 10, 1, tzinfo=UTC)),
        ("2026-10-01T00:00:00", datetime(2026, 10, 1, tzinfo=UTC)),
    ],
)
def test_exclude_newer_is_an_instant_in_utc(text: str, instant: datetime) -> None:
    assert instant == cutoff(text)


def test_a_date_that_is_none_is_refused() -> None:
    with pytest.raises(SpecError, match="`exclude-newer: soon` is neither"):
        cutoff("soon")
