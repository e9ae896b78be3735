"""Reading YAML strictly, with places; writing values back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envforge.errors import SpecError
from envforge.model import ABSENT, CheckResult, ComputeCapability, Dotted, Gpu, Machine, SmokeReport
from envforge.wire import digest, from_plain, read_yaml, to_json, to_plain, write_yaml

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.text(st.characters(codec="utf-8", exclude_categories=("C",)), max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("abcdefgh", min_size=1, max_size=4), inner, max_size=4)
    ),
    max_leaves=20,
)


def problem(text: str) -> tuple[str, tuple[str, ...]]:
    with pytest.raises(SpecError) as caught:
        read_yaml(text, "a.yaml")
    return caught.value.message, caught.value.where


def test_every_value_knows_its_line_and_column():
    root = read_yaml("name: x\nneeds:\n  gpus: 2\n", "a.yaml")
    assert root.entries is not None
    assert root.entries["needs"].entries["gpus"].where == "a.yaml:3:9"


def test_a_scalar_keeps_its_spelling():
    assert read_yaml("python: 3.10", "a.yaml").entries["python"].text == "3.10"


def test_a_duplicate_key_names_both_lines():
    assert problem("name: x\nname: y\n") == ("key `name` stands twice, first on line 1", ("a.yaml:2:1",))


def test_an_empty_file_is_said():
    assert problem("# only a comment\n") == ("the file is empty", ("a.yaml:1:1",))


def test_a_tab_gets_its_place():
    message, where = problem("name: x\n\tpython: y\n")
    assert (message.startswith("not YAML"), where) == (True, ("a.yaml:2:1",))


def test_two_documents_are_refused():
    assert problem("a: 1\n---\nb: 2\n")[0].startswith("not YAML")


def test_an_alias_bomb_is_refused_quickly():
    lines = ["a: &a [x,x,x,x,x,x,x,x,x,x]"]
    for before, after in zip("abcdefgh", "bcdefghi", strict=True):
        lines.append(f"{after}: &{after} [" + ",".join([f"*{before}"] * 10) + "]")
    assert problem("\n".join(lines))[0] == "aliases or nesting make the document too large"


def test_an_alias_to_itself_is_refused():
    assert problem("a: &a [*a]")[0] == "aliases or nesting make the document too large"


@pytest.mark.parametrize("text", ["a: !!python/object/apply:os.system [ls]", "a: !thing x", "when: 2026-13-45"])
def test_tags_and_impossible_dates_are_refused(text):
    assert problem(text)[1][0].startswith("a.yaml:1:")


def test_a_huge_file_is_refused_before_it_is_parsed():
    assert problem("x" * (2 << 20)) == ("the file is larger than 1 MiB", ("a.yaml",))


@pytest.mark.law
@given(PLAIN)
def test_what_is_written_reads_back_equal(plain):
    assert read_yaml(write_yaml({"key": plain}), "a.yaml").plain == {"key": plain}


@pytest.mark.law
@given(st.text(max_size=60))
def test_any_text_gives_a_node_or_a_spec_error(text):
    try:
        read_yaml(text, "a.yaml")
    except SpecError as error:
        assert error.where[0].startswith("a.yaml")  # noqa: PT017


def test_numbers_of_ours_are_written_as_text():
    gpu = Gpu(index=0, name="Tesla T4", compute_capability=ComputeCapability(7, 5))
    assert to_plain({"gpu": gpu, "driver": Dotted("535.104.05")}) == {
        "gpu": {
            "index": 0,
            "name": "Tesla T4",
            "compute_capability": "7.5",
            "memory_bytes": None,
            "uuid": None,
            "pci_id": None,
            "mig": None,
        },
        "driver": "535.104.05",
    }


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_json_keeps_letters_of_all_languages():
    assert to_json({"prefix": "/data/größe"}) == '{\n  "prefix": "/data/größe"\n}'


def test_values_come_back_from_their_plain_form():
    gpu = Gpu(index=0, name="Tesla T4", compute_capability=ComputeCapability(7, 5), memory_bytes=2**34)
    machine = Machine(name="m", driver=ABSENT, gpus=(gpu,), glibc=Dotted("2.36"))
    result = CheckResult(check="matmul", device="cuda:0", outcome="pass", took_s=0.5, measured={"tflops": 1.5})
    report = SmokeReport(python="3.11.7", torch=None, cuda=None, machine="m", results=(result,))
    assert (machine, report) == (from_plain(Machine, to_plain(machine)), from_plain(SmokeReport, to_plain(report)))


@pytest.mark.parametrize(
    "plain", [None, [], {"check": 1}, {"check": "x", "device": None, "outcome": "great", "took_s": 0}]
)
def test_what_is_another_value_is_refused(plain):
    with pytest.raises((ValueError, TypeError, KeyError, AttributeError)):
        from_plain(CheckResult, plain)


def test_a_tab_is_called_a_tab():
    with pytest.raises(SpecError) as caught:
        read_yaml("needs:\n\tgpus: 2\n", "a.yaml")
    assert (caught.value.message, caught.value.where) == ("not YAML: a tab indents this line", ("a.yaml:2:1",))
    assert caught.value.hints == ("YAML indents with blanks, never with tabs",)


@pytest.mark.parametrize("text", ["[" * 500_000, "{a: " * 200_000, "- " * 400_000])
def test_a_deep_document_is_refused_before_it_is_composed(text: str):
    assert problem(text)[0] == "nesting or length makes the document too large"


def test_half_a_surrogate_is_not_text():
    assert problem("name: \ud800") == ("the file is not Unicode text", ("a.yaml",))
