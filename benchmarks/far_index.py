"""Another index for the soak: each project whose name begins with ``far-``, made up as it is asked for."""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SIZE = 20_000
"""How many bytes a file has."""


def content(project: str) -> bytes:
    """Return the bytes of a project's only file."""
    return project.encode() * (SIZE // len(project))


class Handler(BaseHTTPRequestHandler):
    """Answers for pages and files; a project whose name begins with ``far-broken`` has a page that fails."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        kind, _, rest = self.path.lstrip("/").partition("/")
        project = rest.partition("/")[0]
        if kind == "files" and project.startswith("far-"):
            self._answer(200, content(project), "application/octet-stream")
        elif kind == "simple" and project.startswith("far-broken"):
            self._answer(500, b"broken", "text/plain")
        elif kind == "simple" and project.startswith("far-") and rest == f"{project}/":
            self._answer(200, _page(project), "application/vnd.pypi.simple.v1+json")
        else:
            self._answer(404, b"nothing", "text/plain")

    def _answer(self, status: int, body: bytes, content_type: str) -> None:
        tag = f'"{sha256(body).hexdigest()}"'
        if status == 200 and self.headers.get("If-None-Match") == tag:
            status, body = 304, b""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("ETag", tag)
        if status != 304:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def _page(project: str) -> bytes:
    data = content(project)
    filename = f"{project.replace('-', '_')}-1.0.tar.gz"
    file = {
        "filename": filename,
        "url": f"/files/{project}/{filename}",
        "hashes": {"sha256": sha256(data).hexdigest()},
        "size": len(data),
        "upload-time": "2026-01-02T03:04:05Z",
    }
    return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": [file]}).encode()


if __name__ == "__main__":
    ThreadingHTTPServer.request_queue_size = 128
    ThreadingHTTPServer.daemon_threads = True
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
