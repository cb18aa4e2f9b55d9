"""Upstreams behind a web proxy, configured by the environment or by an option, with real proxies."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socket import create_connection
from ssl import PROTOCOL_TLS_SERVER, SSLContext

import pytest
from harness import secrecy
from harness.certificates import make_certificates
from harness.daemon import Daemon, daemon_environment, refused_start
from harness.http import ask, download
from harness.processes import free_port, run, script, wait_until
from harness.scripted import STALL, Gate, ScriptedIndex, answer, scripted_index
from harness.webproxy import WebProxy, serving, tinyproxy, with_tls

from pypid.testing.builds import core_metadata, wheel

Start = Callable[..., Daemon]
USER = ("proxy-user", "proxy-s3cret-word")
secrecy.remember(USER[1])
METADATA = core_metadata("foo", "1.0")
FILENAME, CONTENT = wheel("foo", "1.0")


@pytest.fixture
def context(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SSLContext:
    """Return a certificate that the daemon trusts, and its key."""
    make_certificates(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    context = SSLContext(PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem", tmp_path / "server.key")
    return context


@pytest.fixture
def tls(context: SSLContext) -> Iterator[ScriptedIndex]:
    """Yield an index that speaks TLS."""
    with scripted_index(context) as index:
        index.offer("foo", FILENAME, CONTENT, metadata=METADATA)
        yield index


@pytest.fixture
def proxy(tmp_path: Path) -> Iterator[WebProxy]:
    """Yield a web proxy that serves anybody."""
    with tinyproxy(tmp_path) as proxy:
        yield proxy


@pytest.fixture
def strict_proxy(tmp_path: Path) -> Iterator[WebProxy]:
    """Yield a web proxy that serves one user."""
    with tinyproxy(tmp_path, USER) as proxy:
        yield proxy


def fetched(daemon: Daemon) -> None:
    """Check that a page, a file and its metadata come as they should."""
    assert FILENAME in ask(f"{daemon.simple}foo/").text
    assert download(f"{daemon.url}packages/foo/{FILENAME}").body == CONTENT
    assert ask(f"{daemon.url}packages/foo/{FILENAME}.metadata").body == METADATA
    assert ask(f"{daemon.simple}nowhere/").status == 404


def sockets(daemon: Daemon) -> int:
    """Count the sockets that a daemon has."""
    count = 0
    for path in Path(f"/proc/{daemon.pid}/fd").iterdir():
        with suppress(OSError):  # it is closed by now
            count += str(path.readlink()).startswith("socket:")
    return count


def refusal(daemon: Daemon, name: str = "foo", status: int = 502) -> str:
    """Return the line that says why there is no page."""
    refused = ask(f"{daemon.simple}{name}/")
    assert refused.status == status, refused.text
    assert len(refused.text.strip().splitlines()) == 1
    assert USER[1] not in refused.text
    return refused.text


def test_fault_d2_tls_goes_through_the_proxy_of_the_environment(
    daemon: Start, tls: ScriptedIndex, proxy: WebProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It connects, and sees no more than where to; all the daemon says is for the index."""
    monkeypatch.setenv("https_proxy", proxy.url)
    started = daemon("--upstream", f"proxy:{tls.simple}")
    assert f"through the web proxy {proxy.url}" in started.log_text()
    fetched(started)
    assert set(proxy.asked) == {f"CONNECT 127.0.0.1:{tls.port}"}
    assert {request.method for request in tls.requests} == {"GET"}
    assert not any("proxy" in name for request in tls.requests for name in request.headers)
    monkeypatch.setenv("no_proxy", "example.org,127.0.0.0/8")
    asked = len(proxy.asked)
    other = daemon("--upstream", f"proxy:{tls.simple}")
    assert "web proxy" not in other.log_text()
    fetched(other)
    assert len(proxy.asked) == asked


def test_fault_d2_the_proxy_itself_may_speak_tls(
    daemon: Start, tls: ScriptedIndex, scripted: ScriptedIndex, proxy: WebProxy, context: SSLContext
) -> None:
    """TLS with the proxy is around that with the index."""
    for index in (tls, scripted):
        index.offer(index.scheme, *wheel(index.scheme, "1.0"))
    with with_tls(proxy.port, context) as port:
        via = f"via=https://127.0.0.1:{port}"
        upstreams = [f"proxy:{one.simple}:allow={one.scheme}:{via}" for one in (tls, scripted)]
        started = daemon("--upstream", upstreams[0], "--upstream", upstreams[1])
        for index in (tls, scripted):
            filename, content = wheel(index.scheme, "1.0")
            assert download(f"{started.url}packages/{index.scheme}/{filename}").body == content
    assert f"CONNECT 127.0.0.1:{tls.port}" in proxy.asked
    assert f"GET {scripted.simple}http/" in proxy.asked


class _Lasting(BaseHTTPRequestHandler):
    """Answers for all projects, with connections that last; files are at another name of this host."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer with a page or a file."""
        name = self.path.strip("/").rpartition("/")[2]
        body = CONTENT
        if self.path.startswith("/simple/"):
            port = self.server.server_address[1]
            url = f"https://localhost:{port}/{FILENAME.replace('foo', name)}"
            body = f'<a href="{url}#sha256={sha256(CONTENT).hexdigest()}">x</a>'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


def test_fault_d2_a_tunnel_is_used_again_for_its_host_alone(
    daemon: Start, proxy: WebProxy, context: SSLContext
) -> None:
    """Several pages and files take one each, for as long as the connections last."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Lasting)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    with serving(server) as port:
        index = f"https://127.0.0.1:{port}/simple/"
        started = daemon("--upstream", f"proxy:{index}:via={proxy.url}:hosts=localhost\\:{port}")
        for name in ("aaa", "bbb", "ccc"):
            assert ask(f"{started.simple}{name}/").status == 200
            filename = FILENAME.replace("foo", name)
            assert download(f"{started.url}packages/{name}/{filename}").body == CONTENT
        assert proxy.asked == [f"CONNECT 127.0.0.1:{port}", f"CONNECT localhost:{port}"]
        started.stop()


def test_fault_d2_clients_that_leave_leave_nothing_behind(daemon: Start) -> None:
    """While a proxy does not say whether it connects; once that is given up all is closed."""
    with scripted_index() as proxy:
        proxy.script("index.example.org:443", STALL)
        upstream = f"proxy:https://index.example.org/simple/:timeout=2s:via=http://127.0.0.1:{proxy.port}"
        started = daemon("--upstream", upstream)
        before = sockets(started)
        with ExitStack() as clients:
            for number in range(30):
                client = clients.enter_context(create_connection(("127.0.0.1", started.port)))
                client.sendall(f"GET /simple/foo{number}/ HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
            wait_until(lambda: proxy.connections >= 10, "the proxy is asked")
        wait_until(lambda: sockets(started) <= before, "nothing is left open")
        started.stop()


def test_fault_d2_the_certificate_is_that_of_the_index(
    daemon: Start, tls: ScriptedIndex, proxy: WebProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever answers behind the proxy has to prove who they are, and is told nothing before."""
    monkeypatch.delenv("SSL_CERT_FILE")
    started = daemon("--upstream", f"proxy:{tls.simple}:via={proxy.url}")
    assert "certificate" in refusal(started)
    assert tls.requests == []


def test_fault_d2_plain_http_is_asked_of_the_proxy_of_the_option(
    daemon: Start, scripted: ScriptedIndex, proxy: WebProxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By whole URLs; the option goes before the environment, and none is no proxy at all."""
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{free_port()}")
    scripted.offer("foo", FILENAME, CONTENT, metadata=METADATA)
    fetched(daemon("--upstream", f"proxy:{scripted.simple}:via={proxy.url}:ttl=5m"))
    assert f"GET {scripted.simple}foo/" in proxy.asked
    assert all(one.startswith(f"GET {scripted.url}") for one in proxy.asked)
    asked = len(proxy.asked)
    fetched(daemon("--upstream", f"proxy:{scripted.simple}:via=none"))
    assert len(proxy.asked) == asked


def test_fault_d2_credentials_are_the_proxys_alone(
    daemon: Start,
    tls: ScriptedIndex,
    scripted: ScriptedIndex,
    strict_proxy: WebProxy,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    """They come in the variable or from a file, and are in no log, answer or request to the index."""
    via = f"via={strict_proxy.url}"
    ways = {"by-variable": "timeout=20s", "by-file": via, "wrong": via, "none": via}
    for way, words in (("by-file", ":".join(USER)), ("wrong", f"{USER[0]}:another")):
        secret = tmp_path / way
        secret.write_text(words)
        secret.chmod(0o600)
        ways[way] += f":via-credentials={secret}"
    upstreams = []
    for index in (tls, scripted):
        monkeypatch.setenv(f"{index.scheme}_proxy", strict_proxy.url.replace("://", f"://{':'.join(USER)}@"))
        for way, options in ways.items():
            name = f"{index.scheme}-{way}"
            index.offer(name, *wheel(name, "1.0"))
            upstreams += ["--upstream", f"proxy:{index.simple}:name={name}:allow={name}:{options}"]
    started = daemon(*upstreams)
    for index in (tls, scripted):
        for way in ("by-variable", "by-file"):
            filename, content = wheel(f"{index.scheme}-{way}", "1.0")
            assert download(f"{started.url}packages/{index.scheme}-{way}/{filename}").body == content
        asked = len(index.requests)
        assert asked == 4
        wrong, none = (refusal(started, f"{index.scheme}-{way}") for way in ("wrong", "none"))
        for text in (wrong, none):
            assert f"127.0.0.1:{index.port} (through the web proxy {strict_proxy.url}): " in text
        assert "wants a user name and password: see via-credentials" in none
        # tinyproxy says 401 to a wrong one.
        assert "does not take the user name and password" in wrong or "status 401" in wrong
        assert len(index.requests) == asked
        for request in index.requests:
            assert "authorization" not in request.headers
            assert USER[1] not in str(request)
    assert not any("proxy-authorization" in request.headers for request in tls.requests)


def test_fault_d2_a_proxy_that_fails_is_named(daemon: Start) -> None:
    """It is away, says no, fails, hangs, closes in the middle, or is another server; one line tells."""
    with scripted_index() as proxy:
        url = f"http://127.0.0.1:{proxy.port}"
        cases: dict[str, tuple[list[object], int, str]] = {
            "no": (
                [answer(403)],
                502,
                "refuses to connect to no.example.org:443: status 403; the option via",
            ),
            "who": ([answer(407)], 502, "wants a user name and password"),
            "cannot": ([answer(503)], 502, "fails to connect to cannot.example.org:443: status 503"),
            "closes": ([b"HTTP/1.1 200 Conn"], 502, "closed the connection"),
            "other": ([b"220 mail.example.org\r\n\r\n"], 502, "does not answer as one"),
            "hangs": ([STALL], 504, "did not answer in time"),
            "hangs-later": ([b"HTTP/1.1 200 OK\r\n\r\n", Gate()], 504, "did not answer in time"),
        }
        upstreams = []
        for name, (steps, _, _) in cases.items():
            proxy.script(f"{name}.example.org:443", *steps)
            upstream = f"proxy:https://{name}.example.org/simple/:allow={name}:timeout=2s:via={url}"
            upstreams += ["--upstream", upstream]
        away = f"http://127.0.0.1:{free_port()}"
        cases["away"] = ([], 502, "the web proxy refuses connections; the option via names it")
        started = daemon(*upstreams, "--upstream", f"proxy:https://away.example.org/:allow=away:via={away}")
        for name, (_, status, words) in cases.items():
            text = refusal(started, name, status)
            assert f"{name}.example.org (through the web proxy {away if name == 'away' else url}): " in text
            assert words in text
        assert {request.method for request in proxy.requests} == {"CONNECT"}


def test_fault_d2_a_proxy_that_is_away_is_left_alone_for_a_while(
    daemon: Start, tls: ScriptedIndex, tmp_path: Path
) -> None:
    """As an index is that is away; and once it is back so are the pages."""
    with tinyproxy(tmp_path) as proxy:
        pass
    started = daemon("--upstream", f"proxy:{tls.simple}:via={proxy.url}")
    for name in ("foo", "bar", "baz"):
        assert "refuses connections" in ask(f"{started.simple}{name}/").text
    assert "it failed again and again" in refusal(started)
    assert proxy.url in refusal(started)
    with tinyproxy(tmp_path, port=proxy.port):
        wait_until(lambda: ask(f"{started.simple}foo/").status == 200, "the proxy is back")


def test_fault_d2_redirects_lead_nowhere_they_must_not(
    daemon: Start, tls: ScriptedIndex, proxy: WebProxy, scripted: ScriptedIndex
) -> None:
    """The proxy, which may be near us, is not asked for what is near it, however that is spelt."""
    started = daemon("--upstream", f"proxy:{tls.simple}:via={proxy.url}:allow-http")
    for number, host in enumerate(
        (
            "localhost",
            "127.1",
            "2130706433",
            "0x7f.0.0.1",
            "[::1]",
            "10.0.0.1",
            "wiki.local",
            "wiki",
            "127.0.0.2",
        )
    ):
        for scheme in ("https", "http"):
            path = f"/simple/{scheme}{number}/"
            tls.script(path, answer(302, Location=f"{scheme}://{host}/"))
            refused = ask(f"{started.url}{path[1:]}")
            assert (refused.status, "private address" in refused.text) == (502, True), (host, refused.text)
    assert set(proxy.asked) == {f"CONNECT 127.0.0.1:{tls.port}"}


def test_fault_d2_a_refusal_of_the_proxy_is_no_missing_page(daemon: Start, scripted: ScriptedIndex) -> None:
    """Without TLS the proxy speaks for the index: its 403 does not send a name on to the next upstream."""
    with scripted_index() as proxy:
        for name in ("foo", "bar"):
            proxy.script(
                f"http://127.0.0.1:{scripted.port}/simple/{name}/", answer(403 if name == "foo" else 404)
            )
        first = f"proxy:{scripted.simple}:missing=403:via=http://127.0.0.1:{proxy.port}"
        started = daemon("--upstream", first)
        assert "status 403" in refusal(started)
        assert ask(f"{started.simple}bar/").status == 404
    assert scripted.connections == 0


def test_fault_d2_the_command_goes_through_it_too(
    daemon: Start, tls: ScriptedIndex, strict_proxy: WebProxy, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Prefetching and refreshing ask through the same proxy, by the same means."""
    lock = tmp_path / "requirements.txt"
    lock.write_text("foo==1.0\n")
    root = tmp_path / "index"
    (root / "simple").mkdir(parents=True)
    command = [script("pypid"), "--root", root, "cache"]
    upstream = ("--upstream", f"proxy:{tls.simple}")
    monkeypatch.setenv("https_proxy", strict_proxy.url.replace("://", f"://{':'.join(USER)}@"))
    environment = daemon_environment()
    assert "fetched 1 files" in run([*command, "prefetch", "-r", lock, *upstream], environment=environment)
    assert "refreshed 1 pages" in run([*command, "refresh", *upstream], environment=environment)
    assert set(strict_proxy.asked) == {f"CONNECT 127.0.0.1:{tls.port}"}
    environment["https_proxy"] = strict_proxy.url
    said = run([*command, "refresh", *upstream], environment=environment, status=1)
    assert "wants a user name and password" in said
    assert USER[1] not in said
    asked = len(tls.requests)
    offline = daemon(*upstream[:1], f"{upstream[1]}:offline", root=root)
    assert json.loads(ask(f"{offline.url}pypi/foo/json").body)["info"]["version"] == "1.0"
    assert download(f"{offline.url}packages/foo/{FILENAME}").body == CONTENT
    assert len(tls.requests) == asked


def test_fault_d2_what_cannot_be_used_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rather than that everything goes without the proxy; no secret is told."""
    arguments = ("--root", tmp_path / "index", "--listen", f"tcp:{free_port()}:interface=127.0.0.1")
    upstream = "proxy:https://index.example.org/simple/"
    monkeypatch.setenv("ALL_PROXY", f"socks5://{':'.join(USER)}@proxy.example.org:1080")
    said = refused_start(*arguments, "--upstream", upstream)
    assert "the environment variable all_proxy names a proxy of another kind" in said
    assert USER[1] not in said
