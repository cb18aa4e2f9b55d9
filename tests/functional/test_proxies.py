"""pip, uv and twine through the web servers that have a file in ``etc/``, at the root and under a path."""

from __future__ import annotations

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator
from http.client import HTTPSConnection
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import bcrypt
import pytest
from attrs import frozen
from harness.archives import make_sdist, make_wheel
from harness.clients import Clients
from harness.daemon import Daemon
from harness.http import Answer, ask
from harness.processes import wait_until
from harness.proxies import Proxy

HTML = "application/vnd.pypi.simple.v1+html"
JSON = "application/vnd.pypi.simple.v1+json"


@frozen
class Site:
    """A daemon behind a web server, and someone who may upload to it."""

    proxy: Proxy
    daemon: Daemon
    user: tuple[str, str]

    @property
    def url(self) -> str:
        return self.proxy.url

    @property
    def simple(self) -> str:
        return f"{self.url}simple/"

    def ask(self, url: str, method: str = "GET", **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(urljoin(self.url, url), method, headers=named, context=self.proxy.context)

    def trusted_by(self, clients: Clients) -> Clients:
        """Let clients trust the web server's certificate."""
        authority = str(self.proxy.authority)
        clients.environment |= {"PIP_CERT": authority, "SSL_CERT_FILE": authority, "TWINE_CERT": authority}
        return clients


@pytest.fixture(
    scope="module",
    params=[
        (kind, prefix)
        for kind in ("apache", "nginx", "caddy", "haproxy")
        for prefix in ("", "pypi-internal/")
    ],
    ids=lambda value: "-".join(filter(None, (value[0], value[1].rstrip("/")))),
)
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Start a daemon and a web server in front of it, for all tests of this module."""
    kind, prefix = request.param
    user = ("alice", "correct horse")
    directory = tmp_path_factory.mktemp(kind)
    proxy = Proxy(kind, directory, prefix)
    users = directory / "users"
    users.write_text(f"{user[0]}:{bcrypt.hashpw(user[1].encode(), bcrypt.gensalt(5)).decode()}\n")
    options = ("--public-url", proxy.url, "--auth", f"htpasswd:{users}", "--upstream", "none")
    options += ("--trust-proxy", "127.0.0.1")
    daemon = Daemon(directory / "pypi", options)
    try:
        daemon.start()
        proxy.start(daemon.port)
        yield Site(proxy, daemon, user)
        proxy.stop()
        daemon.stop()
    finally:
        proxy.stop()
        daemon.kill()


@pytest.fixture
def inside(site: Site, clients: Clients) -> Clients:
    """Return clients that trust the site."""
    return site.trusted_by(clients)


def test_twine_uploads_and_pip_and_uv_install(site: Site, inside: Clients, tmp_path: Path) -> None:
    """A local version, whose file name holds a ``+``, goes up with twine and down with pip and uv."""
    wheel = make_wheel(tmp_path, "by-twine", "1.0+local.1")
    sdist = make_sdist(tmp_path, "by-twine", "0.9+local.1")
    inside.twine_upload(site.url, site.user, wheel, sdist)
    for version in ("1.0+local.1", "0.9+local.1"):
        requirement = f"by-twine=={version}"
        assert inside.pip_install(site.simple, requirement).version("by_twine") == version
        assert inside.uv_install(site.simple, requirement).version("by_twine") == version


def test_uv_publishes_and_pip_and_uv_install(site: Site, inside: Clients, tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "by-uv", "1.0+local.1", requires_python=">=3.8")
    inside.uv_publish(f"{site.url}legacy/", site.user, wheel)
    assert inside.pip_install(site.simple, "by-uv").version("by_uv") == "1.0+local.1"
    assert inside.uv_install(site.simple, "by-uv").version("by_uv") == "1.0+local.1"


def test_three_megabytes_pass(site: Site, inside: Clients, tmp_path: Path) -> None:
    """An upload above nginx's own limit of 1 MB arrives whole."""
    wheel = make_wheel(tmp_path, "large", "1.0", payload=bytes(range(256)) * 12 * 1024)
    inside.twine_upload(site.url, site.user, wheel)
    answer = site.ask(f"packages/large/{wheel.name}")
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(wheel.read_bytes()).digest()


def test_large_upload_with_a_wrong_password_is_told_so(site: Site, inside: Clients, tmp_path: Path) -> None:
    """The refusal comes before the body is read, and the web server passes it on all the same."""
    wheel = make_wheel(tmp_path, "refused", "1.0", payload=bytes(3 << 20))
    said = inside.twine_upload(site.url, (site.user[0], "wrong"), wheel, status=None)
    assert "401" in said
    assert site.ask("simple/refused/").status == 404


@pytest.mark.parametrize("spelled", ["sample-1.0+local.1", "sample-1.0%2Blocal.1", "sampl%65-1.0%2blocal.1"])
def test_c183_spellings_of_a_path(site: Site, spelled: str) -> None:
    """Encoded or not, a character of a file's name is the same."""
    wheel = dropped(site, "1.0+local.1")
    for where in ("packages", "simple"):
        answer = site.ask(f"{where}/sample/{spelled}-py3-none-any.whl")
        assert (answer.status, answer.body) == (200, wheel.read_bytes())


def test_head_and_range(site: Site) -> None:
    wheel = dropped(site, "1.0")
    url = f"packages/sample/{wheel.name}"
    head = site.ask(url, "HEAD")
    assert (head.status, head.body, head.headers["Content-Length"]) == (200, b"", str(wheel.stat().st_size))
    part = site.ask(url, Range="bytes=10-19", Accept_Encoding="gzip")
    assert (part.status, part.body) == (206, wheel.read_bytes()[10:20])
    assert part.headers["Content-Range"] == f"bytes 10-19/{wheel.stat().st_size}"
    tail = site.ask(url, Range="bytes=-7", If_Range=head.headers["ETag"])
    assert (tail.status, tail.body) == (206, wheel.read_bytes()[-7:])
    assert site.ask(url, If_None_Match=head.headers["ETag"]).status == 304


def test_pages_in_html_and_json(site: Site) -> None:
    """Both kinds of page come as they are asked for, and their links work from where they are."""
    wheel = dropped(site, "1.0+local.1")
    page = json.loads(site.ask("simple/sample/", Accept=JSON).body)
    [link] = [file["url"] for file in page["files"] if file["filename"] == wheel.name]
    file = urljoin(f"{site.simple}sample/", link)
    assert file.startswith(site.url)
    assert site.ask(file).body == wheel.read_bytes()
    html = site.ask("simple/sample/", Accept=HTML)
    assert html.headers["Content-Type"].startswith(HTML)
    assert wheel.name in html.text
    assert "sample" in [
        project["name"] for project in json.loads(site.ask("simple/", Accept=JSON).body)["projects"]
    ]


def test_c182_redirects_stay_inside(site: Site) -> None:
    """A redirect leads to an address below the site's own, whatever the daemon's is."""
    dropped(site, "1.0")
    for path in ("simple/Sample/", "simple/sample", "sample/"):
        answer = site.ask(path)
        assert answer.status in (301, 303, 307, 308), path
        assert urljoin(f"{site.url}{path}", answer.headers["Location"]) == f"{site.simple}sample/"


def test_home_page_names_the_public_address(site: Site) -> None:
    page = site.ask("", Accept="text/html")
    assert page.status == 200
    assert site.simple in page.text
    assert str(site.daemon.port) not in page.text


def test_addresses_beside_the_index_lead_to_it(site: Site) -> None:
    """Whoever leaves out the TLS, or the slash after the path, is sent on."""
    if site.proxy.prefix:
        answer = site.ask(site.url.rstrip("/"))
        assert urljoin(site.url, answer.headers["Location"]) == site.url
    else:
        answer = ask(f"http://127.0.0.1:{site.proxy.http}/simple/sample/")
        assert answer.headers["Location"].startswith("https://")
        assert answer.headers["Location"].endswith("/simple/sample/")
        if site.proxy.kind in ("apache", "nginx"):  # the others send clients to where they came from
            assert answer.headers["Location"] == "https://packages.example.org/simple/sample/"
    assert answer.status in (301, 302, 308)


def dropped(site: Site, version: str) -> Path:
    """Put a wheel into the tree, as ``cp`` would."""
    directory = site.daemon.root / "simple" / "sample"
    directory.mkdir(parents=True, exist_ok=True)
    wheel = directory / f"sample-{version}-py3-none-any.whl"
    return wheel if wheel.exists() else make_wheel(directory, "sample", version, payload=b"x" * 1000)


def test_t32_clients_have_their_own_addresses(site: Site) -> None:
    """In the log and for the limit to guessing; what they claim to be is passed over."""
    claims = {
        "X-Forwarded-For": "127.0.0.1",
        "X-Forwarded-Host": "evil.example.org",
        "X-Forwarded-Proto": "gopher",
        "Forwarded": "for=127.0.0.1;host=evil.example.org",
    }
    for _ in range(11):
        guess = asked_from(site, "127.9.0.1", {**claims, **basic("mallory", "x")})
    assert guess == 429
    assert asked_from(site, "127.9.0.2", {**claims, **basic("mallory", "x")}) == 401
    assert asked_from(site, "127.9.0.3", {**claims, **basic(*site.user)}) == 200
    wait_until(lambda: '"127.9.0.3"' in site.daemon.log_text(), "the access log has the client")
    assert '"127.9.0.1"' in site.daemon.log_text()


def asked_from(site: Site, source: str, headers: dict[str, str]) -> int:
    """Ask for the index from an address of the loopback network; give the status."""
    parts = urlsplit(site.simple)
    connection = HTTPSConnection(
        "127.0.0.1", parts.port, timeout=60, context=site.proxy.context, source_address=(source, 0)
    )
    try:
        connection.request("GET", parts.path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def basic(username: str, password: str) -> dict[str, str]:
    """Return the header with Basic credentials."""
    return {"Authorization": "Basic " + b64encode(f"{username}:{password}".encode()).decode("ascii")}
