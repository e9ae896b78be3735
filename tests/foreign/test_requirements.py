"""requirements.txt."""

import pytest

from envforge.errors import SpecError, UsageError

TEXT = """\
--extra-index-url https://download.pytorch.org/whl/cu118   # CUDA
torch==2.0.1+cu118
torchvision==0.15.2+cu118
numpy>=1.24 ; python_version < "3.12"
-r more/base.txt
-c limits.txt
-e .
nvidia-cudnn-cu11==8.5.0.96
pandas \\
  --hash=sha256:aaaa \\
  --hash=sha256:bbbb
"""
BESIDE = {"more/base.txt": "einops\n-r ./deeper.txt", "more/deeper.txt": "timm>=0.9", "limits.txt": "timm<1\nunused==1"}


def test_a_file_with_everything_is_read(imported):
    spec = imported(TEXT, "requirements.txt", BESIDE).spec
    assert (str(spec.torch), str(spec.cuda), spec.sources) == ("==2.0.1", "==11.8.*", ("pytorch",))
    assert spec.companions == ("torchvision",)
    assert spec.wheels == ('numpy>=1.24 ; python_version < "3.12"', "einops", "timm<1,>=0.9", "pandas")
    assert spec.indexes == ("pypi",)


def test_what_is_left_out_is_said_with_its_line(imported):
    said = {each.where: each.text for each in imported(TEXT, "requirements.txt", BESIDE).left_out}
    assert said["requirements.txt:7"] == "`-e .` is a local project: install it afterwards"
    assert said["requirements.txt:8"] == "`nvidia-cudnn-cu11==8.5.0.96` follows torch"


@pytest.mark.parametrize(
    ("text", "torch", "cuda", "sources"),
    [
        ("torch", None, "auto", ("pypi", "pytorch")),
        ("torch~=2.9", "~=2.9", "auto", ("pypi", "pytorch")),
        ("-i https://download.pytorch.org/whl/cpu\ntorch", None, "none", ("pytorch",)),
        ("--index-url=https://download.pytorch.org/whl/cu128\ntorch==2.9.1", "==2.9.1", "==12.8.*", ("pytorch",)),
        (
            "-f https://download.pytorch.org/whl/torch_stable.html\ntorch==1.8.1+cu111",
            "==1.8.1",
            "==11.1.*",
            ("pytorch",),
        ),
        ("torch==2.1.0+cpu", "==2.1.0", "none", ("pytorch",)),
        ("-i https://mirror.example/simple\ntorch", None, "auto", ("https://mirror.example/simple",)),
        (
            "https://download.pytorch.org/whl/cu121/torch-2.1.0%2Bcu121-cp310-cp310-linux_x86_64.whl",
            "==2.1.0",
            "==12.1.*",
            ("pytorch",),
        ),
        (
            "torch==2.2.0; sys_platform == 'darwin'\ntorch==2.4.0; sys_platform != 'darwin'",
            "==2.4.0",
            "auto",
            ("pypi", "pytorch"),
        ),
    ],
)
def test_where_torch_comes_from_is_understood(imported, text, torch, cuda, sources):
    spec = imported(text, "requirements.txt").spec
    assert (spec.torch and str(spec.torch), str(spec.cuda), spec.sources) == (torch, cuda, sources)


def test_a_private_index_stands_before_the_public_one(imported):
    text = "--extra-index-url https://mirror.example/simple\n--find-links wheels\ntorch\nsecret"
    spec = imported(text, "requirements.txt").spec
    assert (spec.indexes, spec.find_links) == (("https://mirror.example/simple", "pypi"), ("./wheels",))


@pytest.mark.parametrize(("companion", "left"), [("torchvision==0.15.2", 0), ("torchvision==0.9.1", 1)])
def test_the_version_of_a_companion_is_left_out_only_where_it_does_not_pair(imported, companion, left):
    found = imported(f"torch==2.0.1\n{companion}", "requirements.txt")
    assert (found.spec.companions, len(found.left_out)) == (("torchvision",), left)


def test_a_file_without_torch_is_said_to_have_none(imported):
    found = imported("numpy", "requirements.txt")
    assert [each.text for each in found.left_out] == [
        "the file asks for no torch; the spec gets the newest that serves"
    ]


def test_a_login_stays_out_of_the_spec_and_that_is_said(imported):
    found = imported("--extra-index-url https://me:secret@a.corp/simple/\ntorch\n", "requirements.txt")
    said = "the login for `a.corp` stays out of the spec, which is shared: keep it in `~/.netrc` or `pip.conf`"
    assert (found.spec.indexes, [each.text for each in found.left_out]) == (
        ("https://a.corp/simple", "pypi"),
        [said],
    )


@pytest.mark.parametrize(
    ("text", "torch", "sources"),
    [
        ("vllm==0.8.5", "==2.6.0", ("pypi",)),
        ("torch==2.6.0\nvllm==0.8.5", "==2.6.0", ("pypi",)),
        ("torch==2.6.0\ntimm", "==2.6.0", ("pypi", "pytorch")),
    ],
)
def test_what_was_compiled_against_pypis_torch_takes_that_one(imported, text, torch, sources):
    found = imported(text, "requirements.txt")
    assert (str(found.spec.torch), found.spec.sources, found.left_out) == (torch, sources, ())


@pytest.mark.parametrize(
    ("text", "where", "said"),
    [
        ("numpy\ntorch=2\n", "requirements.txt:2", "is not a requirement"),
        ("-r\n", "requirements.txt:1", "`-r` needs a value"),
        ("-r requirements.txt\n", "requirements.txt:1", "include each other"),
        ("-r https://a.example/r.txt\n", "requirements.txt:1", "is not a file beside this one"),
        ("--index-url 'https://a\n", "requirements.txt:1", "cannot be read"),
    ],
)
def test_a_bad_file_is_refused_at_its_place(imported, text, where, said):
    with pytest.raises(SpecError, match=said) as caught:
        imported(text, "requirements.txt", {"requirements.txt": text})
    assert caught.value.where[0] == where


def test_a_missing_included_file_is_named(imported):
    with pytest.raises(UsageError, match=r"more/base\.txt"):
        imported("-r more/base.txt", "requirements.txt")


def test_a_file_of_another_kind_is_refused(imported):
    with pytest.raises(UsageError, match="of no kind that can be imported"):
        imported("FROM x", "Dockerfile")
