"""Numbers of NVIDIA's and glibc's compare by value and keep their spelling."""

from dataclasses import FrozenInstanceError, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envforge.model import ComputeCapability, Dotted, value

PARTS = st.lists(st.integers(0, 999), min_size=1, max_size=4)


def test_a_driver_keeps_its_leading_zero():
    assert str(Dotted("535.104.05")) == "535.104.05"


@pytest.mark.parametrize(
    ("less", "more"), [("535.104.05", "535.104.12"), ("550", "550.54.15"), ("9.10", "12.0"), ("2.9", "2.28")]
)
def test_order_is_by_number(less, more):
    assert Dotted(less) < Dotted(more)


def test_trailing_zeros_do_not_count():
    assert (Dotted("13") == Dotted("13.0"), hash(Dotted("13")) == hash(Dotted("13.0.0"))) == (True, True)


@pytest.mark.parametrize("text", ["", "12.", "12.x", "v12", "-1", "12..1", "１２"])
def test_other_text_is_refused(text):
    with pytest.raises(ValueError, match="is not a dotted number"):
        Dotted(text)


@pytest.mark.law
@given(PARTS, PARTS)
def test_order_agrees_with_tuples(left, right):
    longest = max(len(left), len(right))
    pad = [part + [0] * (longest - len(part)) for part in (left, right)]
    one, two = (Dotted(".".join(map(str, part))) for part in (left, right))
    assert ((one < two), (one == two)) == ((pad[0] < pad[1]), (pad[0] == pad[1]))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("9.0", (9, 0)),
        ("sm_90a", (9, 0)),
        ("compute_120", (12, 0)),
        ("sm_103f", (10, 3)),
        ("12.1", (12, 1)),
        ("sm_86", (8, 6)),
    ],
)
def test_every_spelling_of_a_capability_is_read(text, wanted):
    assert ComputeCapability.parse(text) == ComputeCapability(*wanted)


@pytest.mark.parametrize("text", ["90", "sm90", "9", "sm_9", "", "9.0.1"])
def test_what_is_no_capability_is_refused(text):
    with pytest.raises(ValueError, match="is not a compute capability"):
        ComputeCapability.parse(text)


def test_a_capability_is_ordered_as_a_pair_not_as_a_float():
    assert ComputeCapability(9, 10) > ComputeCapability(9, 9)


@value
class Login:
    """A value with a secret."""

    user: str
    token: str = field(default="", repr=False)


def test_a_value_shows_its_fields_but_no_secret():
    assert "Login(user='me')" == repr(Login(user="me", token="secret"))


def test_a_value_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Login(user="me").user = "you"


def test_equal_values_are_one_key():
    assert 1 == len({Login(user="me"), Login(user="me")})
