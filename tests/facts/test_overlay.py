"""Facts laid over the packaged ones."""

from pathlib import Path

import pytest
from packaging.version import Version

from envforge.errors import SpecError
from envforge.facts import load_facts
from envforge.facts.overlay import write_overlay

NEWER = """\
sources: {seen: read on a Thursday}
torch:
  releases:
    source: seen
    seen: 2026-12-03
    confidence: read
    rows:
    - {torch: 2.15.1, date: 2026-12-01}
  pypi:
    source: seen
    seen: 2026-12-03
    confidence: read
    rows:
    - {torch: 2.15.1, on: linux-64, variant: cu132, pythons: 3.12 3.13, sass: 9.0 10.0, ptx: "10.0"}
    - {torch: 2.15.0, on: linux-64, variant: cu132, pythons: 3.12 3.13, sass: 9.0 10.0, ptx: ""}
companions:
  pairs:
    source: seen
    seen: 2026-12-02
    confidence: inferred
    rows:
    - {torch: 2.15.1, torchvision: 0.29.2 0.29.3}
"""


@pytest.fixture
def overlay(tmp_path: Path) -> Path:
    (tmp_path / "2026-12-03.yaml").write_text(NEWER)
    return tmp_path


def pypi(facts, torch):
    return [each for each in facts.builds("linux-64") if each.source == "pypi" and str(each.torch) == torch]


def test_a_new_release_is_added_with_the_floors_that_are_known(overlay):
    (build,) = pypi(load_facts(overlay), "2.15.1")
    assert (str(build.glibc), str(build.ptx[0]), build.pythons) == ("2.28", "10.0", ("3.12", "3.13"))
    assert build.where == ("torch.yaml 2.15.1 cu132 linux-64: seen, seen 2026-12-03",)


def test_a_row_of_the_same_key_replaces_the_packaged_one(overlay, facts):
    (build,) = pypi(load_facts(overlay), "2.15.0")
    assert [str(code) for code in build.sass] == ["9.0", "10.0"]
    assert len(load_facts(overlay).builds("linux-64")) == len(facts.builds("linux-64")) + 1


def test_companions_and_days_are_laid_over_too(overlay, facts):
    torch, laid = Version("2.15.1"), load_facts(overlay)
    assert (laid.companion(torch, "torchvision"), laid.released(torch)) == (("0.29.2", "0.29.3"), "2026-12-01")
    assert (facts.companion(torch, "torchvision"), facts.released(torch)) == (None, None)


def test_what_is_not_laid_over_stays(overlay, facts):
    assert load_facts(overlay).builds("win-64") == facts.builds("win-64")
    assert load_facts(overlay).card("NVIDIA H200") == facts.card("NVIDIA H200")


def test_an_overlay_changes_digest_and_date(overlay, facts):
    laid = load_facts(overlay)
    assert (laid.digest != facts.digest, laid.digest == load_facts(overlay).digest, laid.dated) == (
        True,
        True,
        "2026-12-03",
    )


def test_no_overlay_changes_nothing(tmp_path, facts):
    for folder in (tmp_path, tmp_path / "absent"):
        assert (load_facts(folder).digest, load_facts(folder).dated) == (facts.digest, facts.dated)


def test_the_later_file_wins(overlay):
    (overlay / "2026-12-09.yaml").write_text(NEWER.replace("sass: 9.0 10.0", "sass: 9.0 12.0"))
    (build,) = pypi(load_facts(overlay), "2.15.1")
    assert [str(code) for code in build.sass] == ["9.0", "12.0"]


@pytest.mark.parametrize(
    ("old", "new", "message", "line"),
    [
        (
            "companions:\n  pairs",
            "companions:\n  moods",
            "facts have no block `companions.moods` that may be laid over",
            18,
        ),
        ("torch: 2.15.1, date", "torch: 2.15, date", "this row must give `torch` as text", 8),
        ("sass: 9.0 10.0", "sass: 9.0 ten", "`ten` is not a compute capability", 14),
        ("torch: 2.15.1, date", "torch: newest, date", "`newest` is not a version", 8),
        ("confidence: read", "confidence: sure", "`sure` is no confidence", 8),
        ("seen: read on", "other: read on", "no entry of `sources` explains `seen`", 8),
        ("    confidence: inferred\n", "", "a block of facts must say `confidence`", 18),
        ("sources: {seen: read on a Thursday}", "sources: none", "a mapping was expected here", 1),
    ],
)
def test_a_row_that_cannot_be_read_is_named_with_its_place(tmp_path, old, new, message, line):
    path = tmp_path / "2026-12-03.yaml"
    path.write_text(NEWER.replace(old, new, 1))
    with pytest.raises(SpecError) as caught:
        load_facts(tmp_path)
    assert (caught.value.message, caught.value.where[0].rsplit(":", 1)[0]) == (message, f"{path}:{line}")


def test_builds_survive_being_written_and_read(tmp_path, facts):
    chosen = [each for each in facts.builds("linux-aarch64") if str(each.torch) in ("2.13.0", "2.12.0")]
    (tmp_path / "again.yaml").write_text(write_overlay(chosen, "2026-11-21", {"again": "read again"}))
    laid = load_facts(tmp_path)

    def told(build):
        return build.torch, build.source, build.variant, build.tegra, build.sass, build.ptx, build.pythons, build.glibc

    assert [told(each) for each in laid.builds("linux-aarch64")] == [
        told(each) for each in facts.builds("linux-aarch64")
    ]
    assert laid.dated == "2026-11-21"
