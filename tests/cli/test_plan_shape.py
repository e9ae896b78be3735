"""`plan --json` has the shape that the contract fixes, whatever comes of it."""

from pathlib import Path

import jsonschema
import pytest

from cli.calling import envelope, envforge

ROOT = Path(__file__).parents[2]
H100 = ROOT / "tests/machines/profiles/h100-550.54.yaml"
ALONE = {"PIP_CONFIG_FILE": "/dev/null", "PIP_FIND_LINKS": "", "UV_NO_CONFIG": "1"}
FLEET = """
old: {driver: "470.57.02", gpus: [Tesla K80]}
new: {driver: "580.65.06", gpus: [NVIDIA B200], module: open}
"""

TEXT, NULL = {"type": "string", "minLength": 1}, {"type": "null"}
MAYBE_TEXT = {"type": ["string", "null"]}
COUNT = {"type": ["integer", "null"], "minimum": 0}


def exactly(**properties):
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def many(items, least=0):
    return {"type": "array", "items": items, "minItems": least}


NAMED = {"python": TEXT, "torch": TEXT, "cuda": MAYBE_TEXT, "source": TEXT}
OWNER = {"enum": ["spec", "driver", "card", "system", "source"]}
REASON = exactly(rule=TEXT, owner=OWNER, text=TEXT, where=many(TEXT))
CHOICE = exactly(
    **NAMED,
    build=TEXT,
    kind={"enum": ["conda", "wheel"]},
    companions={"type": "object", "additionalProperties": TEXT},
    native={"type": ["boolean", "null"]},
    reasons=many(REASON, 1),
)
REJECTED = exactly(**NAMED, build=MAYBE_TEXT, rule=TEXT, owner=OWNER, text=TEXT, where=many(TEXT))
WAY_OUT = exactly(gives_up=many(TEXT, 1), gets=exactly(**NAMED), hint=TEXT)
CONFLICT = exactly(cores=many(many(REASON, 1), 1), ways_out=many(WAY_OUT))
MAYBE_CHOICE, MAYBE_CONFLICT = {"anyOf": [NULL, CHOICE]}, {"anyOf": [NULL, CONFLICT]}
PLAN = {
    **exactly(
        spec=TEXT,
        machines=many(TEXT, 1),
        choice=MAYBE_CHOICE,
        rejected=many(REJECTED),
        ranges=many({"type": "object"}),
        unlocks=many(WAY_OUT),
        conflict=MAYBE_CONFLICT,
        covers=many(exactly(machines=many(TEXT, 1), choice=MAYBE_CHOICE, conflict=MAYBE_CONFLICT)),
        warnings=many(exactly(code=TEXT, text=TEXT)),
        download_bytes=COUNT,
        unpacked_bytes=COUNT,
    ),
    "oneOf": [{"properties": {"choice": NULL}}, {"properties": {"conflict": NULL}}],
}


def planned(tmp_path, text, *words):
    spec = tmp_path / "asked.yaml"
    spec.write_text(text)
    data = envelope(envforge("plan", "--offline", spec, *words, "--json", **ALONE))["data"]
    jsonschema.validate({key: data[key] for key in data if key != "why_not"}, PLAN)
    return data


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("name: x", "choice"),
        ("name: x\nwith: [torchvision]\ncuda: '12.6'", "choice"),
        ("name: x\ngpu: none", "choice"),
        ("name: x\ncuda: '13.0'", "conflict"),
        ("name: x\ntorch: '99'", "conflict"),
        ("name: x\nsources: ['https://mirror.example.org/simple']", "conflict"),
    ],
)
def test_a_choice_and_a_conflict_have_the_shape_of_the_contract(tmp_path, text, what):
    assert planned(tmp_path, text, "--machine", H100)[what]


def test_covers_have_the_shape_of_the_contract(tmp_path):
    fleet = tmp_path / "fleet.yaml"
    fleet.write_text(FLEET)
    data = planned(tmp_path, "name: x\nsources: [pytorch]", "--machine", fleet)
    assert [["new"], ["old"]] == sorted(cover["machines"] for cover in data["covers"])


def test_a_conflict_names_what_was_rejected(tmp_path):
    data = planned(tmp_path, "name: x\ncuda: '13.0'", "--machine", H100)
    assert {"13.0"} <= {each["cuda"] for each in data["rejected"]}


def test_why_not_adds_the_builds_that_were_asked_after(tmp_path):
    missed = planned(tmp_path, "name: x", "--machine", H100, "--why-not", "torch=2.15")["why_not"]
    jsonschema.validate(missed, many(exactly(**NAMED, build=MAYBE_TEXT, reasons=many(REASON)), 1))


def test_a_source_that_was_not_asked_is_said_once(tmp_path):
    spec = tmp_path / "asked.yaml"
    spec.write_text("name: x\nsources: [pytorch, 'https://mirror.example.org/simple']")
    done = envforge("plan", "--offline", spec, "--machine", H100, COLUMNS="200", **ALONE)
    assert (0, "") == (done.returncode, done.stderr)
    assert 1 == done.stdout.count("mirror.example.org/simple")
    assert "`https://mirror.example.org/simple` was not asked: offline" in done.stdout
