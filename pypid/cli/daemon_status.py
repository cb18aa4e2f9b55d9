"""The condition of the daemon, in a terminal: what ``/+ready`` says, asked over its own sockets."""

from __future__ import annotations

import socket
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

import click

from pypid.cli.open_index import IndexOptions
from pypid.errors import CannotStart
from pypid.formats.readiness_report import ReadinessReport
from pypid.runtime.running_daemon import DaemonAddresses

__all__ = ["show_daemon"]

PATIENCE = 15.0
"""Seconds that the daemon may take to answer; it gives its own parts less."""
MAX_ANSWER = 1024 * 1024


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


def show_daemon(index: IndexOptions, *, as_json: bool) -> None:
    """Print the condition of the daemon of an index, and exit with 1 unless it is ready.

    :raises CannotStart: no daemon answers.
    """
    report = _ask(index)
    click.echo(report.to_json() if as_json else report.to_text(), nl=False)
    if not report.is_ready:
        click.get_current_context().exit(1)


def _ask(index: IndexOptions) -> ReadinessReport:
    try:
        found = DaemonAddresses.read(index.layout.daemon)
    except OSError as error:
        raise CannotStart(f"cannot read {index.layout.daemon}: {error.strerror}") from error
    if found is None or not found.urls:
        raise CannotStart(f"no daemon runs on {index.path}; start it with `pypid serve {index.path}`")
    reasons = []
    for url in found.urls:
        try:
            return _report(url)
        except (OSError, HTTPException, ValueError) as error:
            reasons.append(f"{url}: {getattr(error, 'strerror', None) or error or type(error).__name__}")
    raise CannotStart(
        f"the daemon of {index.path}, process {found.pid}, does not answer: {'; '.join(reasons)}"
    )


def _report(url: str) -> ReadinessReport:
    """Ask one address of the daemon.

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
