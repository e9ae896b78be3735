"""Who logs in where: the login of one host is never sent to another."""

from __future__ import annotations

import base64

import pytest

from envforge.exports.logins import with_login

BASIC = {"Authorization": "Basic " + base64.b64encode(b"me:p@ss").decode()}
URL = "https://mirror.example.org/conda/noarch/x-1-0.conda"


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ({"mirror.example.org": {"BearerToken": "abc"}}, (URL, {"Authorization": "Bearer abc"})),
        ({"*.example.org": {"BasicHTTP": {"username": "me", "password": "p@ss"}}}, (URL, BASIC)),
        (
            {"mirror.example.org": {"CondaToken": "abc"}},
            ("https://mirror.example.org/t/abc/conda/noarch/x-1-0.conda", {}),
        ),
        ({"other.example.org": {"BearerToken": "abc"}}, (URL, {})),
        ({"example.org": {"BearerToken": "abc"}}, (URL, {})),
        ({"mirror.example.org": "not a login"}, (URL, {})),
        ({"mirror.example.org": {"S3": {}}}, (URL, {})),
    ],
)
def test_rattlers_logins_are_used_for_their_host_alone(stored, expected):
    assert expected == with_login(URL, (), stored)


def test_the_login_of_an_index_serves_its_host_alone():
    index = ("https://me:p%40ss@mirror.example.org/simple",)
    assert (URL, BASIC) == with_login(URL, index, {})
    other = "https://files.example.org/x.whl"
    assert (other, {}) == with_login(other, index, {})
