"""What the pages say is true: their commands run, their links lead somewhere, their generated parts are current."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import requests
from pypi_simple import PYPI_SIMPLE_ENDPOINT

from docs.pages import PAGES, ROOT, anchors_of, links_of, shown_in
from envforge.cli.app import COMMANDS

WITH_COMMANDS = [page for page in PAGES if shown_in(page)]
NOWHERE = "http://127.0.0.1:9"


def names(pages):
    return [str(page.relative_to(ROOT)) for page in pages]


def session(folder: Path, *, network: bool) -> dict[str, str]:
    """Make a newcomer's environment: an empty home; without network, proxies that lead nowhere."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith(("ENVFORGE_", "XDG_", "CI", "GITHUB_"))}
    own = {"HOME": str(folder / "home"), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    if network:
        return kept | own
    cut = {"HTTP_PROXY": NOWHERE, "HTTPS_PROXY": NOWHERE, "ALL_PROXY": NOWHERE, "PIP_CONFIG_FILE": os.devnull}
    quiet = {key: text for key, text in kept.items() if not key.startswith(("PIP_", "UV_"))}
    return quiet | own | cut


def run(text: str, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", text], capture_output=True, text=True, cwd=folder, env=environ, timeout=280, check=False
    )


def walk(page: Path, folder: Path, *, network: bool) -> None:
    """Follow a page from its top, as a reader would."""
    environ = session(folder, network=network)
    (folder / "home").mkdir()
    shutil.copytree(ROOT / "envspecs", folder / "envspecs")
    for shown in shown_in(page):
        if network or not shown.network:
            done = run(shown.text, folder, environ)
            assert (shown.text, shown.exit) == (shown.text, done.returncode), done.stdout + done.stderr


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=names(WITH_COMMANDS))
def test_every_command_shown_runs_without_network(page, tmp_path):
    walk(page, tmp_path, network=False)


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in WITH_COMMANDS if any(each.network for each in shown_in(page))])
def test_every_command_shown_runs_with_a_network(page, tmp_path):
    try:
        requests.head(PYPI_SIMPLE_ENDPOINT + "numpy/", timeout=10)
    except requests.RequestException as error:
        pytest.skip(f"the package index cannot be reached: {type(error).__name__}")
    walk(page, tmp_path, network=True)


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_no_link_is_dead(page):
    dead = []
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link:
            continue
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            dead.append(link)
    assert [] == dead


def test_the_generated_pages_are_current():
    done = subprocess.run(
        [sys.executable, "docs/reference/generate.py", "--check"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (0, "") == (done.returncode, done.stdout), "run `python docs/reference/generate.py`"


def test_ci_runs_the_tests_as_the_readme_says():
    fences = re.findall(r"```sh\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)
    command = next(text for text in fences if "nox" in text)
    assert command in (ROOT / ".ci" / "run").read_text()


def test_the_pages_name_only_commands_that_exist():
    called = {name for page in PAGES for name in re.findall(r"`envforge ([a-z]+)", page.read_text())}
    assert set() == called - set(COMMANDS)


def test_every_page_is_on_the_site():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "docs/site/mkdocs.yml").read_text()))
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert listed == {page for page in pages if not page.startswith("changes/")}


@pytest.mark.slow
def test_the_readmes_first_command_makes_an_environment(tmp_path):
    try:
        requests.head(PYPI_SIMPLE_ENDPOINT + "numpy/", timeout=10)
    except requests.RequestException as error:
        pytest.skip(f"the package index cannot be reached: {type(error).__name__}")
    clone, kept = tmp_path / "clone", shutil.ignore_patterns(".*", "__pycache__", "tests")
    shutil.copytree(ROOT, clone, ignore=kept)
    fences = re.findall(r"```sh\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)
    done = run(next(text for text in fences if "create" in text), clone, session(tmp_path, network=True))
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "proven to run here" in done.stdout
