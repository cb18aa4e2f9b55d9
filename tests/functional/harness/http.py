"""Single requests, without following redirects and without decoding."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from email.message import Message
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import SSLContext
from urllib.parse import urlsplit

from attrs import frozen
from harness import secrecy


@frozen
class Answer:
    """An answer."""

    status: int
    """The status code."""
    headers: Message
    """The headers; names are found in any case."""
    body: bytes
    """The bytes of the body."""
    reason: str = ""
    """The reason phrase."""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


def ask(
    url: str,
    method: str = "GET",
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    context: SSLContext | None = None,
    patience: float = 60,
) -> Answer:
    """Send one request over a connection of its own.

    :param context: has the trusted certificates.
    :param patience: the time in seconds to wait for the next bytes.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    if parts.scheme == "https":
        connection: HTTPConnection = HTTPSConnection(
            parts.hostname, parts.port, timeout=patience, context=context
        )
    else:
        connection = HTTPConnection(parts.hostname, parts.port, timeout=patience)
    target = f"{parts.path}?{parts.query}" if parts.query else parts.path
    secrecy.notice(headers or {})
    try:
        connection.request(method, target, body=body, headers=dict(headers or {}))
        response = connection.getresponse()
        answer = Answer(response.status, response.headers, response.read(), response.reason)
        if answer.status >= 400:
            secrecy.assert_in_none(answer.body.decode("latin-1"), answer.reason, str(answer.headers))
        return answer
    finally:
        connection.close()


@frozen
class Transfer:
    """The result of a download that may have been cut short."""

    status: int
    """The status code, or 0 if there was no answer."""
    headers: Message
    """The headers."""
    body: bytes
    """The bytes that came."""
    whole: bool
    """Whether a client takes them for all that there are."""


def download(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    first_byte: Callable[[], object] = lambda: None,
    patience: float = 60,
) -> Transfer:
    """Download over a connection of its own, which may end early.

    :param first_byte: called when the first byte of the body has arrived.
    """
    parts = urlsplit(url)
    assert parts.hostname is not None
    connection = HTTPConnection(parts.hostname, parts.port, timeout=patience)
    status, answered, body = 0, Message(), bytearray()
    try:
        connection.request("GET", parts.path, headers=dict(headers or {}))
        response = connection.getresponse()
        status, answered = response.status, response.headers
        while data := response.read1(1024 * 1024):
            if not body:
                first_byte()
            body += data
    except (HTTPException, OSError):
        return Transfer(status, answered, bytes(body), whole=False)
    finally:
        connection.close()
    return Transfer(status, answered, bytes(body), whole=len(body) == int(answered["Content-Length"]))
