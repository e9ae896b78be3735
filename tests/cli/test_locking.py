"""What is tried when the best candidate cannot be locked."""

from __future__ import annotations

from packaging.version import Version

from envforge.cli.locking import tries
from envforge.errors import Unreachable, Unsatisfiable
from envforge.model import Build, Candidate, Choice, Dotted


def candidate(torch: str, cuda: str | None, source: str = "pypi") -> Candidate:
    build = Build(
        torch=Version(torch),
        variant="cpu" if cuda is None else f"cu{cuda.replace('.', '')}",
        cuda=None if cuda is None else Dotted(cuda),
        source=source,
        kind="wheel",
        subdir="linux-64",
        pythons=("3.12",),
    )
    return Candidate(python="3.12", build=build)


def choice(best: Candidate, *others: Candidate) -> Choice:
    return Choice(best=best, native=None, others=others)


def test_after_a_build_for_the_cpu_no_cuda_build_is_tried():
    best, cuda, older = candidate("2.13.0", None), candidate("2.13.0", "13.0"), candidate("2.12.0", None)
    assert [best, older] == list(tries(choice(best, cuda, older)))


def test_after_a_cuda_build_the_next_ones_are_tried():
    best, older = candidate("2.13.0", "13.0"), candidate("2.12.0", "12.6")
    assert [best, older] == list(tries(choice(best, older), [(best, Unsatisfiable("no"))]))


def test_a_source_out_of_reach_is_not_asked_again():
    best, same, other = (
        candidate(*each) for each in (("2.13.0", "13.0"), ("2.12.0", "12.6"), ("2.12.0", "12.6", "pytorch"))
    )
    failed: list = []
    given = []
    for each in tries(choice(best, same, other), failed):
        given.append(each)
        failed.append((each, Unreachable("gone")))
    assert [best, other] == given
