"""Wheels by uv: locked around what conda provides, installed exactly, from the user's own indexes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from channel.served import Served, write_index
from channel.wheelhouse import Channel, cache
from envforge.engines.pins import python_pins
from envforge.engines.rattler import RattlerEngine
from envforge.engines.settings import Settings
from envforge.engines.uv import Gauge, UvEngine
from envforge.errors import BadArtefact, DiskFailed, EngineFailed, SpecError, Unreachable, Unsatisfiable
from envforge.model import Dotted, Interpreter, Locked, Plan, Progress
from tiny import quiet

MakePlan = Callable[..., Plan]
Serve = Callable[[Path], Served]
SMALL = ("mpmath", "sympy", "networkx", "jinja2", "markupsafe")
HERE = Interpreter(path=sys.executable, version=Dotted("{}.{}.{}".format(*sys.version_info[:3])))


@pytest.fixture(scope="module")
def index(wheelhouse: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small index of real wheels, with hashes."""
    root = tmp_path_factory.mktemp("index")
    write_index(root, [path for path in sorted(wheelhouse.glob("*.whl")) if path.name.lower().startswith(SMALL)])
    return root


def engine(cache: Path, index: str | None = None, **fields: object) -> UvEngine:
    environ = {key: text for key, text in os.environ.items() if not key.startswith(("UV_", "PIP_"))}
    offline = bool(fields.pop("offline", False))
    settings = Settings(default_index=index, **fields)  # type: ignore[arg-type]
    return UvEngine(cache, offline=offline, settings=settings, environ=environ | {"UV_HTTP_TIMEOUT": "2"})


def wheels(*requirements: str) -> dict[str, object]:
    return {"requirements": requirements, "indexes": ("pypi",), "interpreter": HERE}


def test_wheels_are_locked_with_url_and_sha256_and_without_credentials(
    make_plan: MakePlan, index: Path, http_server: Serve, tmp_path: Path
) -> None:
    served = http_server(index)
    served.login = ("me", "secret")
    private = served.url.replace("//", "//me:secret@") + "/simple"
    found = engine(tmp_path, private).lock(make_plan(**wheels("sympy")), (), quiet)
    assert [("mpmath", "1.3.0"), ("sympy", "1.14.0")] == [(each.name, each.version) for each in found]
    assert all(each.url.startswith(f"{served.url}/files/") and len(each.sha256) == 64 for each in found)
    assert "secret" not in repr(found)


def test_torch_for_the_cpu_comes_from_find_links(make_plan: MakePlan, channel: Channel, wheelhouse: Path) -> None:
    """uv unpacks a local wheel to lock it: a gigabyte, kept beside the wheelhouse for the next run."""
    if not channel.torch:
        pytest.skip("pip finds no CPU wheel of torch 2.13.0 for this Python")
    plan = make_plan(**{**wheels("torch==2.13.0+cpu"), "find_links": (str(wheelhouse),)})
    found = {each.name: each for each in engine(cache(), no_index=True).lock(plan, (), quiet)}
    assert ("2.13.0+cpu", f"{wheelhouse.as_uri()}/torch-2.13.0%2Bcpu") == (
        found["torch"].version,
        found["torch"].url.replace("+", "%2B").split("-cp3")[0],
    )


def package(name: str, version: str) -> Locked:
    url = f"https://x.org/noarch/{name}-{version}-0.conda"
    return Locked(name=name, version=version, kind="conda", url=url, sha256="0" * 64, noarch="python")


def test_what_conda_provides_is_neither_locked_nor_followed(make_plan: MakePlan, index: Path, tmp_path: Path) -> None:
    plan = make_plan(**wheels("sympy", "networkx"))
    found = engine(tmp_path, (index / "simple").as_uri()).lock(plan, (package("sympy", "1.14.0"),), quiet)
    assert ["networkx"] == [each.name for each in found]


def test_a_version_that_conda_holds_is_said_in_a_conflict(make_plan: MakePlan, index: Path, tmp_path: Path) -> None:
    plan = make_plan(**wheels("sympy"))
    with pytest.raises(Unsatisfiable, match=r"no set of wheels satisfies the request: .*mpmath") as refused:
        engine(tmp_path, (index / "simple").as_uri()).lock(plan, (package("mpmath", "1.5.0"),), quiet)
    assert "`mpmath` 1.5.0 comes from conda" == refused.value.where[0]


def test_a_limit_brings_nothing_and_holds_what_comes(make_plan: MakePlan, index: Path, tmp_path: Path) -> None:
    def versions(*limits: str) -> dict[str, str]:
        plan = make_plan(**wheels("sympy"), wheel_limits=limits)
        found = engine(tmp_path, (index / "simple").as_uri()).lock(plan, (), quiet)
        return {each.name: each.version for each in found}

    free = versions()
    assert free == versions("numpy <2", f"mpmath <={free['mpmath']}")
    with pytest.raises(Unsatisfiable, match="mpmath") as refused:
        versions(f"mpmath <{free['mpmath']}")
    assert f"torch 2.13.0 was built for `mpmath <{free['mpmath']}`" == refused.value.where[0]


def test_conda_names_become_pypi_names() -> None:
    plain = replace(package("zlib", "1.3"), noarch=None, depends=("libgcc >=13",))
    packages = (
        package("pytorch", "2.13.0"),
        package("typing_extensions", "4.16.0"),
        plain,
        package("python", "3.11.7"),
    )
    assert {"torch": "2.13.0", "typing-extensions": "4.16.0"} == python_pins(packages)


@pytest.mark.parametrize(
    ("requirement", "says"),
    [("nosuchpkg", "nosuchpkg was not found in the package registry"), ("sympy>=99", "sympy")],
)
def test_what_no_index_has_is_unsatisfiable(
    requirement: str, says: str, make_plan: MakePlan, index: Path, tmp_path: Path
) -> None:
    place = (index / "simple").as_uri()
    with pytest.raises(Unsatisfiable, match=says) as refused:
        engine(tmp_path, place).lock(make_plan(**wheels(requirement)), (), quiet)
    assert f"index {place}" in refused.value.where


def test_what_is_no_requirement_is_the_specs_fault(make_plan: MakePlan, tmp_path: Path) -> None:
    with pytest.raises(SpecError, match="`sympy >>1` is not a requirement"):
        engine(tmp_path).lock(make_plan(**wheels("sympy >>1")), (), quiet)


@pytest.mark.parametrize(("how", "says"), [("503", "503"), ("hang", "timed out"), ("403", "403 Forbidden")])
def test_an_index_that_does_not_answer_is_unreachable(
    how: str, says: str, make_plan: MakePlan, index: Path, http_server: Serve, tmp_path: Path
) -> None:
    served = http_server(index)
    served.misbehave("mpmath", how)  # type: ignore[arg-type]
    uv = engine(tmp_path, served.url + "/simple", environ=(("UV_HTTP_RETRIES", "0"), ("UV_HTTP_TIMEOUT", "1")))
    with pytest.raises(Unreachable, match=says) as refused:
        uv.lock(make_plan(**wheels("mpmath")), (), quiet)
    assert served.url in repr(refused.value)


def test_a_find_links_folder_that_is_not_there_is_named(make_plan: MakePlan, tmp_path: Path) -> None:
    with pytest.raises(Unreachable, match=r"find-links `.*/nothing` cannot be read"):
        engine(tmp_path, find_links=(str(tmp_path / "nothing"),)).lock(make_plan(**wheels("mpmath")), (), quiet)


def test_torchs_own_index_serves_torchs_family_alone(
    make_plan: MakePlan, index: Path, tmp_path: Path, http_server: Serve
) -> None:
    fake, old = tmp_path / "torchvision-9.9.9+cpu-py3-none-any.whl", tmp_path / "sympy-0.1-py3-none-any.whl"
    write_fake(fake)
    write_fake(old)
    write_index(tmp_path / "torch", [fake, old]).rename(tmp_path / "torch" / "whl")
    served = http_server(tmp_path / "torch")
    plan = make_plan(**{**wheels("torchvision==9.9.9+cpu", "sympy"), "indexes": (f"{served.url}/whl", "pypi")})
    found = {
        each.name: each.version
        for each in engine(tmp_path / "cache", (index / "simple").as_uri()).lock(plan, (), quiet)
    }
    assert {"torchvision": "9.9.9+cpu", "sympy": "1.14.0", "mpmath": "1.3.0"} == found


def write_fake(path: Path) -> None:
    name, version = path.name.split("-")[:2]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(
            f"{name}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{name}-{version}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{name}-{version}.dist-info/RECORD", "")


@pytest.fixture
def locked(make_plan: MakePlan, index: Path, tmp_path: Path) -> tuple[Locked, ...]:
    return engine(tmp_path / "cache", (index / "simple").as_uri()).lock(make_plan(**wheels("sympy")), (), quiet)


def test_a_base_on_a_python_at_hand_works_where_it_is_moved_to(locked: tuple[Locked, ...], tmp_path: Path) -> None:
    stage, final, uv = tmp_path / ".stage", tmp_path / "Prüf ling", engine(tmp_path / "cache")
    stage.mkdir()
    uv.make_base(HERE, stage, final)
    uv.install(locked, stage, final, quiet)
    stage.rename(final)
    said = subprocess.run([final / "bin/isympy", "--help"], capture_output=True, text=True, check=True)
    assert "usage: isympy" in said.stdout
    code = "import sympy, sys; print(sympy.sqrt(8), sys.prefix)"
    run = subprocess.run([final / "bin/python", "-c", code], capture_output=True, text=True, check=True)
    assert f"2*sqrt(2) {final}\n" == run.stdout
    assert "1.14.0" in "".join(path.name for path in final.glob("lib/python*/site-packages/sympy*"))


def test_scripts_in_a_conda_prefix_say_the_final_path(
    rattler: RattlerEngine, make_plan: MakePlan, locked: tuple[Locked, ...], tmp_path: Path
) -> None:
    stage, final = tmp_path / ".stage", tmp_path / "a prefix"
    conda = rattler.lock(make_plan(f"python {make_plan().python}.*"), quiet)
    rattler.install(conda, stage, final, quiet)
    engine(tmp_path / "cache").install(locked, stage, final, quiet)
    script = (stage / "bin/isympy").read_text()
    assert (True, False) == (str(final) in script, ".stage" in script)
    stage.rename(final)
    code = "import importlib.metadata as m; print(all(f.read_binary() is not None for f in m.files('sympy') if 'isympy' in str(f)))"
    subprocess.run([final / "bin/python", "-c", code], check=True, capture_output=True)
    assert 0 == subprocess.run([final / "bin/isympy", "--help"], capture_output=True, check=False).returncode


def test_downloads_are_told_as_uv_tells_them() -> None:
    told: list[Progress] = []
    wheels = tuple(replace(package(name, "1"), kind="wheel", size_bytes=size) for name, size in (("a-b", 5), ("c", 7)))
    gauge = Gauge(wheels, told.append)
    for line in ("Resolved 2 packages in 1ms", "Downloading a-b (5.0MiB)", " Downloaded a-b", " + c==1"):
        gauge.hear(line)
    gauge.finish()
    assert [(0, 12), (0, 12), (5, 12), (12, 12)] == [(step.done_bytes, step.total_bytes) for step in told]


@pytest.mark.parametrize("over", ["file", "http"])
def test_a_wheel_with_another_sha256_is_refused(
    over: str, locked: tuple[Locked, ...], index: Path, http_server: Serve, tmp_path: Path
) -> None:
    base = http_server(index).url if over == "http" else index.as_uri()
    bad = tuple(replace(each, url=each.url.replace(index.as_uri(), base), sha256="0" * 64) for each in locked[:1])
    uv = engine(tmp_path / "fresh")
    uv.make_base(HERE, tmp_path / "env", tmp_path / "env")
    with pytest.raises(BadArtefact, match="`mpmath` is not what the lock says: Hash mismatch"):
        uv.install(bad, tmp_path / "env", tmp_path / "env", quiet)


@pytest.mark.parametrize(("how", "error"), [("wrong-bytes", BadArtefact), ("404", Unreachable)])
def test_a_lying_server_is_found_out(
    how: str, error: type[EngineFailed], locked: tuple[Locked, ...], index: Path, http_server: Serve, tmp_path: Path
) -> None:
    served = http_server(index)
    served.misbehave("files", how)  # type: ignore[arg-type]
    remote = tuple(replace(each, url=each.url.replace(index.as_uri(), served.url)) for each in locked[:1])
    uv = engine(tmp_path / "fresh", environ=(("UV_HTTP_RETRIES", "0"),))
    uv.make_base(HERE, tmp_path / "env", tmp_path / "env")
    with pytest.raises(error, match="`mpmath`"):
        uv.install(remote, tmp_path / "env", tmp_path / "env", quiet)


def test_offline_installs_from_the_cache_or_says_what_is_missing(
    locked: tuple[Locked, ...], index: Path, http_server: Serve, tmp_path: Path
) -> None:
    served = http_server(index)
    remote = tuple(replace(each, url=each.url.replace(index.as_uri(), served.url)) for each in locked)
    for name, offline in (("online", False), ("offline", True)):
        uv = engine(tmp_path / "fresh", offline=offline)
        uv.make_base(HERE, tmp_path / name, tmp_path / name)
        uv.install(remote, tmp_path / name, tmp_path / name, quiet)
    other = engine(tmp_path / "empty", offline=True)
    other.make_base(HERE, tmp_path / "third", tmp_path / "third")
    with pytest.raises(Unreachable, match="offline"):
        other.install(remote, tmp_path / "third", tmp_path / "third", quiet)


def test_a_cache_that_cannot_be_made_is_the_disks_fault(make_plan: MakePlan, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DiskFailed):
        engine(tmp_path / "file").lock(make_plan(**wheels("mpmath")), (), quiet)
    with pytest.raises(DiskFailed):
        engine(tmp_path / "file").make_base(HERE, tmp_path / "env", tmp_path / "env")


def test_a_cutoff_leaves_out_what_has_no_date_but_torch(
    make_plan: MakePlan, index: Path, http_server: Serve, tmp_path: Path
) -> None:
    """Torch's own index tells no dates, so uv would leave all of it out; which build it is, dated facts decided."""
    fake = tmp_path / "torchvision-9.9.9+cpu-py3-none-any.whl"
    write_fake(fake)
    write_index(tmp_path / "torch", [fake]).rename(tmp_path / "torch" / "whl")
    served, default = http_server(tmp_path / "torch"), http_server(index).url + "/simple"
    cut = {"indexes": (f"{served.url}/whl", "pypi"), "exclude_newer": "2026-11-01"}
    uv = engine(tmp_path / "cache", default)
    found = uv.lock(make_plan(**{**wheels("torchvision==9.9.9+cpu"), **cut}), (), quiet)
    assert ["9.9.9+cpu"] == [each.version for each in found]
    with pytest.raises(Unsatisfiable, match="sympy"):
        uv.lock(make_plan(**{**wheels("sympy"), **cut}), (), quiet)
