"""The rules as prose: complete, acyclic, compiled, and printed as a reference."""

import json
import re
from pathlib import Path

import pytest

from envforge.doctor import load_rules
from envforge.doctor.compiling import HERE, PAGE, causes_first, compile_rulebook
from envforge.doctor.reference import write_reference

ROOT = Path(__file__).parents[2]
RULES = load_rules()


def test_the_compiled_rulebook_equals_the_yaml():
    assert compile_rulebook() == (HERE / "rulebook.json").read_text(encoding="utf-8")


def test_the_reference_page_equals_the_rules():
    assert write_reference(RULES) == (ROOT / PAGE).read_text(encoding="utf-8")


def test_there_are_154_rules():
    assert 154 == len({rule.id for rule in RULES})


def test_every_id_has_its_own_anchor():
    page = write_reference(RULES)
    assert [rule.id for rule in RULES if page.count(f"\n### {rule.id}\n") != 1] == []


def test_causes_are_rules():
    ids = {rule.id for rule in RULES}
    assert [] == [name for rule in RULES for name in rule.rule_out_first if name not in ids]


def test_a_circle_of_causes_is_refused():
    rows = [{"id": "a", "rule_out_first": ["b"]}, {"id": "b", "rule_out_first": ["a"]}]
    with pytest.raises(ValueError, match="cycle"):
        causes_first(rows)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_a_rule_is_complete(rule):
    assert rule.severity in ("blocker", "degraded", "advisory", "info")
    assert rule.place in ("host", "container", "environment")
    assert rule.remedy
    assert not rule.title.endswith(".")
    assert rule.why.endswith(".")
    for pattern in rule.prints:
        re.compile(pattern)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_the_last_sentence_of_a_rule_needs_no_value_unless_its_signs_give_them(rule):
    assert all(sentence.endswith((".", "}")) or "here" in sentence for sentence in rule.says)


def test_the_rulebook_is_plain_json():
    assert {"known", "rules"} == set(json.loads((HERE / "rulebook.json").read_text(encoding="utf-8")))
