"""An HTTP server of one file for the tests of sources, which misbehaves as told."""

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DATE = "Tue, 03 Feb 2026 04:05:06 GMT"


@dataclass
class Served:
    """What the server answers, and what it was asked."""

    content: bytes = b""
    etag: str | None = '"one"'
    modified: str | None = None
    ranges: bool = True
    chunked: bool = False
    redirect: str | None = None
    status: int | None = None
    encoding: str | None = None
    cuts: int = 0
    """How many more answers end in the middle."""
    asked: list[dict[str, str]] = field(default_factory=list)
    port: int = 0

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}/folder/data.bin"


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Served

    def do_GET(self) -> None:
        served = self.served
        served.asked.append({name.lower(): value for name, value in self.headers.items()})
        self.close_connection = True
        if served.redirect is not None or served.status is not None:
            self._answer(served.status or 302, b"", {"Location": served.redirect or ""})
            return
        start, stop = self._range()
        whole = (start, stop) == (0, len(served.content))
        headers = {"ETag": served.etag, "Last-Modified": served.modified}
        if served.ranges:
            headers["Accept-Ranges"] = "bytes"
        if served.encoding:
            headers["Content-Encoding"] = served.encoding
        if not whole:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(served.content)}"
        body = served.content[start:stop]
        self._answer(200 if whole else 206, body, headers)

    def _range(self) -> tuple[int, int]:
        text, size = self.headers.get("Range"), len(self.served.content)
        validator = self.headers.get("If-Range")
        if not text or not self.served.ranges:
            return 0, size
        if validator not in (self.served.etag, self.served.modified):
            return 0, size
        first, _, last = text.removeprefix("bytes=").partition("-")
        return int(first), min(size, int(last) + 1)

    def _answer(self, status: int, body: bytes, headers: dict[str, Any]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            if value is not None:
                self.send_header(name, value)
        if self.served.chunked:
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.served.cuts and len(body) > 1:
            self.served.cuts -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """The client may hang up at any time."""


@contextmanager
def serving(served: Served, certificate: Path | None = None) -> Iterator[Served]:
    """Serve on a free port of loopback, by TLS where a certificate with its key is given."""
    handler = type("Handler", (_Handler,), {"served": served})
    server = _Server(("127.0.0.1", 0), handler)
    if certificate is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    served.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
