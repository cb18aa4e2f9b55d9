"""Files that nginx and Apache send themselves are the ones that pypid would have sent."""

from __future__ import annotations

import hashlib
import os
import re
import time
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import bcrypt
import pytest
from attrs import frozen
from harness.archives import make_wheel
from harness.daemon import Daemon
from harness.http import Answer
from harness.privileges import open_directory
from harness.processes import wait_until
from harness.proxies import Proxy
from harness.upstream import FakeIndex, fake_index

PASSED_ON = (
    "Accept-Ranges",
    "Access-Control-Allow-Origin",
    "Cache-Control",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "Content-Security-Policy",
    "Content-Type",
    "ETag",
    "Last-Modified",
    "Referrer-Policy",
    "Vary",
    "X-Content-Type-Options",
    "X-Frame-Options",
)
"""Headers that are the same whoever sends the file."""
KINDS = {"nginx": "nginx:/pypid-files/", "apache": "apache"}
USER = ("alice", "correct horse")
SIGNED_IN = {"Authorization": "Basic " + b64encode(f"{USER[0]}:{USER[1]}".encode()).decode("ascii")}


@frozen
class Site:
    """A daemon that hands its files over, the web server that sends them, and another index behind it."""

    proxy: Proxy
    daemon: Daemon
    upstream: FakeIndex
    directory: Path

    def ask(self, path: str, method: str = "GET", *, direct: bool = False, **headers: str) -> Answer:
        """Ask the web server, or the daemon itself, as somebody whom it does not trust."""
        port = self.daemon.port if direct else self.proxy.http
        connection = HTTPConnection("127.0.0.1", port, timeout=60, source_address=("127.9.0.1", 0))
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, headers={**SIGNED_IN, **named})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read(), response.reason)
        finally:
            connection.close()


@pytest.fixture(scope="module", params=list(KINDS))
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    """Start them, with one file here and one at the other index; reading needs a sign-in."""
    kind: str = request.param
    with open_directory() as directory:
        for name in ("upstream", "proxy"):
            (directory / name).mkdir()
        users = directory / "users"
        users.write_text(f"{USER[0]}:{bcrypt.hashpw(USER[1].encode(), bcrypt.gensalt(5)).decode()}\n")
        root = directory / "pypi"
        (root / "simple" / "acme").mkdir(parents=True)
        wheel = make_wheel(root / "simple" / "acme", "acme", "1.0+local.1", payload=bytes(range(256)) * 4096)
        # Apache takes the time of a file that has just been changed for no proof (RFC 9110, section 8.8.2.2).
        hour_ago = time.time() - 3600
        os.utime(wheel, (hour_ago, hour_ago))
        proxy = Proxy(kind, directory / "proxy", "", plain=True, files=root)
        with fake_index(directory / "upstream") as upstream:
            far = upstream.add("far", make_wheel, "1.0")
            digest = hashlib.sha256(far.read_bytes()).hexdigest()
            page = f'<!DOCTYPE html>\n<a href="{far.name}#sha256={digest}">{far.name}</a>'
            (far.parent / "index.html").write_text(page)
            upstream.add("untold", make_wheel, "1.0")
            options = ("--public-url", proxy.url, "--auth", f"htpasswd:{users}", "--access", "private")
            options += ("--offload", KINDS[kind], "--trust-proxy", "127.0.0.1", "--upstream", upstream.simple)
            daemon = Daemon(root, options)
            try:
                daemon.start()
                proxy.start(daemon.port)
                yield Site(proxy, daemon, upstream, directory)
                proxy.stop()
                daemon.stop()
            finally:
                proxy.stop()
                daemon.kill()


FILE = "/packages/acme/acme-1.0+local.1-py3-none-any.whl"
REQUESTS: list[tuple[str, dict[str, str]]] = [
    ("GET", {}),
    ("HEAD", {}),
    ("GET", {"Range": "bytes=0-9"}),
    ("GET", {"Range": "bytes=10-"}),
    ("GET", {"Range": "bytes=-7"}),
    ("GET", {"Range": "bytes=1000-9999999999"}),
    ("GET", {"Range": "bytes=9999999999-"}),
    ("GET", {"Range": "bytes=0-1,3-4"}),
    ("GET", {"Range": "lines=1-2"}),
    ("GET", {"Range": "bytes=0-9", "If_Range": "{etag}"}),
    ("GET", {"Range": "bytes=0-9", "If_Range": '"other"'}),
    ("GET", {"Range": "bytes=0-9", "If_Range": "{modified}"}),
    ("GET", {"If_None_Match": "{etag}"}),
    ("GET", {"If_None_Match": '"other"'}),
    ("GET", {"If_Modified_Since": "{modified}"}),
    ("GET", {"If_Modified_Since": "Mon, 01 Jan 2001 00:00:00 GMT"}),
    ("GET", {"Accept_Encoding": "gzip"}),
    ("HEAD", {"If_None_Match": "{etag}"}),
]


@pytest.mark.parametrize(("method", "headers"), REQUESTS, ids=str)
def test_the_answer_is_the_same(site: Site, method: str, headers: dict[str, str]) -> None:
    """Status, body and headers, whoever sends the file."""
    whole = site.ask(FILE, direct=True)
    assert whole.status == 200
    assert whole.body == (site.daemon.root / "simple" / "acme" / FILE.rpartition("/")[2]).read_bytes()
    values = {"etag": whole.headers["ETag"], "modified": whole.headers["Last-Modified"]}
    sent = {name: value.format(**values) for name, value in headers.items()}
    own, offloaded = (site.ask(FILE, method, direct=direct, **sent) for direct in (True, False))
    assert (offloaded.status, offloaded.body) == (own.status, own.body)
    if own.status in (200, 206):
        assert {name: offloaded.headers[name] for name in PASSED_ON} == {
            name: own.headers[name] for name in PASSED_ON
        }
    if own.status == 304:
        assert offloaded.headers["ETag"] == own.headers["ETag"]
    assert not {"x-accel-redirect", "x-sendfile"} & {name.lower() for name in offloaded.headers}


def test_the_web_server_sends_it(site: Site) -> None:
    """The daemon sends no byte of it, and whoever comes without a proxy gets it from the daemon."""
    size = len(site.ask(FILE, User_Agent="through").body)
    assert len(site.ask(FILE, direct=True, User_Agent="direct").body) == size > 1 << 20
    wait_until(lambda: '"direct"' in site.daemon.log_text(), "the access log")
    sizes = {agent: logged_size(site.daemon, agent) for agent in ("through", "direct")}
    assert sizes == {"through": "-", "direct": str(size)}


def test_a_file_of_another_index(site: Site) -> None:
    """At first it comes through the daemon, which keeps it; then the web server sends the kept file."""
    path = "/packages/far/far-1.0-py3-none-any.whl"
    first = site.ask(path)
    assert (first.status, site.ask("/simple/far/").status) == (200, 200)
    again = site.ask(path, User_Agent="kept")
    assert (again.status, again.body) == (200, first.body)
    for name in PASSED_ON:
        assert again.headers[name] == first.headers[name], name
    part = site.ask(path, Range="bytes=5-14", If_Range=first.headers["ETag"])
    assert (part.status, part.body) == (206, first.body[5:15])
    wait_until(lambda: '"kept"' in site.daemon.log_text(), "the access log")
    assert logged_size(site.daemon, "kept") == "-"


def test_a_file_without_a_digest(site: Site) -> None:
    """The web server would make up a tag for it, so it comes from the daemon."""
    path = "/packages/untold/untold-1.0-py3-none-any.whl"
    first = site.ask(path)
    again = site.ask(path, User_Agent="untold")
    assert (again.status, again.body) == (200, first.body)
    assert first.headers["ETag"] is again.headers["ETag"] is None
    wait_until(lambda: '"untold"' in site.daemon.log_text(), "the access log")
    assert logged_size(site.daemon, "untold") == str(len(first.body))


def test_strangers_get_nothing(site: Site) -> None:
    """Neither the file nor a way around the daemon: users and tokens are below the same directory."""
    for headers in ({"Authorization": ""}, {"Authorization": "Basic eDp4"}):
        refused = site.ask(FILE, **headers)
        assert refused.status == 401
        assert "WWW-Authenticate" in refused.headers
    (site.daemon.root / "htpasswd").write_text("not for you")
    name = FILE.rpartition("/")[2]
    for path in (f"/pypid-files/simple/acme/{name}", "/pypid-files/htpasswd", "/pypid-files/../htpasswd"):
        assert site.ask(
            path, X_Accel_Redirect=path, X_Sendfile=str(site.daemon.root / "htpasswd")
        ).status in (
            400,
            404,
        )


def logged_size(daemon: Daemon, agent: str) -> str:
    """Give the size that the access log has for the request of a client."""
    [line] = [line for line in daemon.log_text().splitlines() if f' "{agent}"' in line]
    found = re.search(r'HTTP/1\.1" 200 (\S+) ', line)
    assert found is not None, line
    return found[1]
