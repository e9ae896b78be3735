"""What tests that strike `envforge create` down look at afterwards."""

from cli.calling import envelope
from envforge.provision import drift, list_environments


def assert_whole(home):
    found = list_environments(home.envs, home.root / "state/envforge/prefixes.json")
    assert all(drift(each).clean for each in found)
    return found


def assert_next_one_succeeds(home, spec):
    """The stand-in torch has no code, so a whole environment fails its check (exit 1)."""
    document = envelope(home.create(spec, "--json"))
    assert 1 == document["exit"], document["errors"]
    assert ["demo"] == [each.name for each in assert_whole(home)]
    left = set(home.left()) - {".demo.envforge-previous"}
    assert {".demo.envforge-lock", "demo"} == left
