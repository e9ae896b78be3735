"""The doctor's answers for people and programs."""

import io
from xml.etree import ElementTree

import pytest

from envforge.doctor import load_rules
from envforge.model import ABSENT, Crashed, Finding, Gpu, Machine, Patient, Remedy, Rule, Skipped, Undetermined
from envforge.report.doctor import doctor_page, doctor_shape
from envforge.report.github import answer_annotations
from envforge.report.junit import doctor_junit
from envforge.report.links import rules_page, speaks_links
from envforge.report.page import Line
from envforge.report.sections import AREAS, sections
from envforge.report.text import STYLES, console, show, wrap
from report.test_text import shown

APT = "sudo apt install nvidia-fabricmanager-580 && sudo systemctl enable --now nvidia-fabricmanager.service"
FABRIC = Finding(
    id="fabricmanager-not-running",
    severity="blocker",
    certainty="likely",
    title="The fabric manager does not run",
    says="CUDA is not ready (802).",
    place="host",
    evidence=("4 NVSwitch devices",),
    remedy=(
        Remedy(text="Install it", run=APT, distro=("debian", "ubuntu")),
        Remedy(text="Install it", run="sudo dnf install nvidia-fabric-manager", distro=("rhel",)),
    ),
    references=("https://docs.nvidia.com/datacenter/tesla/fabric-manager-user-guide/",),
    explains=("cuda-init-fails",),
)
ANSWERS = (FABRIC, Skipped(id="driver-eol", missing=("nvml",)), Crashed(id="broken", error="KeyError: 'x'"))


def test_a_finding_says_what_and_what_to_do_for_this_distribution():
    text = shown(doctor_page("blocked", ANSWERS, distro="ubuntu"))
    assert text.startswith("blocked: GPU work cannot run  (1 blocker)\n")
    assert "[✗] The fabric manager does not run  likely, fabricmanager-not-running\n" in text
    assert "apt install" in text
    assert "dnf install" not in text
    assert "4 NVSwitch devices" not in text


def test_a_command_to_copy_never_wraps():
    assert f"        {APT}\n" in shown(doctor_page("blocked", ANSWERS, distro="debian"), COLUMNS="50")


def test_an_unknown_distribution_gets_every_remedy_and_verbose_too():
    assert "dnf install" in shown(doctor_page("blocked", ANSWERS, distro="gentoo"))
    text = shown(doctor_page("blocked", ANSWERS, distro="ubuntu", verbose=True))
    assert "dnf install" in text
    assert "4 NVSwitch devices" in text
    assert "not asked: driver-eol, for want of nvml" in text


def test_silence_is_never_taken_for_health():
    text = shown(doctor_page("healthy", ANSWERS[1:]))
    assert "1 rule could not be asked" in text
    assert "a rule of envforge is broken: broken: KeyError: 'x'" in text


def test_undetermined_names_codes_and_questions():
    unknown = Undetermined(codes=("cuInit 999",), questions=("does `dmesg` name an Xid?",))
    text = shown(doctor_page("undetermined", (unknown,)))
    assert "[?]  seen: cuInit 999" in text
    assert "does `dmesg` name an Xid?" in text


def test_the_shape_is_the_contracts():
    shape = doctor_shape("blocked", ANSWERS)
    assert ["verdict", "findings", "undetermined", "skipped", "crashed"] == list(shape)
    assert {
        "id",
        "severity",
        "certainty",
        "title",
        "says",
        "place",
        "evidence",
        "remedy",
        "references",
        "explains",
    } == set(shape["findings"][0])
    assert {"text": "Install it", "run": APT, "safe": False, "distro": ["debian", "ubuntu"]} == shape["findings"][0][
        "remedy"
    ][0]


def ruled(name, area):
    return Rule(id=name, area=area, title=name, severity="blocker", place="host", says=("x",), why="y.")


RULED = (ruled("fabricmanager-not-running", "fabric"), ruled("driver-eol", "driver"), ruled("well", "container"))
HOST = Machine(name="here", os="debian 12", platform="bare-metal", driver=ABSENT, gpus=())


def chapters(answers=(), machine=HOST, environment=None, rules=RULED):
    patient = Patient(machine=machine, environment=environment)
    return {each.name: each for each in sections(patient, rules, answers)}


def test_every_area_of_the_rules_has_its_chapter():
    assert {rule.area for rule in load_rules()} == {area for areas in AREAS.values() for area in areas}


def test_a_chapter_carries_the_mark_of_its_heaviest_finding():
    text = shown(doctor_page("blocked", ANSWERS, chapters=tuple(chapters(ANSWERS).values())))
    assert "\n[✗]  GPUs         no GPU\n     [✗] The fabric manager does not run" in text
    assert "\n[ok] Container    not in one\n" in text


def test_a_chapter_of_which_nothing_could_be_asked_is_unknown():
    assert "[?]" == chapters(ANSWERS)["Driver"].mark[1]


def test_nobody_is_called_healthy_whose_gpus_could_not_be_seen():
    blind = chapters(machine=Machine(name="box", gpus=None, driver=None))
    text = shown(doctor_page("healthy", (), chapters=tuple(blind.values())))
    assert text.startswith("no fault was found in what could be seen; not seen: GPUs, Driver\n")


def test_a_machine_without_a_gpu_is_not_called_fine():
    text = shown(doctor_page("healthy", (), chapters=tuple(chapters().values())))
    assert text.startswith("healthy: no fault was found; no NVIDIA GPU is here\n")
    assert "\n[!]  GPUs         no GPU\n" in text


INSIDE = (*RULED, ruled("torch-cpu-build-pip", "build"))
GPU = Gpu(index=0, name="NVIDIA L4", compute_capability=None)


@pytest.mark.parametrize(
    ("environment", "mark", "words"),
    [
        (None, "[?]", "not looked into"),
        ({"python": "3.12", "prefix": "/env", "torch": None}, "[!]", "torch is not installed"),
        (
            {"python": "3.12", "torch": {"version": "2.9.1+cu130", "cuda": "13.0"}},
            "[ok]",
            "torch 2.9.1+cu130 (CUDA 13.0)",
        ),
        ({"python": "3.12", "torch": {"version": "2.9.1+cpu"}}, "[ok]", "without CUDA"),
    ],
)
def test_an_environment_says_what_was_seen_of_torch(environment, mark, words):
    found = chapters(environment=environment, rules=INSIDE)["Environment"]
    assert (mark, True) == (found.mark[1], words in found.about)


def test_ids_link_to_their_section_of_the_documentation():
    line = Line(body=(("rule", "fabricmanager-not-running"),))
    out = console(io.StringIO(), "always", {})
    (text,) = wrap(
        line, out, rules=rules_page(("Source, https://git.example.org", "Documentation, https://docs.example.org/"))
    )
    assert [f"{STYLES['rule']} link https://docs.example.org/reference/rules/#fabricmanager-not-running"] == [
        str(span.style) for span in text.spans
    ]


@pytest.mark.parametrize("urls", [(), ("Homepage, https://example.org",), ("Documentation, file:///usr/share/doc",)])
def test_ids_are_plain_where_nobody_says_where_the_documentation_stands(urls):
    assert rules_page(urls) is None


def test_a_terminal_without_links_gets_none():
    assert "\x1b]8" not in shown(doctor_page("blocked", ANSWERS), FORCE_COLOR="1")


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"TERM": "xterm-kitty"}, True),
        ({"TERM": "xterm-256color", "VTE_VERSION": "7600"}, True),
        ({"TERM": "xterm-256color"}, False),
        ({"TERM": "dumb", "WT_SESSION": "1"}, False),
        ({"TERM": "xterm-kitty", "FORCE_HYPERLINK": "0"}, False),
        ({"TERM": "xterm-kitty", "CI": "true"}, False),
    ],
)
def test_only_terminals_that_are_known_to_show_links_get_them(environ, expected):
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    assert expected == speaks_links(terminal, environ)


def test_a_pipe_gets_no_links():
    out = io.StringIO()
    show(doctor_page("blocked", ANSWERS), out, "auto", {"TERM": "xterm-kitty"})
    assert "\x1b" not in out.getvalue()


def test_junit_has_a_case_for_each_rule():
    answers = (*ANSWERS[:2], Undetermined(codes=("cuInit 999",), questions=("why?",)))
    suite = ElementTree.fromstring(doctor_junit(answers, RULED, "here"))
    assert ("4", "1", "1", "1") == tuple(suite.get(name) for name in ("tests", "failures", "errors", "skipped"))
    assert [["failure"], ["skipped"], [], ["error"]] == [[child.tag for child in case] for case in suite]


def test_github_gets_an_annotation_for_each_finding():
    lines = list(answer_annotations(ANSWERS))
    assert lines[0].startswith("::error title=envforge doctor%3A fabricmanager-not-running (likely)::CUDA is not ready")
    assert ["::error", "::warning"] == [line.split(" ")[0] for line in lines]
