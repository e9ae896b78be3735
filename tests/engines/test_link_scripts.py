"""Link scripts run for packages that are allowed to, and for no other."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import pytest

from channel.wheelhouse import Channel
from engines.conftest import MakePlan
from envforge.engines.conda_cli import CondaCli
from envforge.engines.link_scripts import run_link_scripts, unrun
from envforge.engines.rattler import RattlerEngine
from envforge.errors import EngineFailed
from envforge.model import Locked
from tiny import package, quiet


@pytest.fixture
def stage(tmp_path: Path) -> Path:
    """A stage, whose path is longer than the final one, as always."""
    stage = tmp_path / ".env.envforge-1-1" / "prefix"
    (stage / "bin").mkdir(parents=True)
    (stage / "conda-meta").mkdir()
    return stage


def script(stage: Path, name: str, text: str, *depends: str) -> Locked:
    (stage / f"bin/.{name}-post-link.sh").write_text(text)
    return replace(package(name), link_scripts=True, depends=depends)


def test_a_script_is_told_the_package_and_its_prefix(stage: Path, tmp_path: Path) -> None:
    text = 'echo "$PKG_NAME $PKG_VERSION $PKG_BUILDNUM $PREFIX" > "$PREFIX/said"\n'
    run_link_scripts((script(stage, "fonts", text),), stage, tmp_path / "env", quiet)
    assert f"fonts 1.0 0 {tmp_path}/env\n" == (stage / "said").read_text()


def test_a_script_that_may_not_run_does_not_and_is_named(stage: Path, tmp_path: Path) -> None:
    foreign = replace(script(stage, "fonts", "> $PREFIX/ran\n"), link_scripts=False)
    run_link_scripts((foreign, package("other")), stage, tmp_path / "env", quiet)
    assert (False, ("fonts",)) == ((stage / "ran").exists(), unrun((foreign, package("other")), stage))


def test_a_script_runs_after_those_that_it_depends_on(stage: Path, tmp_path: Path) -> None:
    say = 'echo "$PKG_NAME" >> "$PREFIX/order"\n'
    several = script(stage, "a", say, "b >=1", "c"), script(stage, "b", say, "c"), script(stage, "c", say)
    run_link_scripts(several, stage, tmp_path / "env", quiet)
    assert "c\nb\na\n" == (stage / "order").read_text()


def test_scripts_that_need_each_other_run_by_name(stage: Path, tmp_path: Path) -> None:
    say = 'echo "$PKG_NAME" >> "$PREFIX/order"\n'
    run_link_scripts((script(stage, "b", say, "a"), script(stage, "a", say, "b")), stage, tmp_path / "env", quiet)
    assert "a\nb\n" == (stage / "order").read_text()


def test_links_and_binaries_that_a_script_writes_say_the_final_path(stage: Path, tmp_path: Path) -> None:
    text = 'ln -s "$PREFIX/bin" "$PREFIX/link"; printf "x$PREFIX/lib\\0y" > "$PREFIX/cache.bin"\n'
    run_link_scripts((script(stage, "fonts", text),), stage, tmp_path / "env", quiet)
    final = f"{tmp_path}/env"
    assert (f"{final}/bin", True) == (
        str((stage / "link").readlink()),
        (stage / "cache.bin").read_bytes().startswith(f"x{final}/lib\0".encode()),
    )


def test_what_a_script_changes_of_a_package_is_written_down(stage: Path, tmp_path: Path) -> None:
    (stage / "list").write_text("old\n")
    entry = {"_path": "list", "path_type": "hardlink", "sha256": "0" * 64}
    (stage / "conda-meta/fonts-1.0-0.json").write_text(json.dumps({"paths_data": {"paths": [entry]}}))
    run_link_scripts((script(stage, "fonts", 'echo new >> "$PREFIX/list"\n'),), stage, tmp_path / "env", quiet)
    (told,) = json.loads((stage / "conda-meta/fonts-1.0-0.json").read_text())["paths_data"]["paths"]
    assert hashlib.sha256(b"old\nnew\n").hexdigest() == told["sha256_in_prefix"]


def test_a_script_that_fails_is_told_with_its_last_words(stage: Path, tmp_path: Path) -> None:
    bad = script(stage, "fonts", "echo no fonts here >&2; exit 3\n")
    with pytest.raises(EngineFailed, match="the link script of `fonts` ended with 3") as failed:
        run_link_scripts((bad,), stage, tmp_path / "env", quiet)
    assert "no fonts here" == failed.value.where[-1]


@pytest.mark.parametrize("allowed", [True, False])
def test_rattler_runs_what_is_allowed_on_files_of_its_own(
    allowed: bool, channel: Channel, make_plan: MakePlan, tmp_path: Path
) -> None:
    engine = RattlerEngine(tmp_path / "cache", environ={})
    found = engine.lock(make_plan("prefix-probe", f"python {channel.python}.*"), quiet)
    marked = tuple(replace(each, link_scripts=allowed and each.name == "prefix-probe") for each in found)
    engine.install(marked, tmp_path / ".stage-of-the-env", tmp_path / "env", quiet)
    stage = tmp_path / ".stage-of-the-env"
    links = (stage / f"lib/python{channel.python}/os.py").stat().st_nlink
    assert (allowed, 1 if allowed else 2) == ((stage / "post-link-ran").exists(), links)


def test_a_program_of_condas_kind_refuses_what_it_cannot_do_safely(tmp_path: Path) -> None:
    engine = CondaCli("mamba", ["mamba"], tmp_path, environ={})
    with pytest.raises(EngineFailed, match="mamba runs no link scripts here, and that of `fonts` is allowed"):
        engine.install((replace(package("fonts"), link_scripts=True),), tmp_path / "s", tmp_path / "e", quiet)
