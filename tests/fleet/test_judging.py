"""Medians of a fleet, whose fault a code is, and which nodes are drained."""

import pytest

from envforge.fleet.compare import compare
from envforge.fleet.faults import Drain, Meaning, drains, faults_of
from envforge.verify import codes, explain

CARD = "NVIDIA H100 80GB HBM3"


def rate(share: float) -> dict:
    """A report of one GPU that reaches so much of what is usual."""
    measured = {"tflop_per_s": 600.0 * share, "format": "bf16", "n": 8192, "card": CARD}
    return {"results": [{"check": "perf_gemm", "device": "cuda:0", "outcome": "pass", "measured": measured}]}


def fault(check: str, code: str, device: str | None = None) -> dict:
    entry = {"check": check, "device": device, "outcome": "fail", "code": code, "detail": "it said so", "measured": {}}
    return {"results": [entry]}


def meaning(code):
    found = explain(code)
    return Meaning(name=found.name, layer=found.layer) if found else None


def test_a_device_is_held_against_its_siblings():
    reports = {"n1": rate(1), "n2": rate(1.01), "n3": rate(0.99), "n4": rate(0.92), "n5": rate(0.8)}
    medians, slow = compare(reports)
    assert [(CARD, 5, 594.0)] == [(each.card, each.devices, each.amount) for each in medians]
    assert [("n5", "quarantine"), ("n4", "warn")] == [(each.rate.node, each.level) for each in slow]


def test_two_devices_have_no_median():
    assert ((), ()) == compare({"n1": rate(1), "n2": rate(0.5)})


def test_only_products_of_one_size_are_compared():
    small = rate(0.5)
    small["results"][0]["measured"]["n"] = 1024
    _, slow = compare({"n1": rate(1), "n2": rate(1), "n3": rate(1), "n4": small})
    assert () == slow


@pytest.mark.parametrize(
    ("code", "side"),
    [
        ("E_ECC", "node"),
        ("gpu-ecc-uncorrectable", "node"),
        ("E_CUINIT_802", "node"),
        ("fabricmanager-not-running", "node"),
        ("E_OOM", "setup"),
        ("E_IMPORT", "environment"),
        ("driver-too-old-for-torch", "environment"),
        ("E_EXCEPTION", "unknown"),
        ("E_NOBODY_KNOWS", "unknown"),
    ],
)
def test_a_code_has_its_side(code, side):
    assert [side] == [each.side for each in faults_of("n1", fault("x", code), meaning)]


def test_every_code_that_sides_name_exists():
    from envforge.fleet.faults import _sides

    assert set() == {code for row in _sides().values() for code in row["codes"]} - set(codes())


def test_only_a_node_that_is_ill_is_drained_and_the_reason_is_one_word_of_a_shell():
    found = [
        *faults_of("n1", fault("memory_pattern", "E_ECC", "cuda:1"), meaning),
        *faults_of("n2", fault("import_torch", "E_IMPORT"), meaning),
        *faults_of("n3", fault("alloc", "E_OOM", "cuda:0"), meaning),
    ]
    _, slow = compare({f"m{at}": rate(1) for at in range(4)} | {"m9": rate(0.8)})
    ill = drains(found, slow)
    assert [("n1", "envforge:E_ECC cuda:1"), ("m9", "envforge:perf_gemm cuda:0 80% of median")] == [
        (each.node, each.reason) for each in ill
    ]
    assert 'scontrol update nodename=n1 state=drain reason="envforge:E_ECC cuda:1"' == str(ill[0])


def test_a_reason_cannot_leave_its_quotes():
    (ill,) = drains(list(faults_of("n1", fault("x", "E_ECC", '"; rm -rf / #'), meaning)), ())
    assert '"' not in ill.reason
    assert isinstance(ill, Drain)
