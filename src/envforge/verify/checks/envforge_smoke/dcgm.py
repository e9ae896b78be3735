"""NVIDIA's own diagnostic, when it is installed and asked for: hardware is its trade."""

import json
import shutil
import subprocess

from envforge_smoke.outcomes import Failed, Skipped, Unclear


def dcgm_diag(bench):
    """``dcgmi diag`` at the level that the settings name; each of its failed tests is named."""
    program = shutil.which("dcgmi")
    if program is None:
        raise Skipped("S_MODULE", "`dcgmi` is not installed")
    level = str(bench.settings["level"])
    argv = [program, "diag", "-r", level, "-j"]
    done = subprocess.run(
        argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=bench.settings["limit"]
    )
    text = done.stdout.decode("utf-8", "replace")
    try:
        said = json.loads(text[text.index("{") :])
    except ValueError as error:
        raise Unclear("E_DCGM_SILENT", "`dcgmi diag` said: %s" % " ".join(text.split())[-300:]) from error
    results = list(_results(said))
    failed = sorted({name for name, status in results if status.lower() == "fail"})
    measured = {"level": level, "tests": len(results), "failed": failed}
    if failed:
        raise Failed("E_DCGM", "failed: %s" % ", ".join(failed), measured)
    if not any(status.lower() == "pass" for _, status in results):
        raise Unclear("E_DCGM_SILENT", "no test of `dcgmi diag` passed or failed", measured)
    return measured


def _results(said):
    """(test, status) wherever a version of DCGM puts them: tests hold results or a status, at some depth."""
    stack = [("", said)]
    while stack:
        name, here = stack.pop()
        if isinstance(here, dict):
            name = here.get("name", name)
            if isinstance(here.get("status"), str):
                yield name, here["status"]
            stack += [(name, part) for part in here.values()]
        elif isinstance(here, list):
            stack += [(name, part) for part in here]
