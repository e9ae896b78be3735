"""The jobs of a CI matrix, for people and in the words of GitHub and GitLab."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from envforge.model import value
from envforge.report.facts import table
from envforge.report.page import Page
from envforge.wire import to_plain, write_yaml


@value
class Job:
    """One job of CI: what it makes, for which target, on which runner, and the key of its cache.

    ``target`` is None for the machine that decides, ``gpu`` says that only a machine with a GPU can prove it.
    ``key`` changes with what is locked for the target, and is None where nothing is.
    """

    spec: str
    target: str | None
    subdir: str
    gpu: bool
    python: str
    torch: str
    cuda: str | None
    driver: str | None
    runner: str | None
    key: str | None


HERE = "this machine"


def jobs_page(jobs: Sequence[Job]) -> Page:
    """Show the jobs as a table."""
    head = ("target", "torch", "cuda", "python", "runner", "cache key")
    return table(head, [_cells(each) for each in jobs])


def _cells(job: Job) -> tuple[str, ...]:
    cuda, key = job.cuda or "cpu", job.key or "none"
    return job.target or HERE, job.torch, cuda, job.python, job.runner or "any", key


def github_matrix(jobs: Sequence[Job]) -> str:
    """Write one line of JSON that ``fromJSON`` makes a ``strategy.matrix`` of."""
    return json.dumps({"include": [to_plain(each) for each in jobs]}, separators=(",", ":")) + "\n"


def gitlab_matrix(jobs: Sequence[Job]) -> str:
    """Write two templates of jobs to extend: one that makes every environment, one that proves those for a GPU."""
    prove = [_variables(each) | {"RUNNER": each.runner} for each in jobs if each.gpu]
    templates: dict[str, Any] = {".envforge-make": _parallel([_variables(each) for each in jobs])}
    return write_yaml(templates | ({".envforge-prove": _parallel(prove)} if prove else {}))


def _parallel(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"parallel": {"matrix": rows}}


def _variables(job: Job) -> dict[str, Any]:
    """Give the variables of a job: envforge's own flags, and the key that ``cache: key`` takes."""
    return {"ENVFORGE_SPEC": job.spec, "ENVFORGE_TARGET": job.target or "", "CACHE_KEY": job.key or ""}
