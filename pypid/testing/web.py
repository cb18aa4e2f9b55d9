"""An index over HTTP on in-memory connections, with real bytes, but without sockets or waiting."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from http.client import HTTPResponse
from io import BytesIO
from typing import Any, cast

from attrs import define, field
from twisted.internet.address import IPv4Address
from twisted.internet.interfaces import IPushProducer
from twisted.internet.testing import MemoryReactorClock, StringTransportWithDisconnection
from zope.interface import implementer

from pypid.access.open import OpenAccess
from pypid.auth.memory import MemoryAuthenticator
from pypid.catalog.sqlite import SqliteCatalog
from pypid.daemon.config import DEFAULT_REALM
from pypid.index.publishing import Index
from pypid.interfaces import IAccessPolicy, IAuthenticator, ICatalog, IUpstream
from pypid.runtime.readiness import Readiness
from pypid.storage.memory import MemoryStorage
from pypid.testing.fakes import InlineWorkers
from pypid.testing.inline import InlineStorage
from pypid.upload import UploadRules
from pypid.upload.sidecars import Verify
from pypid.web.http.channel import IndexChannel
from pypid.web.http.client_limits import ClientLimits
from pypid.web.http.forwarded import TrustedProxies
from pypid.web.http.host_names import HostNames
from pypid.web.http.offload import Offload
from pypid.web.http.tallies import Tallies
from pypid.web.permissions.authorization import Authorization
from pypid.web.site import DEFAULT_KEEP_ALIVE, IndexSite, make_served_index

__all__ = ["Answer", "Connection", "MemorySite", "basic", "multipart_form", "upload_form"]

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def basic(username: str, password: str) -> dict[str, str]:
    """Return the header with Basic credentials."""
    return {"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii")}


def multipart_form(
    fields: Sequence[tuple[str, str]], filename: str | None = None, content: bytes = b""
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a form as upload clients send it; the file comes last."""
    boundary = "b0undary-of-this-form"
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields
    ]
    if filename is not None:
        head = (
            f'--{boundary}\r\nContent-Disposition: form-data; name="content"; filename="{filename}"\r\n\r\n'
        )
        parts.append(head.encode() + content + b"\r\n")
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return {"Content-Type": f"multipart/form-data; boundary={boundary}"}, body


def upload_form(
    filename: str, content: bytes, name: str, version: str, **fields: str
) -> tuple[dict[str, str], bytes]:
    """Return headers and body of the upload of a file; ``fields`` come before the other fields."""
    is_wheel = filename.endswith(".whl")
    said = {
        ":action": "file_upload",
        "protocol_version": "1",
        "metadata_version": "2.1",
        "name": name,
        "version": version,
        "filetype": "bdist_wheel" if is_wheel else "sdist",
        "pyversion": "py3" if is_wheel else "source",
        "sha256_digest": sha256(content).hexdigest(),
    }
    return multipart_form(list((said | fields).items()), filename, content)


@define
class Answer:
    """A response as a client sees it."""

    status: int
    reason: str
    headers: Mapping[str, str]
    """The headers, except for the id of the request, which is another in each answer."""
    body: bytes
    request_id: str = field(default="", eq=False)
    """The id of the request."""

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode()


class _Socket:
    """A stand-in for a socket, from which http.client reads responses."""

    def __init__(self, data: bytes) -> None:
        self.file = BytesIO(data)

    def makefile(self, mode: str) -> BytesIO:  # noqa: ARG002
        """Return the stream to read from."""
        return self.file


@implementer(IPushProducer)
class _Transport(StringTransportWithDisconnection):
    """A transport that records an abort, and keeps bytes written after its end."""

    aborted = False

    def abortConnection(self) -> None:
        """Record that the connection was aborted."""
        self.aborted = True
        self.loseConnection()


class Connection:
    """A client's connection to a site."""

    def __init__(self, site: IndexSite) -> None:
        address = IPv4Address("TCP", "127.0.0.1", 8080)
        self.transport = _Transport(hostAddress=address, peerAddress=address)
        channel = site.buildProtocol(address)
        assert isinstance(channel, IndexChannel)
        self.channel = channel
        self.transport.protocol = self.channel
        self.channel.makeConnection(self.transport)

    def send(self, data: bytes) -> None:
        """Deliver some bytes to the site, as from one read of a socket."""
        if self.transport.connected:
            self.channel.dataReceived(data)

    def received(self) -> bytes:
        """Return all bytes that the site has sent so far."""
        data: bytes = self.transport.value()
        return data

    def answers(self, *methods: str) -> list[Answer]:
        """Parse the received bytes as the answers to requests with these methods, and clear them."""
        socket = _Socket(self.received())
        self.transport.clear()
        answers = []
        for method in methods:
            response = HTTPResponse(socket, method=method)  # type: ignore[arg-type]  # it only reads
            # Several responses share one stream. The stub asks for a buffered file of the system.
            response.fp = cast(Any, socket.file)
            response.begin()
            length = response.length
            body = socket.file.read(length) if length is not None else _unchunk(response, socket.file)
            headers = dict(response.getheaders())
            request_id = headers.pop("X-Request-Id", "")
            answers.append(Answer(response.status, response.reason, headers, body, request_id))
        assert not socket.file.read(), "more came back than the answers asked for"
        return answers


def _unchunk(response: HTTPResponse, file: BytesIO) -> bytes:
    if not response.chunked:
        return file.read()
    body = b""
    while size := int(file.readline(), 16):
        body += file.read(size)
        file.readline()
    file.readline()
    return body


@define
class MemorySite:
    """A whole index over memory storage, with one user, ``ci``, whose password is ``secret``."""

    storage: InlineStorage = field(factory=lambda: InlineStorage(MemoryStorage()))
    authenticators: Sequence[IAuthenticator] = field(factory=lambda: [MemoryAuthenticator({"ci": "secret"})])
    policy: IAccessPolicy = field(factory=OpenAccess)
    upstreams: Sequence[IUpstream] = ()
    reserved: Sequence[str] = ()
    rules: UploadRules = field(factory=UploadRules)
    public_url: str | None = None
    realm: str = DEFAULT_REALM
    max_upload: int = 1024 * 1024
    keep_alive: float = DEFAULT_KEEP_ALIVE
    proxies: TrustedProxies = field(factory=TrustedProxies)
    hosts: HostNames = field(factory=HostNames)
    offload: Offload | None = None
    limits: ClientLimits = field(factory=ClientLimits)
    reactor: MemoryReactorClock = field(factory=MemoryReactorClock)
    workers: Any = field(factory=InlineWorkers)
    verify: Verify | None = None
    catalog: ICatalog = field(init=False)
    site: IndexSite = field(init=False)
    index: Index = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.storage.open()
        self.catalog = SqliteCatalog(self.storage, None, InlineWorkers(), self.reactor)
        self.catalog.open()
        self.index = Index(
            self.storage,
            self.catalog,
            self.upstreams,
            self.workers,
            lambda: NOW,
            self.reserved,
            self.rules,
            self.verify,
        )
        authorization = Authorization(self.authenticators, self.policy, seconds=self.reactor.seconds)
        tallies = Tallies(sign_ins=authorization.tally)
        served = make_served_index(
            self.index,
            authorization,
            self.workers,
            max_upload=self.max_upload,
            public_url=self.public_url,
            realm=self.realm,
            reactor=self.reactor,
            keep_alive=self.keep_alive,
            proxies=self.proxies,
            hosts=self.hosts,
            offload=self.offload,
            readiness=Readiness({}, self.reactor),
            tallies=tallies,
        )
        self.site = IndexSite(served, self.reactor, tallies, self.limits)
        self.site.startFactory()

    def connect(self) -> Connection:
        """Return a new connection."""
        return Connection(self.site)

    def request(
        self, method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send one request on its own connection, and return the answer."""
        lines = {"Host": "index.example.org", **(headers or {})}
        if body or method == "POST":
            lines.setdefault("Content-Length", str(len(body)))
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        connection = self.connect()
        connection.send(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body)
        (answer,) = connection.answers(method)
        return answer

    def get(self, path: str, **headers: str) -> Answer:
        """Send a GET, and return the answer. Underscores in header names stand for dashes."""
        return self.request("GET", path, {name.replace("_", "-"): value for name, value in headers.items()})
