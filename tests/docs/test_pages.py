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

from channel.served import serve, write_index
from docs.pages import (
    GENERATED,
    NEEDS,
    PAGES,
    ROOT,
    anchors_of,
    infos_of,
    inline_in,
    languages_of,
    links_of,
    name_of,
    shown_in,
    substitutes,
    to_run,
)
from envforge.cli.app import COMMANDS, click_command

WITH_COMMANDS = [page for page in PAGES if shown_in(page)]
WITH_NETWORK = [page for page in WITH_COMMANDS if any(each.network for each in shown_in(page))]
BY_HAND = [page for page in PAGES if not name_of(page).startswith(GENERATED)]
NOWHERE = "http://127.0.0.1:9"
KEYS = {"sources": "CHANNEL", "channels": "CHANNEL", "indexes": "INDEX"}
BROUGHT = ("envspecs", "tests/machines")


def names(pages):
    return [name_of(page) for page in pages]


def kept(**own: str) -> dict[str, str]:
    """Make a newcomer's environment."""
    left = {key: text for key, text in os.environ.items() if not key.startswith(("ENVFORGE_", "XDG_", "CI", "GITHUB_"))}
    return {**left, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", **own}


def cut_off(**own: str) -> dict[str, str]:
    """Make a newcomer's environment without network: proxies lead nowhere, pip and uv know of no other place."""
    cut = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"), NOWHERE)
    own = {**cut, "NO_PROXY": "127.0.0.1", "PIP_CONFIG_FILE": os.devnull, **own}
    return {key: text for key, text in kept(**own).items() if not key.startswith(("PIP_F", "PIP_I", "PIP_E", "UV_"))}


def run(text: str, folder: Path, environ: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", text], capture_output=True, text=True, cwd=folder, env=environ, timeout=280, check=False
    )


def follow(page: Path, folder: Path, plain: dict[str, str], network: dict[str, str] | None) -> None:
    """Follow a page from its top, as a reader would, in a clone; without a network leave out what needs one."""
    for brought in BROUGHT:
        shutil.copytree(ROOT / brought, folder / brought)
    (folder / "home").mkdir()
    for shown in to_run(page):
        environ = network if shown.network else plain
        if environ is not None:
            lead_home(folder, environ)
            own = {"HOME": str(folder / "home"), "SCRATCH": str(folder / "scratch")}
            done = run(shown.text, folder, {**environ, **own})
            assert (shown.text, shown.exit) == (shown.text, done.returncode), done.stdout + done.stderr


def lead_home(folder: Path, environ: dict[str, str]) -> None:
    """Put the places of packages that stand in for the public ones into the specs that a page has written."""
    if "CHANNEL" in environ:
        for path in folder.glob("*.yaml"):
            if (text := path.read_text()).startswith("name: "):
                bare = re.sub(rf"^({'|'.join(KEYS)}):.*\n(- .*\n)*", "", text, flags=re.MULTILINE)
                path.write_text("".join([bare, *(f"{key}: [{environ[name]}]\n" for key, name in KEYS.items())]))


@pytest.fixture(scope="session")
def places(channel, wheelhouse, tmp_path_factory):
    """Where a small real channel, index and folder of wheels are, in place of conda-forge and PyPI."""
    if not channel.torch or channel.python != "3.11":
        pytest.skip(
            "the pages build with Python 3.11 and torch's wheel for the CPU, and pip can get no such wheel here"
        )
    root = tmp_path_factory.mktemp("index")
    write_index(root, sorted(wheelhouse.glob("*.whl")))
    with serve(root) as served:
        cache = str(tmp_path_factory.mktemp("cache"))
        yield {
            "ENVFORGE_CACHE_DIR": cache,
            "CHANNEL": channel.url,
            "INDEX": f"{served.url}/simple",
            "WHEELHOUSE": str(wheelhouse),
        }


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=names(WITH_COMMANDS))
def test_every_command_shown_runs_without_network(page, tmp_path):
    follow(page, tmp_path, cut_off(), None)


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_NETWORK, ids=names(WITH_NETWORK))
def test_every_command_shown_runs_with_packages_at_hand(page, places, tmp_path):
    follow(page, tmp_path, cut_off(), cut_off(**places))


@pytest.mark.slow
def test_the_tutorial_runs_with_a_network(tmp_path):
    skip_without_index()
    follow(ROOT / "docs/tutorial/first-environment.md", tmp_path, cut_off(), kept())


def skip_without_index() -> None:
    try:
        requests.head(PYPI_SIMPLE_ENDPOINT + "numpy/", timeout=10)
    except requests.RequestException as error:
        pytest.skip(f"the package index cannot be reached: {type(error).__name__}")


def test_a_substitute_stands_for_a_command_that_is_shown():
    shown = {(name_of(page), each.text) for page in WITH_COMMANDS for each in shown_in(page)}
    assert [] == [(each.page, each.shown) for each in substitutes() if (each.page, each.shown) not in shown]


@pytest.mark.parametrize("page", BY_HAND, ids=names(BY_HAND))
def test_commands_stand_in_blocks_that_a_test_runs(page):
    taken_elsewhere = {"sh"} if page.name == "README.md" else set()
    assert set() == languages_of(page) & {"sh", "bash", "shell"} - taken_elsewhere
    assert [] == [info for info in infos_of(page) if not NEEDS.fullmatch(info)]


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_no_link_is_dead(page):
    dead = []
    for link in links_of(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if "://" in link:
            dead += [] if re.fullmatch(r"https://[\w.-]+\.\w+(/[^\s]*)?", link) else [link]
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


@pytest.mark.parametrize("name", COMMANDS)
def test_every_flag_of_a_command_is_in_the_reference(name):
    told = (ROOT / "docs/reference/cli.md").read_text()
    section = told.partition(f"\n## envforge {name}\n")[2].partition("\n## ")[0]
    shared = told.partition("## Flags of every command")[2].partition("\n## ")[0]
    flags = {flag for param in click_command(name).params for flag in param.opts if flag.startswith("-")}
    assert section
    assert set() == {flag for flag in flags - {"-h", "--help"} if flag not in section + shared}


@pytest.mark.parametrize("page", PAGES, ids=names(PAGES))
def test_the_flags_in_sentences_exist(page):
    known = {name: {flag for param in click_command(name).params for flag in param.opts} for name in COMMANDS}
    unknown = []
    for line in inline_in(page):
        words = re.split(r" [|>] ", line)[0].split()[1:]
        pair = " ".join(words[:2])
        flags = {word.partition("=")[0] for word in before_the_program(words) if word.startswith("-")} - {
            "-h",
            "--help",
        }
        unknown += [f"{line}: {flag}" for flag in flags - known.get(pair if pair in COMMANDS else words[0], flags)]
    assert [] == unknown


def before_the_program(words: list[str]) -> list[str]:
    """Leave out what `run` passes on to a program."""
    return words[: words.index("python")] if words[0] == "run" and "python" in words else words


def test_every_page_is_on_the_site():
    listed = set(re.findall(r"[\w/-]+\.md", (ROOT / "docs/site/mkdocs.yml").read_text()))
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert listed == {page for page in pages if not page.startswith("changes/")}


@pytest.mark.slow
def test_the_readmes_first_command_makes_an_environment(tmp_path):
    skip_without_index()
    clone, left_out = tmp_path / "clone", shutil.ignore_patterns(".*", "__pycache__", "tests")
    shutil.copytree(ROOT, clone, ignore=left_out)
    (tmp_path / "home").mkdir()
    fences = re.findall(r"```sh\n(.*?)\n```", (ROOT / "README.md").read_text(), re.DOTALL)
    done = run(next(text for text in fences if "create" in text), clone, kept(HOME=str(tmp_path / "home")))
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "proven to run here" in done.stdout


def test_the_pictures_show_what_the_commands_say_today():
    done = subprocess.run(
        [sys.executable, "docs/pictures/make.py", "--check"], capture_output=True, text=True, cwd=ROOT, check=False
    )
    assert (0, "") == (done.returncode, done.stdout), "run `python docs/pictures/make.py`"


def test_every_picture_is_shown_and_said_in_words():
    shown = {
        name for page in PAGES for name in re.findall(r"!\[[^\]]+\]\([\w./]*pictures/(\w+)\.svg\)", page.read_text())
    }
    assert {path.stem for path in (ROOT / "docs/pictures").glob("*.svg")} == shown
