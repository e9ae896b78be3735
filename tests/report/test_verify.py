"""Check results for people, CI systems and programs."""

from dataclasses import replace
from xml.etree import ElementTree

import pytest

from envforge.errors import SpecError
from envforge.model import CheckResult, SmokeReport
from envforge.report.github import error_annotations, result_annotations, summary
from envforge.report.junit import junit
from envforge.report.shapes import verify_shape
from envforge.report.verify import place_text, verify_page
from report.test_text import shown

RESULTS = (
    CheckResult(check="import", device=None, outcome="pass", took_s=1.5, detail="torch 2.13.0"),
    CheckResult(
        check="kernel",
        device="cuda:0",
        outcome="fail",
        took_s=0.25,
        detail="no kernel image is available\nfor sm_61",
        code="kernel-image",
        measured={"sums_wrong": 3},
    ),
    CheckResult(check="peer|copy", device="cuda:1", outcome="inconclusive", took_s=0.0, detail="took 100% too long"),
    CheckResult(check="fp8", device="cuda:0", outcome="skip", took_s=0.0, detail="needs 8.9\x1b"),
)
REPORT = SmokeReport(python="/envs/vision/bin/python", torch="2.13.0", cuda="12.6", machine="box", results=RESULTS)


def test_the_page_names_each_check_and_explains_all_but_passes():
    text = shown(verify_page(REPORT))
    assert "torch 2.13.0 with CUDA 12.6  on box, `/envs/vision/bin/python`\n" in text
    assert "  ✓ import  1.50 s\n" in text
    assert "  ✗ kernel on cuda:0  0.25 s\n" in text
    assert "for sm_61 (`kernel-image`)" in text
    assert "torch 2.13.0\n" not in text
    assert text.endswith("does not run here  (1 pass, 1 fail, 1 inconclusive, 1 skip)\n")


def test_the_shape_has_the_contracts_keys():
    shape = verify_shape(REPORT)
    assert ["python", "torch", "cuda", "machine", "devices", "driver", "when", "verdict", "results"] == list(shape)
    assert {
        "check": "kernel",
        "device": "cuda:0",
        "outcome": "fail",
        "code": "kernel-image",
        "took_s": 0.25,
        "detail": "no kernel image is available\nfor sm_61",
        "measured": {"sums_wrong": 3},
    } == shape["results"][1]


def test_junit_counts_and_carries_every_result():
    suite = ElementTree.fromstring(junit(REPORT).encode())
    counts = [suite.get(name) for name in ("tests", "failures", "errors", "skipped")]
    assert ["4", "1", "1", "1"] == counts
    assert ["import", "kernel", "peer|copy", "fp8"] == [case.get("name") for case in suite]
    assert "kernel-image" == suite.find("testcase/failure").get("type")


def test_github_annotations_escape_what_the_workflow_would_read():
    expected = [
        "::error title=envforge%3A kernel on cuda%3A0::no kernel image is available%0Afor sm_61",
        "::warning title=envforge%3A peer|copy on cuda%3A1::took 100%25 too long",
    ]
    assert expected == list(result_annotations(REPORT))


def test_a_spec_error_is_annotated_on_its_line():
    error = SpecError("unknown key `pyton`", ("envspecs/vision.yaml:2:1",), ("did you mean `python`?",))
    expected = (
        "::error file=envspecs/vision.yaml,line=2,title=envforge::unknown key `pyton`%0Aenvspecs/vision.yaml:2:1"
        "%0Ahint: did you mean `python`?"
    )
    assert [expected] == list(error_annotations(error))


def test_the_step_summary_is_a_table():
    assert "| peer\\|copy | cuda:1 | inconclusive | took 100% too long |" in summary(REPORT)


def test_checks_skipped_for_one_reason_share_a_line():
    skips = [
        CheckResult(check=name, device=None, outcome="skip", took_s=0.0, detail="no torch", code="S_NO_DEVICE")
        for name in ("fft", "rng", "linalg")
    ]
    report = replace(REPORT, results=(RESULTS[1], *skips))
    text = shown(verify_page(report))
    assert "  – 3 checks skipped: no torch (`S_NO_DEVICE`)\n      fft, rng, linalg\n" in text
    assert "  – rng\n" in shown(verify_page(report, verbose=True))


def test_a_pass_with_a_code_is_a_warning_everywhere():
    noted = CheckResult(check="rate", device="cuda:0", outcome="pass", took_s=0.0, detail="slow link", code="W_PCIE")
    report = replace(REPORT, results=(RESULTS[0], noted))
    text = shown(verify_page(report))
    assert "  ! rate on cuda:0\n      slow link (`W_PCIE`)\n" in text
    assert text.endswith("proven to run here  (2 pass, 1 with a warning)\n")
    assert ["::warning title=envforge%3A rate on cuda%3A0::slow link"] == list(result_annotations(report))
    assert "W_PCIE: slow link" == ElementTree.fromstring(junit(report).encode()).findtext("testcase/system-out")


@pytest.mark.parametrize(
    ("devices", "driver", "text"),
    [
        ((), None, "box"),
        (("Xeon",), None, "Xeon"),
        (("H100", "H100"), "580.65.06", "2 × H100, driver 580.65.06"),
        (("A100", "H100"), None, "A100, H100"),
    ],
)
def test_where_checks_ran_is_said_by_card_and_driver(devices, driver, text):
    assert text == place_text(replace(REPORT, devices=devices, driver=driver))


def test_a_cuda_build_that_found_no_gpu_is_proven_on_the_cpu_alone():
    on_cpu = CheckResult(check="fft", device="cpu", outcome="pass", took_s=0.1)
    page = shown(verify_page(replace(REPORT, cuda="13.0", results=(on_cpu,))))
    assert page.endswith("proven to run here, on the CPU alone  (1 pass)\n")


def test_what_xml_cannot_carry_is_left_out():
    odd = CheckResult(check="fft", device="cpu", outcome="fail", took_s=0.1, detail="a\x00b\ud800c\uffffd\U0001f600")
    text = junit(replace(REPORT, results=(odd,)))
    assert "abcd\U0001f600" == ElementTree.fromstring(text.encode()).find("testcase/failure").get("message")
