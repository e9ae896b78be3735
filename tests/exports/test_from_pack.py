"""From a pack to an environment, on a machine with an empty cache and without network."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from channel.served import write_index
from cli.calling import envelope, envforge
from cli.making import Home
from envforge.engines.rattler import RattlerEngine
from envforge.engines.settings import Settings
from envforge.engines.uv import UvEngine
from envforge.exports.gather import Places, gather
from envforge.exports.pack import write_pack
from envforge.exports.packed import PackedConda, PackedWheels
from envforge.exports.unpack import open_pack
from envforge.lock import write_lock
from envforge.model import Lock
from envforge.provision import Engines, drift, provision
from envforge.spec import parse_spec, spec_digest
from patience import comes

NOWHERE = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy"), "http://127.0.0.1:9")
WHEEL = "setuptools"


def fresh(root):
    """A machine that has never seen envforge, and reaches nothing."""
    home = Home(root=root, cache=root / "cache")
    return home, {**home.variables, **NOWHERE, "NO_PROXY": "", "no_proxy": "", "HOME": str(root), "COLUMNS": "300"}


@pytest.fixture
def here(tmp_path):
    return Home(root=tmp_path / "here", cache=tmp_path / "here/cache")


@pytest.fixture
def index(wheelhouse, tmp_path, http_server):
    wheels = [path for path in sorted(wheelhouse.glob("*.whl")) if path.name.startswith(WHEEL)]
    write_index(tmp_path / "index", wheels)
    return http_server(tmp_path / "index")


@pytest.fixture
def pack(here, channel, index, http_server, tmp_path):
    """A pack of a channel over HTTP and of wheels of an index that asks for a login."""
    index.login = ("me", "secret")
    private = index.url.replace("//", "//me:secret@") + "/simple"
    served = http_server(channel.path)
    spec = here.spec(served.url, indexes=[f"{index.url}/simple"], wheels=[WHEEL], conda=["markupsafe"])
    variables = {**here.variables, "UV_EXTRA_INDEX_URL": private, "COLUMNS": "300"}
    locked = envforge("lock", spec, "--no-progress", **variables)
    assert 0 == locked.returncode, locked.stderr
    done = envforge("pack", spec, "-o", tmp_path / "demo.tar", "--json", "--no-progress", **variables)
    assert 0 == done.returncode, done.stdout + done.stderr
    index.login = None
    for each in (served, index):
        each.requests.clear()
    return tmp_path / "demo.tar", served, index


def test_an_environment_is_made_from_a_pack_alone(pack, tmp_path):
    tar, served, index = pack
    assert b"secret" not in tar.read_bytes()
    there, variables = fresh(tmp_path / "there")
    done = envelope(envforge("create", "--from", tar, "--offline", "--json", "--no-progress", **variables))
    assert (1, True, "fail") == (done["exit"], done["data"]["changed"], done["data"]["verify"]["verdict"])
    assert "`import_torch` failed" in done["errors"][0]["message"]
    assert ([], []) == (served.requests, index.requests)
    status = envelope(envforge("status", "demo", "--json", **variables))["data"]
    assert ("unverified", [], [], None) == tuple(status[key] for key in ("state", "missing", "added", "stale"))
    prefix = there.envs / "demo"
    records = [json.loads(path.read_text()) for path in prefix.glob("conda-meta/*-*-*.json")]
    assert {served.url} == {each["channel"] for each in records}
    written = [path.read_text() for path in prefix.glob("lib/python3.*/site-packages/*.dist-info/direct_url.json")]
    assert (True, {True}) == (bool(written), {f'"url":"{index.url}/files/' in each for each in written})
    assert [] == list((there.cache / "unpacked").iterdir())
    code = "import setuptools, sympy; print(sympy.sqrt(16))"
    run = envforge("run", "-n", "demo", "python", "-c", code, **variables)
    assert "4\n" == run.stdout, run.stderr
    bill = json.loads(envforge("export", "demo", "--format", "sbom", **variables).stdout)
    assert {"numpy", "setuptools"} <= {each["name"] for each in bill["components"]}
    again = envelope(envforge("create", "--from", tar, "--json", "--no-progress", **variables))
    assert "fail" == again["data"]["verify"]["verdict"]


def test_a_pack_that_was_tampered_with_leaves_no_environment(pack, tmp_path):
    tar = pack[0]
    artefact = next(each for each in open_pack(tar).lock.sections[0].artefacts if each.name == "numpy")
    offset, size = open_pack(tar).objects[artefact.sha256]
    content = bytearray(tar.read_bytes())
    content[offset + size // 2] ^= 1
    tar.write_bytes(content)
    there, variables = fresh(tmp_path / "there")
    done = envelope(envforge("create", "--from", tar, "--json", "--no-progress", **variables))
    assert (5, "artefact") == (done["exit"], done["errors"][0]["code"])
    assert [] == [name for name in there.left() if not name.endswith("-lock")]
    assert [] == list((there.cache / "unpacked").iterdir())


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ([], 2, "missing argument `SPEC`"),
        (["x.yaml", "--from", "x.tar"], 2, "a pack has its own spec"),
        (["--from", "x.tar"], 2, "does not exist"),
    ],
)
def test_what_create_needs_is_said(words, code, says, tmp_path):
    done = envforge("create", *words, cwd=tmp_path, **fresh(tmp_path)[1])
    assert (code, True) == (done.returncode, says in done.stderr)


def test_a_lock_that_does_not_fit_the_machine_is_not_made_anew(here, channel, tmp_path):
    targets = {"cluster": {"driver": "580", "gpus": ["NVIDIA A100-SXM4-80GB"], "glibc": "2.99"}}
    spec = here.spec(channel.url, targets=targets)
    assert 0 == envforge("lock", spec, "--no-progress", **here.variables).returncode
    tar = tmp_path / "demo.tar"
    assert 0 == envforge("pack", spec.with_name("demo.lock.yaml"), "-o", tar, **here.variables).returncode
    done = envelope(envforge("create", "--from", tar, "--json", **fresh(tmp_path / "there")[1]))
    assert (4, [str(tar)]) == (done["exit"], done["errors"][0]["where"])
    assert done["errors"][0]["message"].startswith("the lock needs driver")


def test_credentials_in_a_spec_are_not_packed_and_it_still_fits(here, channel, tmp_path):
    spec = here.spec(channel.url)
    assert 0 == envforge("lock", spec, "--no-progress", **here.variables).returncode
    spec.write_text(spec.read_text() + "find-links: ['https://me:secret@wheels.example.org/t/private-token/x']\n")
    assert 4 == envforge("pack", spec, "-o", tmp_path / "no.tar", **here.variables).returncode
    lock = spec.with_name("demo.lock.yaml")
    digest = spec_digest(parse_spec(spec.read_text(), str(spec)))
    lines = [
        f"spec_digest: {digest}" if each.startswith("spec_digest") else each for each in lock.read_text().splitlines()
    ]
    lock.write_text("\n".join(lines) + "\n")
    done = envforge("pack", spec, "-o", tmp_path / "demo.tar", **here.variables)
    assert (0, True) == (done.returncode, "credentials were taken out" in done.stderr)
    pack = open_pack(tmp_path / "demo.tar")
    assert "https://wheels.example.org/x" in pack.spec_text
    assert b"secret" not in (tmp_path / "demo.tar").read_bytes()
    assert 0 == envforge("create", "--from", tmp_path / "demo.tar", "--dry-run", **fresh(tmp_path / "x")[1]).returncode


def test_a_target_that_is_not_locked_and_a_pack_that_is_there_are_refused(here, channel, tmp_path):
    spec = here.spec(channel.url)
    assert 4 == envforge("pack", spec, "-o", tmp_path / "x.tar", **here.variables).returncode
    envforge("lock", spec, "--no-progress", **here.variables)
    assert 2 == envforge("pack", spec, "--target", "moon", "-o", tmp_path / "x.tar", **here.variables).returncode
    (tmp_path / "x.tar").write_text("mine")
    refused = envforge("pack", spec, "-o", tmp_path / "x.tar", **here.variables)
    assert (2, "mine") == (refused.returncode, (tmp_path / "x.tar").read_text())


def test_wheels_on_a_python_at_hand_come_from_a_pack(make, wheels, at_hand, tmp_path):
    section = replace(make(conda=(), interpreter=at_hand), artefacts=wheels)
    lock = Lock(name="both", spec_digest="sha256:0", facts_digest="sha256:0", sections=(section,))
    files = gather(section.artefacts, Places(store=tmp_path / "store"), None, lambda _: None)
    write_pack(tmp_path / "both.tar", "both", "name: both\n", write_lock(lock), lock, files)
    pack, cache = open_pack(tmp_path / "both.tar"), tmp_path / "cache"
    engines = Engines(
        conda=PackedConda(RattlerEngine(cache, offline=True), pack, cache / "unpacked"),
        wheels=PackedWheels(UvEngine(cache, offline=True, settings=Settings()), pack, cache / "unpacked"),
    )
    made = provision(lock, section, tmp_path / "env", engines=engines, packages=cache / "pkgs", emit=lambda _: None)
    assert drift(made).clean
    script = "import jinja2; print(jinja2.Template('{{ 1 + 1 }}').render())"
    assert "2\n" == subprocess.run([made.python, "-c", script], capture_output=True, text=True, check=True).stdout
    texts = [
        path.read_text() for path in Path(made.prefix).glob("lib/python3.*/site-packages/*.dist-info/direct_url.json")
    ]
    assert all("/unpacked/" not in text for text in texts)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_pack_ends_at_once_and_goes_on_the_next_time(sign, here, channel, http_server, tmp_path):
    served = http_server(channel.path)
    spec = here.spec(served.url)
    assert 0 == envforge("lock", spec, "--no-progress", **here.variables).returncode
    served.misbehave(r"/numpy-.*\.conda", "hang", times=1)
    tar, env = tmp_path / "demo.tar", {**os.environ, **here.variables}
    words = [sys.executable, "-m", "envforge", "pack", spec, "-o", tar, "--no-progress"]
    working = subprocess.Popen(words, env=env, stderr=subprocess.DEVNULL)
    assert comes(lambda: len(list((here.cache / "downloads").glob("*"))) >= 8 and asked(served, "numpy"))
    working.send_signal(sign)
    assert (-9 if sign == signal.SIGKILL else 130) == working.wait(5)
    assert [] == [path.name for path in tmp_path.iterdir() if "demo.tar" in path.name]
    whole = {path.name for path in (here.cache / "downloads").iterdir() if path.suffix != ".part"}
    served.requests.clear()
    done = envelope(envforge("pack", spec, "-o", tar, "--json", "--no-progress", **here.variables))
    asked_again = set(served.requests)  # the server may still answer what the one that was struck had asked
    assert (0, done["data"]["packages"] - len(whole)) == (done["exit"], len(asked_again)), served.requests


def asked(served, name):
    return any(f"/{name}-" in each and each.endswith(".conda") for each in served.requests)
