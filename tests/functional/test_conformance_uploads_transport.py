"""Conformance, section I: the transport of an upload, and its URLs."""

from __future__ import annotations

import json
import re
import socket
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
from harness.archives import make_sdist, make_wheel
from harness.clients import Clients
from harness.conformance import LiveIndex, live_index
from harness.daemon import Daemon
from harness.forms import Part, encode, upload_parts
from harness.processes import require_tool, run

from pypid.testing.builds import SIGNATURE, attestation, wheel
from pypid.testing.web import basic

MEGABYTE = 1024 * 1024
UPLOAD_URLS = ("/", "/legacy/", "/legacy", "/pypi", "/pypi/")
ANYBODY = """
from attrs import frozen
from zope.interface import implementer

from pypid.interfaces import IAccessPolicy, IAccessPolicyFactory


@implementer(IAccessPolicy)
@frozen
class Anybody:
    summary: str = "anybody may do anything"

    def open(self):
        pass

    def close(self):
        pass

    def permits(self, principal, action, project, roles):
        return True

    def visibility_key(self, principal):
        return None


@implementer(IAccessPolicyFactory)
@frozen
class AnybodyFactory:
    prefix: str = "anybody"
    summary: str = "anybody may do anything"
    argument_format: str = ""

    def from_description(self, argument, context):
        return Anybody()


anybody = AnybodyFactory()
"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index; every test makes projects of its own."""
    with live_index(tmp_path_factory.mktemp("uploads")) as index:
        yield index


def test_c131_bodies_stream(index: LiveIndex, tmp_path: Path) -> None:
    """A body goes to the disk as it comes, in chunks too, and takes no memory."""

    def peak() -> int:
        status = Path(f"/proc/{index.daemon.pid}/status").read_text()
        return int(re.findall(r"^VmHWM:\s+(\d+) kB", status, re.MULTILINE)[0]) * 1024

    before, size = peak(), 96 * MEGABYTE
    form = tmp_path / "form"
    form.write_bytes(encode(upload_parts(*wheel("large", "1.0", payload=bytes(size))))[1])
    content_type = encode([])[0]["Content-Type"]
    curl = require_tool("curl", "apt-get install curl")
    headers = ("--header", f"Content-Type: {content_type}", "--header", "Transfer-Encoding: chunked")
    login = ("--user", ":".join(index.user), "--noproxy", "*", "--fail-with-body")
    said = run([curl, *login, *headers, "--data-binary", f"@{form}", f"{index.daemon.url}legacy/"])
    assert "published large-1.0" in said
    assert peak() - before < size / 2
    assert len(index.json("large")["files"]) == 1


def test_c132_expect_does_not_stall(index: LiveIndex, tmp_path: Path) -> None:
    """Who waits for a `100 Continue` gets it at once if the upload is taken, and the refusal if not."""
    curl = require_tool("curl", "apt-get install curl")
    file = make_sdist(tmp_path, "expect", "1.0", payload=bytes(2 * MEGABYTE))
    digest = sha256(file.read_bytes()).hexdigest()
    fields = {":action": "file_upload", "name": "expect", "version": "1.0", "filetype": "sdist"}
    form = [f"{name}={value}" for name, value in {**fields, "sha256_digest": digest}.items()]
    command = [curl, "--verbose", "--noproxy", "*", "--header", "Expect: 100-continue"]
    command += ["--expect100-timeout", "30", *(word for field in form for word in ("--form", field))]
    command += ["--form", f"content=@{file}", f"{index.daemon.url}legacy/"]
    begun = time.monotonic()
    said = run(command)
    assert (said.count("HTTP/1.1 100 "), said.count("HTTP/1.1 401 ")) == (0, 1), said
    said = run([*command, "--user", ":".join(index.user)])
    assert (said.count("HTTP/1.1 100 "), said.count("HTTP/1.1 200 ")) == (1, 1), said
    assert time.monotonic() - begun < 20


def test_c134_credentials_come_first(index: LiveIndex) -> None:
    """Credentials that come with the first request are enough, and a 401 is final."""
    headers, body = encode(upload_parts(*wheel("preemptive", "1.0")))
    for credentials in ({}, basic(index.user[0], "wrong")):
        answer = index.request("POST", "/legacy/", headers | credentials, body)
        assert (answer.status, answer.headers["Connection"]) in ((401, None), (401, "close"))
        assert "sign in" in answer.reason or "password is wrong" in answer.reason
    assert index.request("POST", "/legacy/", headers | index.credentials, body).status == 200


def test_c135_anonymous_index_takes_any_credentials(
    tmp_path: Path, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where anybody may upload, made-up credentials do no harm: uv publishes with none at all."""
    plugins = tmp_path / "plugins" / "pypid" / "plugins"
    plugins.mkdir(parents=True)
    (plugins / "anybody.py").write_text(ANYBODY)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "plugins"))
    daemon = Daemon(tmp_path / "pypi", ("--access", "anybody", "--upstream", "none")).start()
    try:
        clients.uv_publish(f"{daemon.url}legacy/", ("who", "ever"), make_wheel(tmp_path, "given", "1.0"))
        clients.twine_upload(f"{daemon.url}legacy/", ("x", "y"), make_sdist(tmp_path, "given", "1.0"))
        daemon.stop()
    finally:
        daemon.kill()


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (401, {"Authorization": None}),
        (401, {"Authorization": basic("alice", "wrong")["Authorization"]}),
        (413, {"Content-Length": str(4 << 30)}),
        (415, {"Content-Type": "application/octet-stream"}),
        (415, {"Content-Encoding": "gzip"}),
        (400, {"Content-Type": "multipart/form-data"}),
    ],
    ids=["stranger", "wrong", "large", "type", "encoded", "boundary"],
)
def test_c133_refused_before_the_body(index: LiveIndex, status: int, lines: dict[str, str | None]) -> None:
    """What the head decides is answered before the body is there, and the connection ends."""
    usual = {"Host": "x", "Content-Length": str(40 * MEGABYTE), **encode([])[0], **index.credentials}
    head = "".join(f"{name}: {value}\r\n" for name, value in {**usual, **lines}.items() if value is not None)
    with socket.create_connection(("127.0.0.1", index.daemon.port), timeout=10) as connection:
        connection.sendall(f"POST /legacy/ HTTP/1.1\r\n{head}\r\n".encode() + bytes(1000))
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 %d " % status), received
    assert b"\r\nConnection: close\r\n" in received


def test_c136_attestations(index: LiveIndex) -> None:
    """`attestations` are taken if they are of this file, and served as its provenance; others give a 400."""
    filename, content = wheel("vouched", "1.0")
    document = attestation(filename, content)
    for wrong in ("[]", "{", json.dumps([attestation(filename, b"other")])):
        answer = index.upload(filename, content, attestations=wrong)
        assert (answer.status, answer.reason.split(":")[0]) == (400, "attestations")
    assert index.files("vouched") == set()
    assert index.upload(filename, content, attestations=json.dumps([document])).status == 200
    [bundle] = json.loads(index.get(f"/packages/vouched/{filename}.provenance").body)["attestation_bundles"]
    assert bundle["attestations"] == [document]


@pytest.mark.parametrize("sent_as", [None, "signature.asc"], ids=["as text", "as a file"])
def test_c137_signature(index: LiveIndex, sent_as: str | None) -> None:
    """`gpg_signature`, as text or as a file, is kept as `.asc`."""
    filename, content = wheel("signed", "1.0" if sent_as is None else "1.1")
    signature = Part("gpg_signature", SIGNATURE.encode(), sent_as)
    assert index.send([signature, *upload_parts(filename, content)]).status == 200
    assert index.get(f"/packages/signed/{filename}.asc").text == SIGNATURE


def test_c138_without_the_slash(index: LiveIndex) -> None:
    """A POST to `/legacy` is taken where it is, without a redirect."""
    assert index.send(upload_parts(*wheel("slash", "1.0")), "/legacy").status == 200
    assert index.send(upload_parts(*wheel("slash", "1.0", payload=b"x")), "/legacy").status == 409


@pytest.mark.parametrize("path", UPLOAD_URLS)
def test_c139_other_methods(index: LiveIndex, path: str) -> None:
    """A GET of an upload URL gives a short page; PUT, PATCH and DELETE give a 405."""
    answer = index.get(path)
    assert (answer.status, len(answer.body) < 10_000) == (200, True)
    for method in ("PUT", "PATCH", "DELETE"):
        answer = index.request(method, path, index.credentials)
        assert answer.status == 405
        assert "POST" in answer.headers["Allow"].split(", ")


@pytest.mark.parametrize(
    ("action", "status"),
    [
        *(("submit", 200), ("submit_pkg_info", 200), ("verify", 200), ("list_classifiers", 200)),
        *(("doc_upload", 410), ("user", 400), ("FILE_UPLOAD", 400), ("", 400), (None, 400)),
    ],
)
def test_c140_other_actions(index: LiveIndex, action: str | None, status: int) -> None:
    """Actions of old tools get a harmless 200, or a 410; an unknown one, and none, gets a 400."""
    parts = upload_parts(*wheel("actions", "1.0"), **{":action": action})
    assert index.send(parts).status == status
    assert index.send(parts[:-1]).status == status
    assert index.get("/simple/actions/").status == 404


@pytest.mark.parametrize("path", ["/", "/legacy/", "/legacy", "/pypi", "/pypi/"])
def test_c140_list_of_classifiers(index: LiveIndex, path: str) -> None:
    """A GET with `:action=list_classifiers` gives the list, a line each."""
    for query in (":action=list_classifiers", "%3Aaction=list_classifiers"):
        answer = index.get(f"{path}?{query}")
        assert (answer.status, answer.headers.get_content_type()) == (200, "text/plain")
        assert "Framework :: Twisted" in answer.text.splitlines()
