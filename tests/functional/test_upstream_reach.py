"""The hosts that a proxy contacts. Only the configured upstream gets secrets."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest
from harness import secrecy
from harness.certificates import make_certificates
from harness.daemon import Daemon
from harness.http import ask, download
from harness.scripted import ScriptedIndex, answer, scripted_index

from pypid.testing.web import basic

Proxied = Callable[..., Daemon]
HTML = "text/html; charset=utf-8"
CONTENT = b"an archive" * 1000
FILENAME = "foo-1.0.tar.gz"
PROVENANCE = b'{"version": 1, "attestation_bundles": [{}]}'
SECRET = "canary-s3cret"
secrecy.remember(SECRET)
SENT = "Basic " + base64.b64encode(f"pypid:{SECRET}".encode()).decode()


@pytest.fixture
def other() -> Iterator[ScriptedIndex]:
    """Yield a server at another port, which is another origin."""
    with scripted_index() as index:
        yield index


def everything(daemon: Daemon) -> bytes:
    """Return all that it wrote anywhere: its log, its cache, its catalog."""
    written = b"".join(path.read_bytes() for path in daemon.root.rglob("*") if path.is_file())
    return written + daemon.log.read_bytes()


def test_t52_credentials_stay_with_their_origin(
    proxied: Proxied, scripted: ScriptedIndex, other: ScriptedIndex, tmp_path: Path
) -> None:
    """They are sent there, with pages and files, and to nobody it links or redirects to.

    Nothing of what a client sent goes anywhere, and the secret is neither logged nor kept.
    """
    secret = tmp_path / "upstream-credentials"
    secret.write_text(f"pypid:{SECRET}\n")
    secret.chmod(0o600)
    started = proxied(f"credentials={secret}", f"hosts=127.0.0.1\\:{other.port}")
    scripted.offer("foo", FILENAME, CONTENT)
    linked = other.offer("bar", "bar-1.0.tar.gz", CONTENT)
    scripted.offer("bar", "bar-1.0.tar.gz", CONTENT, url=f"{other.url}{linked[1:]}")
    moved = other.offer("moved", "moved-1.0.tar.gz", CONTENT)
    scripted.script("/simple/moved/", answer(302, Location=f"{other.simple}moved/"))
    scripted.offer("sent-on", "sent_on-1.0.tar.gz", CONTENT)
    scripted.script("/files/sent_on-1.0.tar.gz", answer(307, Location=f"{other.url}{moved[1:]}"))
    client = basic("alice", "clients-own-password") | {
        "Cookie": "session=clients-own",
        "X-Forwarded-For": "192.0.2.1",
        "Proxy-Authorization": "Basic clients-own",
        "Referer": "https://clients-own.example.org/",
        "User-Agent": "clients-own",
        "Accept-Language": "clients-own",
    }
    for name in ("foo", "bar", "moved", "sent-on"):
        assert ask(f"{started.simple}{name}/", headers=client).status == 200, name
        filename = f"{name.replace('-', '_')}-1.0.tar.gz"
        assert download(f"{started.url}packages/{name}/{filename}", headers=client).body == CONTENT, name
    ask(f"{started.url}pypi/foo/json", headers=client)
    scripted.script("/provenance", answer(200, PROVENANCE))
    other.script("/provenance", answer(200, PROVENANCE))
    for name, index in (("near", scripted), ("far", other)):
        scripted.offer(name, f"{name}-1.0.tar.gz", CONTENT, provenance=f"{index.url}provenance")
        url = f"{started.url}packages/{name}/{name}-1.0.tar.gz.provenance"
        assert ask(url, headers=client).body == PROVENANCE, name
    assert {request.headers.get("authorization") for request in scripted.requests} == {SENT}
    assert len(other.requests) == 5
    for request in other.requests:
        assert "authorization" not in request.headers
    for request in scripted.requests + other.requests:
        assert "clients-own" not in str(request)
        assert not {"cookie", "x-forwarded-for", "referer", "proxy-authorization"} & request.headers.keys()
    scripted.script("/simple/wrong/", answer(401, b"who are you?", WWW_Authenticate="Basic"))
    refused = ask(f"{started.simple}wrong/")
    assert (refused.status, refused.headers["WWW-Authenticate"]) == (502, None)
    started.stop()
    for leak in (SECRET.encode(), SENT.encode(), SENT.split()[1].encode()):
        assert leak not in everything(started)
        assert leak not in refused.body


def test_t52_credentials_from_the_environment(
    daemon: Callable[..., Daemon], scripted: ScriptedIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ACME_UPSTREAM", f"pypid:{SECRET}")
    scripted.offer("foo", FILENAME, CONTENT)
    started = daemon("--upstream", f"proxy:{scripted.simple}:credentials-env=ACME_UPSTREAM")
    assert ask(f"{started.simple}foo/").status == 200
    assert [request.headers["authorization"] for request in scripted.requests] == [SENT]
    assert SECRET.encode() not in everything(started)


FORBIDDEN = (
    "http://169.254.169.254/latest/meta-data/",
    "http://127.0.0.1:{port}/",
    "http://localhost:{port}/",
    "http://[::1]:{port}/",
    "http://0.0.0.0:{port}/",
    "http://2130706433:{port}/",
    "http://0x7f.1:{port}/",
    "http://127.1:{port}/",
    "http://[::ffff:127.0.0.1]:{port}/",
    "http://user:password@127.0.0.1:{port}/",
    "file:///etc/passwd?",
    "ftp://127.0.0.1:{port}/",
    "gopher://127.0.0.1:{port}/",
    "//127.0.0.1:{port}/",
    "http://10.0.0.1/",
    "http://192.168.0.1/",
)


def test_t56_links_lead_nowhere_they_must_not(
    proxied: Proxied, scripted: ScriptedIndex, other: ScriptedIndex
) -> None:
    """Of files elsewhere on this machine or network none is offered, and nobody is asked for them."""
    started = proxied()
    scripted.offer("foo", FILENAME, CONTENT)
    for number, url in enumerate(FORBIDDEN, start=2):
        filename = f"foo-{number}.0.tar.gz"
        scripted.offer("foo", filename, CONTENT, url=url.format(port=other.port) + filename)
    page = ask(f"{started.simple}foo/").text
    assert page.count("<a ") == 1
    assert FILENAME in page
    for number, _ in enumerate(FORBIDDEN, start=2):
        for suffix in ("", ".metadata"):
            refused = ask(f"{started.url}packages/foo/foo-{number}.0.tar.gz{suffix}")
            assert refused.status in (403, 404)
            assert b"password" not in refused.body
    assert other.connections == 0
    assert download(f"{started.url}packages/foo/{FILENAME}").body == CONTENT


@pytest.mark.parametrize("kind", ["page", "file", "metadata"])
def test_t56_b246_redirects_lead_nowhere_they_must_not(
    proxied: Proxied, scripted: ScriptedIndex, other: ScriptedIndex, kind: str
) -> None:
    """Each of them is looked at as the first URL is."""
    started = proxied()
    filename = "foo-1.0-py3-none-any.whl"
    for number, url in enumerate(FORBIDDEN):
        name = f"foo{number}"
        filename = f"{name}-1.0-py3-none-any.whl"
        path = scripted.offer(name, filename, CONTENT, metadata=b"Name: foo")
        paths = {"page": f"/simple/{name}/", "file": path, "metadata": f"{path}.metadata"}
        asked = {
            "page": f"{started.simple}{name}/",
            "file": f"{started.url}packages/{name}/{filename}",
            "metadata": f"{started.url}packages/{name}/{filename}.metadata",
        }
        scripted.script(paths[kind], answer(302, Location=url.format(port=other.port)))
        refused = ask(asked[kind])
        assert refused.status == 502, (url, refused.text)
        assert b"password" not in refused.body
    assert other.connections == 0


def test_b246_redirects_in_circles_and_without_end(proxied: Proxied, scripted: ScriptedIndex) -> None:
    """A few in a row are followed, and lead to links that are relative to where they end."""
    started = proxied()
    scripted.script("/simple/loop/", answer(302, Location="/simple/loop/"))
    scripted.script("/simple/ping/", answer(302, Location="/simple/pong/"))
    scripted.script("/simple/pong/", answer(301, Location="../ping/"))
    for number in range(20):
        scripted.script(f"/simple/hop{number}/", answer(308, Location=f"../hop{number + 1}/"))
    for name in ("loop", "ping", "hop0"):
        before = len(scripted.requests)
        assert ask(f"{started.simple}{name}/").status == 502
        assert len(scripted.requests) - before <= 6
    digest = sha256(CONTENT).hexdigest()
    links = f'<a href="{FILENAME}#sha256={digest}">{FILENAME}</a>'.encode()
    scripted.offer("elsewhere", FILENAME, CONTENT)
    scripted.script("/simple/foo/", answer(302, Location="/moved/once/"))
    scripted.script("/moved/once/", answer(302, Location="/files/"))
    scripted.script("/files/", answer(200, links, Content_Type=HTML))
    assert ask(f"{started.simple}foo/").status == 200
    assert download(f"{started.url}packages/foo/{FILENAME}").body == CONTENT


@pytest.fixture
def tls(tmp_path: Path) -> Iterator[ScriptedIndex]:
    """Yield an index that speaks TLS, with a certificate of an authority that nobody knows."""
    make_certificates(tmp_path)
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    with scripted_index(context) as index:
        index.offer("foo", FILENAME, CONTENT)
        yield index


def test_t62_an_unknown_certificate_is_a_502(daemon: Callable[..., Daemon], tls: ScriptedIndex) -> None:
    """The question is not even sent."""
    started = daemon("--upstream", f"proxy:{tls.simple}")
    refused = ask(f"{started.simple}foo/")
    assert refused.status == 502
    assert "certificate" in refused.text
    assert tls.requests == []


def test_t62_b246_who_has_tls_does_not_lose_it(
    daemon: Callable[..., Daemon],
    tls: ScriptedIndex,
    other: ScriptedIndex,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """With an authority that is known all is well; a link or redirect without TLS is not followed."""
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    started = daemon("--upstream", f"proxy:{tls.simple}:allow-private:hosts=127.0.0.1\\:{other.port}")
    assert download(f"{started.url}packages/foo/{FILENAME}").body == CONTENT
    other.offer("bar", "bar-1.0.tar.gz", CONTENT)
    tls.offer("bar", "bar-1.0.tar.gz", CONTENT, url=f"{other.url}files/bar-1.0.tar.gz")
    tls.script("/simple/baz/", answer(302, Location=f"{other.simple}bar/"))
    assert ask(f"{started.simple}baz/").status == 502
    assert ask(f"{started.url}packages/bar/bar-1.0.tar.gz").status in (403, 404)
    assert other.connections == 0
    assert os.environ["SSL_CERT_FILE"]
