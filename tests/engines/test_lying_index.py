"""An index that lies: a page without an end, a document of another shape."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from envforge.engines.index import MOST_PAGE_BYTES, list_index
from envforge.engines.settings import Settings
from envforge.errors import Unreachable

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextlib.contextmanager
def serving(answer: Answer) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(ConnectionError):
                answer(self)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/simple"
        server.shutdown()


def begin(handler: BaseHTTPRequestHandler, kind: str) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", kind)
    handler.end_headers()


def endless(handler: BaseHTTPRequestHandler) -> None:
    begin(handler, "text/html")
    for _ in range((MOST_PAGE_BYTES >> 20) + 8):
        handler.wfile.write(b"<a href='x'>x</a>" * (1 << 16))


def dripping(handler: BaseHTTPRequestHandler) -> None:
    begin(handler, "text/html")
    for _ in range(40):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        threading.Event().wait(0.1)


def misshapen(handler: BaseHTTPRequestHandler) -> None:
    begin(handler, "application/vnd.pypi.simple.v1+json")
    handler.wfile.write(b'{"meta": {"api-version": "1.0"}, "name": "torch", "files": [{"filename": 3, "url": []}]}')


def pointing_inside(handler: BaseHTTPRequestHandler) -> None:
    begin(handler, "text/html")
    handler.wfile.write(b"<a href='file:///tmp/torch-2.99.0-py3-none-any.whl'>torch-2.99.0-py3-none-any.whl</a>")


def test_an_index_on_the_network_names_no_files_of_this_computer():
    with serving(pointing_inside) as url:
        assert [] == list_index(url, Settings(), 5.0)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (endless, "does not end within 64 MiB"),
        (dripping, "does not end within"),
        (misshapen, "is not an index: 3 validation errors"),
    ],
)
def test_an_index_that_lies_is_refused(answer, said):
    with serving(answer) as url, pytest.raises(Unreachable, match=said):
        list_index(url, Settings(), 0.3)
