"""Serve a folder over HTTP from 127.0.0.1, with a request log, ranges, and lies on demand."""

from __future__ import annotations

import base64
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Literal
from urllib.parse import quote, unquote, urlsplit

How = Literal["404", "403", "503", "hang", "delay", "truncate", "wrong-bytes", "reset"]
DELAY_S = 0.2


@dataclass
class Lie:
    """How requests whose path matches are answered, ``times`` times or always."""

    pattern: str
    how: How
    times: int | None = None


@dataclass
class Served:
    """A running server: where it is, what it was asked, and how it misbehaves."""

    root: Path
    url: str = ""
    requests: list[str] = field(default_factory=list)
    lies: list[Lie] = field(default_factory=list)
    login: tuple[str, str] | None = None
    closing: threading.Event = field(default_factory=threading.Event)

    def misbehave(self, pattern: str, how: How, times: int | None = None) -> None:
        """Answer paths in which the pattern is found with a lie; ``503`` with ``times=1`` is 503, then fine."""
        self.lies.append(Lie(pattern, how, times))

    def lie_for(self, path: str) -> How | None:
        for lie in self.lies:
            if lie.times != 0 and re.search(lie.pattern, path):
                lie.times = None if lie.times is None else lie.times - 1
                return lie.how
        return None

    def allows(self, header: str | None) -> bool:
        if self.login is None:
            return True
        return header == "Basic " + base64.b64encode(":".join(self.login).encode()).decode()


class Answer(BaseHTTPRequestHandler):
    """One request. HTTP/1.1, so that a cut connection is seen as a short body."""

    protocol_version = "HTTP/1.1"

    def __init__(self, served: Served, *rest: object) -> None:
        self.served = served
        super().__init__(*rest)  # type: ignore[arg-type]

    def log_message(self, *_: object) -> None:
        """Stay silent."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.served.requests.append(f"{self.command} {path}")
        lie = self.served.lie_for(path)
        if lie == "hang":
            self.served.closing.wait()
            self.close_connection = True
        elif lie == "reset":
            self.close_connection = True
        elif lie in ("404", "403", "503"):
            self._say(int(lie), b"no\n")
        elif not self.served.allows(self.headers["Authorization"]):
            self._say(401, b"who are you\n")
        else:
            self._give(path, lie)

    def _give(self, path: str, lie: How | None) -> None:
        target = self.served.root / path.lstrip("/")
        if target.is_dir():
            target = target / "index.html"
        if not target.is_file():
            return self._say(404, b"not here\n")
        content = target.read_bytes()
        if lie == "wrong-bytes":
            content = bytes(byte ^ 0x55 for byte in content[:64]) + content[64:]
        if lie == "delay":
            self.served.closing.wait(DELAY_S)
        return self._send(content, len(content) // 2 if lie == "truncate" else None, target.suffix)

    def _send(self, content: bytes, cut: int | None, suffix: str) -> None:
        first, status, total = 0, 200, len(content)
        if wanted := re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or ""):
            first, status = int(wanted[1]), 206
            content = content[first : int(wanted[2]) + 1 if wanted[2] else None]
        kind = {".html": "text/html", ".json": "application/json"}.get(suffix, "application/octet-stream")
        headers = {"Content-Type": kind, "Accept-Ranges": "bytes"}
        if status == 206:
            headers["Content-Range"] = f"bytes {first}-{first + len(content) - 1}/{total}"
        self._head(status, len(content), headers)
        if self.command == "GET":
            self.wfile.write(content if cut is None else content[:cut])
        if cut is not None:
            self.close_connection = True

    def _head(self, status: int, length: int, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, text in {**headers, "Content-Length": str(length)}.items():
            self.send_header(name, text)
        self.end_headers()

    def _say(self, status: int, content: bytes) -> None:
        headers = {"WWW-Authenticate": 'Basic realm="test"'} if status == 401 else {}
        self._head(status, len(content), {"Content-Type": "text/plain", **headers})
        if self.command == "GET":
            self.wfile.write(content)


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def handle_error(self, *_: object) -> None:
        """Clients that hang up are expected here."""


@contextmanager
def serve(root: Path) -> Iterator[Served]:
    """Serve ``root`` until the block ends."""
    served = Served(root)
    server = _Quiet(("127.0.0.1", 0), partial(Answer, served))
    served.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=partial(server.serve_forever, 0.05), daemon=True)
    thread.start()
    try:
        yield served
    finally:
        served.closing.set()
        with suppress(OSError):
            server.shutdown()
        server.server_close()
        thread.join(5)


def write_index(root: Path, wheels: list[Path]) -> Path:
    """Write a PEP 503 index of these wheels below ``root/simple``, with hashes; give the index's folder."""
    import hashlib

    from packaging.utils import canonicalize_name, parse_wheel_filename

    simple = root / "simple"
    for wheel in wheels:
        page = simple / canonicalize_name(parse_wheel_filename(wheel.name)[0]) / "index.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        target = root / "files" / wheel.name
        target.parent.mkdir(exist_ok=True)
        if not target.exists():
            target.symlink_to(wheel)
        digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
        link = f'<a href="../../files/{quote(wheel.name)}#sha256={digest}">{wheel.name}</a><br>\n'
        old = page.read_text() if page.exists() else "<!DOCTYPE html>\n<html><body>\n"
        page.write_text(old + link)
    return simple
