"""`envforge matrix`: the jobs that CI needs for a spec, one for each target."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from envforge.cli.asking import read_machines, read_spec
from envforge.cli.common import (
    Answer,
    Channels,
    FindLinks,
    Indexes,
    Offline,
    SpecFile,
    Talk,
    Target,
    Timeout,
    command,
)
from envforge.cli.deciding import Decision, decide
from envforge.cli.fitting import find_lock, lock_path, misfit
from envforge.cli.overlays import facts_here
from envforge.errors import Stale, UsageError
from envforge.facts import Facts
from envforge.model import Candidate, Choice, Lock, Machine, Section, Spec
from envforge.plan import floor_of
from envforge.provision import section_digest
from envforge.report.matrix import Job, github_matrix, gitlab_matrix, jobs_page
from envforge.report.page import Page, join
from envforge.report.plan import plan_page
from envforge.report.shapes import plan_shape

KEY_DIGITS = 16


class Form(StrEnum):
    """Who reads the matrix."""

    TABLE = "table"
    GITHUB = "github"
    GITLAB = "gitlab"
    KEY = "key"


Format = Annotated[
    Form,
    typer.Option(
        "--format",
        envvar="ENVFORGE_MATRIX_FORMAT",
        help="Who reads it: people, GitHub, GitLab; `key` is one cache key alone.",
    ),
]
Gpu = Annotated[
    bool, typer.Option("--gpu", envvar="ENVFORGE_MATRIX_GPU", help="Only those that need a GPU to be proven.")
]
Runner = Annotated[
    list[str] | None,
    typer.Option(
        "--runner",
        envvar="ENVFORGE_MATRIX_RUNNER",
        metavar="TARGET=LABEL",
        help="Label of a target's runner; default: the target's name, where it needs a GPU.",
    ),
]


@command(
    examples=(
        "envforge matrix cluster.yaml",
        "envforge matrix cluster.yaml --format github --gpu --runner a100=dgx",
        "envforge matrix cluster.yaml --format gitlab > child.yml",
        "envforge matrix cluster.yaml --target a100 --format key",
    )
)
def matrix(
    talk: Talk,
    spec: SpecFile,
    target: Target = None,
    form: Format = Form.TABLE,
    gpu: Gpu = False,
    runner: Runner = None,
    channel: Channels = None,
    index_url: Indexes = None,
    find_links: FindLinks = None,
    offline: Offline = False,
    timeout: Timeout = None,
) -> Answer:
    """Write a CI matrix: for each target of a spec what it gets, its runner, and a cache key.

    What is locked is told as it is locked, and its key changes when that does. What is not, is decided as `plan`
    does, and has no key. Exit 1 where a target has nothing that serves it.
    """
    wanted = read_spec(spec, channels=channel, indexes=index_url, find_links=find_links)
    facts, lock, labels = facts_here(), find_lock(spec), _labels(runner, wanted)
    named = bool(target or wanted.targets)
    found: list[Job] = []
    refused: list[Decision] = []
    for machine in read_machines(None, wanted, target, facts, targets=True):
        section = _locked(lock, wanted, machine, facts, machine.name if named else None)
        if section:
            found.append(_job(wanted, machine, section.candidate, section, facts, named=named))
            continue
        decided = decide(talk, wanted, (machine,), facts, ask_all=False, offline=offline, timeout_s=timeout)
        if isinstance(decided.outcome, Choice):
            found.append(_job(wanted, machine, decided.outcome.best, None, facts, named=named))
        else:
            refused.append(decided)
    if refused:
        return _no_way(talk, spec, refused)
    labelled = (replace(each, runner=labels.get(each.target or "", each.runner)) for each in found)
    jobs = tuple(each for each in labelled if each.gpu or not gpu)
    if open_ := [f"`{each.target}`" if each.target else "this machine" for each in jobs if each.key is None]:
        talk.warn(f"not locked, so without a cache key: {', '.join(open_)}")
    return Answer(data={"spec": str(spec), "include": jobs}, page=lambda: _written(spec, form, jobs))


def _labels(given: list[str] | None, spec: Spec) -> dict[str, str]:
    """Read ``TARGET=LABEL`` words. Raises UsageError for a target that the spec does not have."""
    known = [each.name for each in spec.targets]
    labels = dict(word.partition("=")[::2] for word in given or ())
    for name, label in labels.items():
        if name not in known or not label:
            hints = (f"its targets are {', '.join(f'`{each}`' for each in known)}",) if known else ()
            raise UsageError(f"`--runner {name}={label}` names no target and label", (spec.where("targets"),), hints)
    return labels


def _locked(lock: Lock | None, spec: Spec, machine: Machine, facts: Facts, target: str | None) -> Section | None:
    """Find the section that `create` would use; whether its Python is at hand is for the runner to know."""
    sections = lock.sections if lock else ()
    fits = (
        each
        for each in sections
        if target in (None, each.target)
        and lock
        and misfit(lock, replace(each, interpreter=None), spec, machine, facts) is None
    )
    return next(fits, None)


def _job(spec: Spec, machine: Machine, best: Candidate, section: Section | None, facts: Facts, *, named: bool) -> Job:
    cuda, target = best.build.cuda, machine.name if named else None
    floor = section.floor if section else floor_of(best.build, machine.subdir or best.build.subdir, facts)
    return Job(
        spec=spec.origin,
        target=target,
        subdir=floor.subdir,
        gpu=cuda is not None,
        python=best.python,
        torch=str(best.build.torch),
        cuda=None if cuda is None else str(cuda),
        driver=None if floor.driver is None else str(floor.driver),
        runner=target if cuda is not None else None,
        key=f"envforge-{floor.subdir}-{section.target}-{_digits(section)}" if section else None,
    )


def _digits(section: Section) -> str:
    return section_digest(section).rpartition(":")[2][:KEY_DIGITS]


def _no_way(talk: Talk, spec: Path, refused: list[Decision]) -> Answer:
    """Tell every conflict; there is no matrix."""

    def page() -> Page:
        verbose = talk.verbose > 0
        pages = (plan_page(each.spec.name, each.machines, each.outcome, verbose=verbose) for each in refused)
        return join(*pages)

    plans = [plan_shape(each.spec.origin, [it.name for it in each.machines], each.outcome) for each in refused]
    return Answer(data={"spec": str(spec), "include": None, "refused": plans}, page=page, exit=1)


def _written(spec: Path, form: Form, jobs: tuple[Job, ...]) -> Page | str:
    """Write the matrix in the form asked for. Raises UsageError, Stale where there is no one key."""
    if form is Form.TABLE:
        return jobs_page(jobs)
    if form is not Form.KEY:
        return github_matrix(jobs) if form is Form.GITHUB else gitlab_matrix(jobs)
    if len(jobs) != 1:
        raise UsageError(
            f"there are {len(jobs)} targets, and one key was asked for", (str(spec),), ("name one with `--target`",)
        )
    if jobs[0].key is None:
        raise Stale(
            "nothing that fits is locked, so there is no cache key",
            (str(lock_path(spec)),),
            (f"make it with `envforge lock {spec}`",),
        )
    return f"{jobs[0].key}\n"
