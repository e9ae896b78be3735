"""No marker, no environment."""

import asyncio
import shutil

import pytest

from envforge.model import CheckResult, SmokeReport
from envforge.provision import read_environment, store_report
from envforge.run import in_child
from tiny import HERE, section, wheel

REPORT = SmokeReport(
    python="3.11.7",
    torch="2.13.0",
    cuda=None,
    machine="here",
    results=(CheckResult(check="import", device=None, outcome="pass", took_s=1.5, measured={"took_s": 1.5}),),
)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"schema": "envforge.environment/1"}', '{"schema": "other/1"}', "\0\0\0"]
)
def test_a_marker_that_is_not_whole_is_none(make, envs, text):
    make()
    (envs / "demo/conda-meta/envforge.json").write_text(text)
    assert read_environment(envs / "demo") is None


def test_half_a_marker_is_none(make, envs):
    make()
    marker = envs / "demo/conda-meta/envforge.json"
    marker.write_text(marker.read_text()[:-20])
    assert read_environment(envs / "demo") is None


def test_a_copied_environment_is_none(make, envs):
    make()
    shutil.copytree(envs / "demo", envs / "copy", symlinks=True)
    assert read_environment(envs / "copy") is None


def test_an_environment_without_its_python_is_none(make, envs):
    make()
    (envs / "demo/bin/python").unlink()
    assert read_environment(envs / "demo") is None


def test_a_link_to_an_environment_leads_to_it(make, envs, tmp_path):
    made = make()
    (tmp_path / "link").symlink_to(envs / "demo")
    assert made.section == read_environment(tmp_path / "link").section


def test_a_report_is_kept_with_what_it_was_made_on(make, envs):
    stored = store_report(make(), REPORT, "sha256:hardware")
    assert (REPORT, "sha256:hardware") == (stored.verified, stored.verified_on)
    assert stored == read_environment(envs / "demo")


@pytest.mark.parametrize("text", ["", "{}", '{"on": "x", "lock_digest": "sha256:other", "report": null}'])
def test_a_report_that_is_not_of_this_lock_does_not_count(make, envs, text):
    made = make()
    (envs / "demo/etc/envforge/verified.json").write_text(text)
    assert made == read_environment(envs / "demo")


def test_rattler_can_look_after_a_prefix_that_carries_our_marker(make, envs, tmp_path):
    """A look at what is installed, by a call that installs nothing; the small engine's records are not real ones."""
    make(section(wheel("einops"), interpreter=HERE))

    def scan(send):
        from rattler import PackageCache, install

        asyncio.run(install([], envs / "demo", package_cache=PackageCache(tmp_path / "pkgs"), show_progress=False))
        return "scanned"

    assert "scanned" == in_child(scan, deadline_s=60)
    assert read_environment(envs / "demo") is not None
