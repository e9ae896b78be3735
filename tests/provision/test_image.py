"""An environment that came with a container's image: its folder lies in a lower layer, where nothing can be renamed."""

import multiprocessing
import os
import random
import signal
import time
from contextlib import ExitStack

import pytest

from envforge.provision import (
    Place,
    clean,
    delete_entry,
    drift,
    list_environments,
    provision,
    read_environment,
    remove,
    rollback,
)
from envforge.provision.stage import write_journal
from faults.mounts import mounted
from tiny import TinyConda, engines, lock, package, quiet, section

FORK = multiprocessing.get_context("fork")


class Image:
    """Layers over one another; ``commit`` begins a new one, as a step of a Dockerfile does."""

    def __init__(self, stack, root):
        self._disk = stack.enter_context(mounted("tmpfs", root / "disk", "size=200m"))
        self._stack, self.folder, self._layers, self._mount = stack, root / "image", [], ExitStack()
        (self._disk / "base").mkdir()
        self.commit()

    @property
    def envs(self):
        return self.folder / "envs"

    def commit(self):
        self._mount.close()
        lower = ":".join(str(self._disk / each) for each in [*reversed(self._layers), "base"])
        self._layers.append(f"layer{len(self._layers)}")
        upper, work = self._disk / self._layers[-1], self._disk / f"work{len(self._layers)}"
        upper.mkdir()
        work.mkdir()
        self._mount = self._stack.enter_context(ExitStack())
        told = f"lowerdir={lower},upperdir={upper},workdir={work}"
        self._mount.enter_context(mounted("overlay", self.folder, told))


@pytest.fixture
def image(tmp_path):
    with ExitStack() as stack:
        yield Image(stack, tmp_path)


def version(number):
    return section(package("python", "3.11.7"), *(package(f"p{each}", str(number)) for each in range(4)))


def make(image, number):
    part = version(number)
    tools = engines(TinyConda(files=6))
    return provision(lock(part), part, image.envs / "demo", engines=tools, packages=image.folder / "pkgs", emit=quiet)


def left(image):
    return sorted(path.name for path in image.envs.iterdir())


def test_it_is_updated_and_rolled_back(image):
    old = make(image, 1)
    (image.envs / "demo/mine").write_text("precious")
    image.commit()
    new = make(image, 2)
    assert version(2) == new.section
    assert "precious" == (image.envs / ".demo.envforge-previous/mine").read_text()
    image.commit()
    assert old == rollback(image.envs / "demo", emit=quiet)
    assert ("precious", True) == ((image.envs / "demo/mine").read_text(), drift(old).clean)
    image.commit()
    assert new == rollback(image.envs / "demo", emit=quiet)
    assert [".demo.envforge-lock", ".demo.envforge-previous", "demo"] == left(image)


def test_the_generation_before_goes_with_the_second_update(image):
    for number in (1, 2, 3):
        make(image, number)
        image.commit()
    assert version(4) == make(image, 4).section
    assert version(3) == rollback(image.envs / "demo", emit=quiet).section
    assert [".demo.envforge-lock", ".demo.envforge-previous", "demo"] == left(image)


def test_it_is_removed_with_its_previous_generation(image):
    make(image, 1)
    make(image, 2)
    image.commit()
    remove(image.envs / "demo", registry=image.folder / "registry", emit=quiet)
    assert [] == left(image)
    assert version(3) == make(image, 3).section


def test_an_entry_of_its_cache_is_deleted(image):
    entry = image.folder / "pkgs/numpy-2.0-0"
    (entry / "info").mkdir(parents=True)
    image.commit()
    delete_entry(entry)
    assert [] == list(entry.parent.iterdir())


def work(image, kind, number):
    if kind == "make":
        make(image, number)
    elif kind == "remove":
        remove(image.envs / "demo", registry=image.folder / "registry", emit=quiet)
    else:
        rollback(image.envs / "demo", emit=quiet)


def killed(image, kind, number, after_s):
    child = FORK.Process(target=work, args=(image, kind, number))
    child.start()
    time.sleep(after_s)
    os.kill(child.pid, signal.SIGKILL)
    child.join(10)


@pytest.mark.parametrize("seed", range(2))
def test_killed_at_any_moment_it_is_whole_or_comes_back(image, seed):
    chance = random.Random(seed)
    make(image, 0)
    for number in range(1, 26):
        image.commit()
        kind = chance.choice(["make", "make", "rollback"])
        killed(image, kind, number, chance.uniform(0.005, 0.04))
        clean(image.envs, (), emit=quiet)
        assert [True] == [drift(each).clean for each in list_environments(image.envs, image.folder / "registry")]
    image.commit()
    killed(image, "remove", 0, chance.uniform(0.005, 0.02))
    assert version(99) == make(image, 99).section


def test_a_swap_that_was_cut_while_it_deleted_is_undone(tmp_path):
    envs, tools = tmp_path / "envs", engines(TinyConda())
    old = provision(lock(version(1)), version(1), envs / "demo", engines=tools, packages=tmp_path, emit=quiet)
    new = provision(lock(version(2)), version(2), envs / "demo", engines=tools, packages=tmp_path, emit=quiet)
    stage = envs / ".demo.envforge-4711-1"
    stage.mkdir()
    write_journal(stage, Place.at(envs / "demo"), new.created)
    (envs / "demo").rename(stage / "prefix")
    (envs / ".demo.envforge-previous").rename(stage / "old")
    (envs / "demo/conda-meta").mkdir(parents=True)
    assert (stage,) == clean(envs, (), emit=quiet)
    assert old == read_environment(envs / "demo")
    assert [".demo.envforge-lock", "demo"] == sorted(path.name for path in envs.iterdir())
