"""A small runner of composite GitHub actions: expressions, outputs, PATH, and the cache action, as GitHub documents them.

``uses`` knows `actions/cache/restore` and `actions/cache/save`, against a folder in place of GitHub's store.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

TOKEN = re.compile(r"\s*(==|!=|&&|\|\||'(?:[^']|'')*'|[A-Za-z_][\w.-]*)")
EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)


@dataclass
class Ran:
    """What one run of an action left: outputs, the log of each step, and the steps that were not run."""

    outputs: dict[str, str] = field(default_factory=dict)
    logs: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    failed: str | None = None
    summary: str = ""


@dataclass
class Runner:
    """A machine that runs actions in ``folder``; ``store`` is the cache that outlives it."""

    folder: Path
    store: Path
    environ: dict[str, str]

    def run(self, action: Path, **given: str) -> Ran:
        """Run the steps in order; after one that fails no other is run, as without ``always()``."""
        document = yaml.safe_load(action.read_text())
        inputs = {name: str(each.get("default", "")) for name, each in document["inputs"].items()}
        given = {name.replace("_", "-"): text for name, text in given.items()}
        assert set(given) <= set(inputs)
        needed = {name for name, each in document["inputs"].items() if each.get("required")}
        assert needed <= set(given)
        ran, steps = Ran(), dict[str, dict[str, str]]()
        known = {"inputs": inputs | given, "steps": steps}
        (self.folder / "temp").mkdir(parents=True, exist_ok=True)
        (self.folder / "summary").touch()
        for step in document["runs"]["steps"]:
            condition = str(step.get("if", "'true'")).strip().removeprefix("${{").removesuffix("}}")
            if not truth(evaluate(condition, known)):
                ran.left_out.append(step["id"])
                continue
            steps[step["id"]] = self._step(step, known, ran)
            if ran.failed:
                break
        ran.summary = (self.folder / "summary").read_text()
        ran.outputs = {name: fill(each["value"], known) for name, each in document["outputs"].items()}
        return ran

    def _step(self, step: dict[str, Any], known: dict[str, Any], ran: Ran) -> dict[str, str]:
        if "uses" in step:
            return self._cache(step["uses"], {name: fill(text, known) for name, text in step["with"].items()})
        assert step["shell"] == "bash"
        assert "${{" not in step["run"], "what users give must reach scripts as variables"
        output, path = self.folder / "output", self.folder / "path"
        output.write_text("")
        path.write_text("")
        environ = {
            **self.environ,
            **{name: fill(str(text), known) for name, text in step.get("env", {}).items()},
            "GITHUB_ACTIONS": "true",
            "GITHUB_OUTPUT": str(output),
            "GITHUB_PATH": str(path),
            "GITHUB_STEP_SUMMARY": str(self.folder / "summary"),
            "RUNNER_TEMP": str(self.folder / "temp"),
        }
        script = self.folder / "temp" / "script.sh"
        script.write_text(step["run"])
        words = ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)]
        done = subprocess.run(
            words, cwd=self.folder, env=environ, capture_output=True, text=True, timeout=280, check=False
        )
        ran.logs[step["id"]] = done.stdout + done.stderr
        ran.failed = step["id"] if done.returncode else None
        self.environ["PATH"] = ":".join([*path.read_text().split(), self.environ["PATH"]])
        return dict(line.partition("=")[::2] for line in output.read_text().splitlines())

    def _cache(self, action: str, given: dict[str, str]) -> dict[str, str]:
        place, path = self.store / given["key"], Path(given["path"])
        if action.startswith("actions/cache/restore@"):
            if not place.exists():
                return {"cache-hit": ""}
            shutil.copytree(place, path, symlinks=True, dirs_exist_ok=True, copy_function=os.link)
            return {"cache-hit": "true"}
        assert action.startswith("actions/cache/save@")
        shutil.copytree(path, place, symlinks=True, copy_function=os.link)
        return {}


def plain_environ(**more: str) -> dict[str, str]:
    """Give the variables of a fresh machine."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith(("ENVFORGE_", "GITHUB_", "CI"))}
    return {**kept, **more}


def fill(text: str, known: dict[str, Any]) -> str:
    """Put values in the place of ``${{ expressions }}``."""
    return EXPRESSION.sub(lambda match: evaluate(match[1], known), text)


def truth(text: str) -> bool:
    return text not in ("", "false", "0")


def evaluate(expression: str, known: dict[str, Any]) -> str:
    """Evaluate ``a == 'b' && c != ''``: comparisons bind closer than ``&&``, and that closer than ``||``."""
    tokens = TOKEN.findall(expression)
    assert "".join(tokens) == re.sub(r"\s", "", expression), expression
    return _either(tokens, known)


def _either(tokens: list[str], known: dict[str, Any]) -> str:
    for word, left_wins in (("||", True), ("&&", False)):
        if word in tokens:
            at = tokens.index(word)
            left = _either(tokens[:at], known)
            return left if truth(left) is left_wins else _either(tokens[at + 1 :], known)
    if len(tokens) == 3:
        same = _operand(tokens[0], known) == _operand(tokens[2], known)
        return str(same is (tokens[1] == "==")).lower()
    (one,) = tokens
    return _operand(one, known)


def _operand(word: str, known: dict[str, Any]) -> str:
    if word.startswith("'"):
        return word[1:-1].replace("''", "'")
    room, *path = word.split(".")
    if room == "steps":
        step, kind, name = path
        assert kind == "outputs"
        return str(known["steps"].get(step, {}).get(name, ""))
    return str(known[room][path[0]])
