"""An index whose answers are scripted, byte for byte, so that they can be wrong on purpose."""

from __future__ import annotations

import json
import re
import socket
import struct
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from ssl import SSLContext
from typing import Any

from attrs import define, field, frozen
from harness.processes import PATIENCE

__all__ = ["RESET", "STALL", "Answer", "Gate", "Request", "ScriptedIndex", "answer", "scripted_index"]

JSON = "application/vnd.pypi.simple.v1+json"
RESET = object()
"""In a script: the connection is reset."""
STALL = object()
"""In a script: the answer pauses until the client goes away."""
_RANGE = re.compile(r"bytes=([0-9]+)-([0-9]*)")


@define
class Gate:
    """In a script: the answer pauses until the test opens the gate."""

    reached: threading.Event = field(factory=threading.Event)
    """Set when the script has come here."""
    opened: threading.Event = field(factory=threading.Event)
    """Set by the test."""


@frozen
class Request:
    """A request to the index."""

    method: str
    target: str
    headers: Mapping[str, str]
    """The headers, by lower-case name."""


Answer = Callable[[Request], Iterable[object]]
"""Returns the steps of an answer: bytes, :class:`Gate`, :data:`RESET`, :data:`STALL`."""


def answer(status: int, body: bytes = b"", **headers: str) -> bytes:
    """Return a whole answer as bytes; underscores in header names stand for dashes."""
    given = {"Content-Length": str(len(body)), "Connection": "close"}
    given |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in given.items())
    return f"HTTP/1.1 {status} Scripted\r\n{head}\r\n".encode("latin-1") + body


@define(eq=False)
class ScriptedIndex:
    """An index that answers correctly, unless a script says otherwise."""

    port: int
    """The TCP port it listens on."""
    scheme: str = "http"
    """Whether it speaks TLS."""
    requests: list[Request] = field(factory=list)
    """What it was asked, in that order."""
    prefix: str = "/"
    """What the paths of pages and files begin with."""
    connections: int = 0
    """How often somebody connected."""
    closing: threading.Event = field(factory=threading.Event)
    """Set when it ends."""
    _files: dict[str, list[dict[str, Any]]] = field(factory=dict, init=False)
    _contents: dict[str, bytes] = field(factory=dict, init=False)
    _scripts: dict[str, Answer] = field(factory=dict, init=False)

    @property
    def url(self) -> str:
        """Its URL, with the prefix and a slash at the end."""
        return f"{self.scheme}://127.0.0.1:{self.port}{self.prefix}"

    @property
    def simple(self) -> str:
        """Its URL for installers."""
        return f"{self.url}simple/"

    @property
    def asked(self) -> list[str]:
        """The requested paths, in the order of the requests."""
        return [request.target for request in self.requests]

    def offer(
        self, project: str, filename: str, content: bytes, *, metadata: bytes | None = None, **entry: Any
    ) -> str:
        """Add a file, list it on its project's page, and return its path.

        :param entry: changed keys of the page's entry; ``None`` omits a key.
        """
        path = f"{self.prefix}files/{filename}"
        self._contents[path] = content
        told: dict[str, Any] = {
            "filename": filename,
            "url": path,
            "hashes": {"sha256": sha256(content).hexdigest()},
            "size": len(content),
            "upload-time": "2026-01-02T03:04:05Z",
        }
        if metadata is not None:
            self._contents[f"{path}.metadata"] = metadata
            told["core-metadata"] = {"sha256": sha256(metadata).hexdigest()}
        told = {
            key: value
            for key, value in {**told, **{k.replace("_", "-"): v for k, v in entry.items()}}.items()
            if value is not None
        }
        files = self._files.setdefault(project, [])
        files[:] = [*(one for one in files if one["filename"] != filename), told]
        return path

    def forget(self, project: str) -> None:
        """Remove a project."""
        del self._files[project]

    def script(self, path: str, *steps: object) -> None:
        """Answer each request for a path with these steps."""
        self._scripts[path] = lambda _: steps

    def script_by(self, path: str, answer: Answer) -> None:
        """Answer each request for a path with the steps that a function returns."""
        self._scripts[path] = answer

    def unscript(self) -> None:
        """Answer correctly from now on."""
        self._scripts.clear()

    def page(self, project: str) -> bytes:
        """Return a project's page in JSON."""
        files = self._files[project]
        return json.dumps({"meta": {"api-version": "1.1"}, "name": project, "files": files}).encode()

    def steps(self, request: Request) -> Iterable[object]:
        """Return the steps of the answer to a request."""
        path = request.target.partition("?")[0]
        script = self._scripts.get(path)
        if script is not None:
            return script(request)
        if path in self._contents:
            return [_part(self._contents[path], request)]
        match = re.fullmatch(re.escape(self.prefix) + r"simple/([a-z0-9-]+)/", path)
        if match is None or match[1] not in self._files:
            return [answer(404)]
        body = self.page(match[1])
        tag = f'"{sha256(body).hexdigest()}"'
        if request.headers.get("if-none-match") == tag:
            return [answer(304, ETag=tag)]
        return [answer(200, body, Content_Type=JSON, ETag=tag)]

    def serve(self, connection: socket.socket) -> None:
        """Answer the only request of a connection."""
        with connection, suppress(OSError):
            connection.settimeout(PATIENCE)
            data = b""
            while b"\r\n\r\n" not in data:
                received = connection.recv(65536)
                if not received:
                    return
                data += received
            request = _parsed(data)
            self.requests.append(request)
            for step in self.steps(request):
                if not self._take(step, connection):
                    return
            connection.shutdown(socket.SHUT_WR)
            connection.recv(1)  # until the client closes it: what was sent is not to be cut off

    def _take(self, step: object, connection: socket.socket) -> bool:
        """Do one step, and return whether another may follow."""
        if isinstance(step, Gate):
            step.reached.set()
            while not step.opened.wait(0.05):
                if self.closing.is_set():
                    return False
        elif step is RESET:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        elif step is STALL:
            connection.recv(1)
            return False
        else:
            assert isinstance(step, bytes)
            connection.sendall(step)
        return True


def _parsed(data: bytes) -> Request:
    first, *lines = data.partition(b"\r\n\r\n")[0].decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    headers = dict(line.split(": ", 1) for line in lines)
    return Request(method, target, {name.lower(): value for name, value in headers.items()})


def _part(content: bytes, request: Request) -> bytes:
    """Return the answer with a file, or with the requested part of it."""
    match = _RANGE.fullmatch(request.headers.get("range", ""))
    if match is None:
        return answer(200, content, Content_Type="application/octet-stream")
    start, stop = int(match[1]), int(match[2] or len(content) - 1) + 1
    content_range = f"bytes {start}-{stop - 1}/{len(content)}"
    return answer(206, content[start:stop], Content_Range=content_range)


@contextmanager
def scripted_index(context: SSLContext | None = None) -> Iterator[ScriptedIndex]:
    """Run a scripted index in threads of this process.

    :param context: the certificate and the key, for TLS.
    """
    open_ones: set[socket.socket] = set()
    threads: list[threading.Thread] = []
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listening:
        index = ScriptedIndex(listening.getsockname()[1], "https" if context is not None else "http")

        def serve(connection: socket.socket) -> None:
            with suppress(OSError):
                if context is not None:
                    connection = context.wrap_socket(connection, server_side=True)
                index.serve(connection)

        def accept() -> None:
            with suppress(OSError):
                while not index.closing.is_set():
                    connection, _ = listening.accept()
                    index.connections += 1
                    open_ones.add(connection)
                    threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
                    threads[-1].start()

        accepting = threading.Thread(target=accept, daemon=True)
        accepting.start()
        try:
            yield index
        finally:
            index.closing.set()
            with suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)
            for connection in open_ones:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            for thread in [accepting, *threads]:
                thread.join(PATIENCE)
