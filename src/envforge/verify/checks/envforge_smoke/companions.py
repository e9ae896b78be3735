"""What is compiled against torch, and was installed with it, loads."""

import importlib.util
import subprocess
import sys

from envforge_smoke.outcomes import Failed, Skipped

IMPORT = "import importlib, sys\nprint(getattr(importlib.import_module(sys.argv[1]), '__version__', None))"
# torchvision 0.28.0 of the default index, beside torch 2.13.0+cpu:
# RuntimeError: operator torchvision::nms does not exist
NO_NMS = "torchvision::nms does not exist"


def companions(bench):
    """Each companion that is installed is imported by a Python of its own."""
    found = [name for name in bench.settings["names"] if importlib.util.find_spec(name)]
    if not found:
        raise Skipped("S_MODULE", "no companion of torch is installed")
    answers = {name: _imported(name) for name in found}
    broken = {name: said for name, (well, said) in answers.items() if not well}
    measured = {name: said for name, (well, said) in answers.items()}
    if broken:
        pair = any(NO_NMS in said for said in broken.values())
        text = "; ".join("%s: %s" % each for each in sorted(broken.items()))
        raise Failed("E_PAIR" if pair else "E_COMPANION", text, measured)
    return measured


def _imported(name):
    """Say whether a fresh Python imports it, and its version, or the last words of what it said."""
    isolated = ["-I"] if sys.flags.isolated else []
    done = subprocess.run(
        [sys.executable, *isolated, "-c", IMPORT, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False
    )
    said = done.stderr if done.returncode else done.stdout
    last = said.decode("utf-8", "replace").strip().split("\n")[-1][:300]
    if done.returncode < 0:
        last = "ended by signal %d: %s" % (-done.returncode, last)
    return done.returncode == 0, last
