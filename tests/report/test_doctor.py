"""The doctor's answers for people and programs."""

from envforge.model import Crashed, Finding, Remedy, Skipped, Undetermined
from envforge.report.doctor import doctor_page, doctor_shape
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
    assert "[?] seen: cuInit 999" in text
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
