"""The page that shows what runs: made of the facts, whole in one file, and of one mind with the resolver."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest

from cases.outcomes import ORDER, facts, machine
from docs.pages import ROOT
from envforge.detect import read_machine
from envforge.model import Candidate, Machine
from envforge.resolve.constraints import machine_rules

PAGE = ROOT / "docs/reference/runs.html"
SCRIPT = ROOT / "docs/reference/runs/runs.js"
RULES = frozenset({"driver-floor", "branch-card", "kernels", "tegra"})
JETSON = '{driver: "580.65.06", gpus: ["%s"], subdir: linux-aarch64, glibc: "2.39"}'
MACHINES = {name: machine(name) for name in ORDER if machine(name).gpus} | {
    name: read_machine(JETSON % name, name, facts()) for name in ("Orin", "NVIDIA Thor")
}

ASK = """
const { verdictOf, deviceOf, specifier } = require(process.argv[1]);
const { facts, asked } = JSON.parse(require("fs").readFileSync(0, "utf8"));
const answers = asked.map(({ subdir, gpu, driver }) =>
  facts.builds[subdir].map((build) => verdictOf(facts, build, deviceOf(facts, gpu), driver).runs));
const words = ["2.8", "==2.8.*", ">=2.6,<2.9", "nonsense"].map((word) => {
  const fits = specifier(word);
  return fits && ["2.5.1", "2.6.0", "2.8.0", "2.9.0"].filter(fits);
});
console.log(JSON.stringify({ answers, words }));
"""


def told() -> dict:
    text = re.search(r'<script type="application/json" id="facts">(.*?)</script>', PAGE.read_text(), re.DOTALL)
    return json.loads(text[1].replace("<\\/", "</"))


@pytest.fixture(scope="module")
def node():
    """Ask the page's own script, without a browser."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("there is no node to run the page's script")
    asked = [{"subdir": m.subdir, "gpu": m.gpus[0].name, "driver": m.driver.version.text} for m in MACHINES.values()]
    sent = json.dumps({"facts": told(), "asked": asked})
    done = subprocess.run([program, "-e", ASK, str(SCRIPT)], input=sent, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def of_the_resolver(there: Machine) -> list[bool | None]:
    """Ask the resolver's rules of driver and card about every build, in the order of the page."""
    rules = [rule for rule in machine_rules(there, facts()) if rule.rule in RULES]
    builds = {
        (str(b.torch), b.variant + " (Jetson)" * b.tegra, _source(b.source), b.cuda and str(b.cuda)): b
        for b in facts().builds(there.subdir)
    }
    found = []
    for torch, cuda, variant, source, *_ in told()["builds"][there.subdir]:
        build = builds[torch, variant, source, cuda]
        candidate = Candidate(python=build.pythons[-1], build=build)
        answers = [rule.allows(candidate) for rule in rules]
        found.append(False if False in answers else None if None in answers else True)
    return found


def _source(source: str) -> str:
    return f"channel {source.rpartition('/')[2]}" if "://" in source else source


def test_the_page_is_made_of_the_facts():
    command = [sys.executable, "docs/reference/runs/make.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
    assert (0, "") == (done.returncode, done.stdout), "run `python docs/reference/runs/make.py`"


@pytest.mark.parametrize("at", range(len(MACHINES)), ids=MACHINES)
def test_the_page_says_of_every_build_what_the_resolver_says(node, at):
    assert of_the_resolver(list(MACHINES.values())[at]) == node["answers"][at]


def test_versions_of_torch_are_asked_for_as_in_a_spec(node):
    assert [["2.8.0"], ["2.8.0"], ["2.6.0", "2.8.0"], None] == node["words"]


def test_the_page_asks_nothing_of_the_network():
    text = PAGE.read_text()
    assert [] == re.findall(r"""(?:src|href)=["']?(?:https?:)?//""", text)
    assert [] == re.findall(r"@import|fetch\(|XMLHttpRequest|url\(", text)


def test_every_card_of_the_facts_can_be_asked_for():
    found = told()
    assert set(facts().cards.names) == set(found["cards"])
    assert [] == [
        name
        for name, at in found["cards"].items()
        if str(facts().card(name).capability) != found["devices"][at]["capability"]
    ]
