"""The question of whether a daemon is ready, asked from the same machine over the daemon's own sockets."""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from pypid.errors import CannotStart
from pypid.formats.readiness_report import ReadinessReport
from pypid.runtime.layout import Layout
from pypid.runtime.running_daemon import DaemonAddresses

__all__ = ["ask_daemon"]

PATIENCE = 15.0
"""Seconds that the daemon may take to answer; it gives its own parts less."""
MAX_ANSWER = 1024 * 1024
"""Largest answer in bytes."""


class _UnixConnection(HTTPConnection):
    """A connection to a UNIX socket."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def ask_daemon(layout: Layout) -> ReadinessReport:
    """Return the answer of an index's daemon at ``/+ready``. Blocks, for seconds if the daemon is in trouble.

    :raises CannotStart: no daemon runs, or it does not answer.
    """
    path, root = layout.daemon, layout.root
    try:
        found = DaemonAddresses.read(path)
    except OSError as error:
        raise CannotStart(f"cannot read {path}: {error.strerror}") from error
    if found is None or not found.urls:
        raise CannotStart(f"no daemon runs on {root}; start it with `pypid serve {root}`")
    reasons = []
    for url in found.urls:
        try:
            return _report(url)
        except (OSError, HTTPException, ValueError) as error:
            reasons.append(f"{url}: {getattr(error, 'strerror', None) or error or type(error).__name__}")
    raise CannotStart(f"the daemon of {root}, process {found.pid}, does not answer: {'; '.join(reasons)}")


def _report(url: str) -> ReadinessReport:
    """Ask at one address of the daemon.

    :raises OSError: nobody answers there.
    :raises HTTPException: the answer is not HTTP.
    :raises ValueError: the answer is no report.
    """
    connection = _connection(url)
    try:
        connection.request("GET", "/+ready", headers={"Accept": "application/json"})
        return ReadinessReport.from_json(connection.getresponse().read(MAX_ANSWER))
    finally:
        connection.close()


def _connection(url: str) -> HTTPConnection:
    if url.startswith("unix:"):
        return _UnixConnection(url.removeprefix("unix:"))
    parts = urlsplit(url)
    host = parts.hostname or "127.0.0.1"
    if parts.scheme == "https":
        # The certificate is for the public name, and this is an address of the same machine.
        context = ssl._create_unverified_context()  # noqa: S323
        return HTTPSConnection(host, parts.port, timeout=PATIENCE, context=context)
    return HTTPConnection(host, parts.port, timeout=PATIENCE)
