"""Start the real command line, as users do."""

import json
import os
import subprocess
import sys

QUIET = {"CI", "FORCE_COLOR", "CLICOLOR_FORCE", "NO_COLOR", "COLUMNS"}


def envforge(*words, cwd=None, stdin="", deadline_s=250, **environ):
    """Run ``python -m envforge`` in a plain environment; variables in capitals go to it."""
    kept = {key: text for key, text in os.environ.items() if not key.startswith("ENVFORGE_") and key not in QUIET}
    return subprocess.run(
        [sys.executable, "-m", "envforge", *map(str, words)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=cwd,
        input=stdin,
        env={**kept, "PYTHONIOENCODING": "utf-8", **environ},
        timeout=deadline_s,
        check=False,
    )


def envelope(done):
    """Read the one JSON document, and hold what every envelope promises."""
    document = json.loads(done.stdout)
    assert ["schema", "command", "ok", "exit", "data", "errors"] == list(document)
    assert "envforge/1" == document["schema"]
    assert (done.returncode == 0, done.returncode) == (document["ok"], document["exit"])
    return document
