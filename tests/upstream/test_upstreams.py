from hashlib import sha256

import pytest

from pypid.daemon.config import check_names
from pypid.errors import ConfigurationError, UpstreamFailed
from pypid.interfaces import IUpstream
from pypid.model import File, Project, Redirect
from pypid.names import ArchiveKind
from pypid.testing.fakes import Synchronous
from pypid.testing.upstream import UpstreamContract
from pypid.upstream.memory import MemoryUpstream
from pypid.upstream.none import NoUpstream
from pypid.upstream.redirect import RedirectUpstream

METADATA = b"Metadata-Version: 2.1"
PROVENANCE = b'{"version": 1, "attestation_bundles": [{}]}'
WHEEL = File(
    *("foo-1.0-py3-none-any.whl", "1.0", ArchiveKind.WHEEL, 5),
    *({"sha256": sha256(b"bytes").hexdigest()}, None, None),
    core_metadata=sha256(METADATA).hexdigest(),
    provenance_url="https://index.example.org/integrity/foo/provenance",
)
FOO = Project("foo", "Foo", (WHEEL,))
URL = "https://index.example.org/simple/"


def test_fault_g_nobody_is_asked_for_a_list() -> None:
    """An upstream need not list what it has: nothing here would ask for it."""
    assert "projects" not in IUpstream
    assert not any(hasattr(one, "projects") for one in (MemoryUpstream, NoUpstream, RedirectUpstream))


class MemoryUpstreamTests(UpstreamContract, Synchronous):
    """Projects and files in memory."""

    offered = ("foo",)

    def make_upstream(self) -> IUpstream:
        self.memory = MemoryUpstream(
            [FOO],
            {WHEEL.filename: b"bytes"},
            metadatas={WHEEL.filename: METADATA},
            provenances={WHEEL.filename: PROVENANCE},
        )
        return self.memory

    def disconnect(self) -> bool:
        self.memory.failure = "no route to it"
        return True

    def test_fails_on_demand(self) -> None:
        """While it is to fail, each question fails in the same words."""
        upstream = MemoryUpstream([FOO], {WHEEL.filename: b"bytes"}, failure="no route to it")
        for question in (
            upstream.project("foo"),
            upstream.content("foo", WHEEL),
            upstream.metadata("foo", WHEEL),
            upstream.provenance("foo", WHEEL),
        ):
            self.assertEqual(self.failure(question, UpstreamFailed), "no route to it")
        upstream.failure = None
        self.assertEqual(self.result(upstream.project("foo")), FOO)


class NoUpstreamTests(UpstreamContract, Synchronous):
    """Nothing."""

    def make_upstream(self) -> IUpstream:
        return NoUpstream()

    def test_nothing(self) -> None:
        self.assertIsNone(self.result(self.upstream.project("foo")))


class RedirectUpstreamTests(UpstreamContract, Synchronous):
    """Another index."""

    offered = ("foo",)

    def make_upstream(self) -> IUpstream:
        return RedirectUpstream(URL)

    def test_page(self) -> None:
        """Each project is under the URL, with the slash that PEP 503 asks for."""
        self.assertEqual(self.result(self.upstream.project("foo")), Redirect(f"{URL}foo/"))


class NamedRedirectTests(RedirectUpstreamTests):
    """Another index of the same host."""

    def make_upstream(self) -> IUpstream:
        return RedirectUpstream(URL, "another")


def test_fault_d3_two_redirects_of_a_host_have_names_of_their_own() -> None:
    upstreams = [RedirectUpstream(URL), RedirectUpstream("https://index.example.org/root/simple/", "root")]
    check_names(upstreams)
    assert [one.name for one in upstreams] == ["index.example.org", "root"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (URL, "index.example.org"),
        ("http://127.0.0.1:8080/simple", "127.0.0.1"),
        ("HTTPS://Index.Example.ORG", "index.example.org"),
        ("http://my_index/root/pypi/+simple/", "my-index"),
        ("http://[::1]:3141/simple/", "1"),
    ],
)
def test_url(url: str, name: str) -> None:
    """An index's URL ends in a slash, given or not, and its host is the upstream's name."""
    upstream = RedirectUpstream(url)
    assert upstream.url == url.rstrip("/") + "/"
    assert upstream.name == name


@pytest.mark.parametrize(
    "url",
    [
        "",
        "/simple/",
        "index.example.org/simple/",
        "//index.example.org/simple/",
        "ftp://index.example.org/simple/",
        "file:///var/pypi/simple/",
        "https:///simple/",
        "https://:443/simple/",
        "https://../simple/",
        "https://index.example.org:port/simple/",
        "https://index.example.org:99999/simple/",
        "https://[::1/simple/",
        "https://alice:s3cret@index.example.org/simple/",
        "https://@index.example.org/simple/",
        "https://index.example.org/simple/?a=s3cret",
        "https://index.example.org/simple/?",
        "https://index.example.org/simple/#top",
        "https://index.example.org/sim ple/",
        "https://index.example.org/simple/\r\nSet-Cookie: s3cret",
        "\thttps://index.example.org/simple/",
        "https://index.example.org/<script>",
        "https://indéx.example.org/simple/",
    ],
)
def test_bad_url(url: str) -> None:
    """What is no URL of an index is refused in one line, which does not repeat it."""
    with pytest.raises(ConfigurationError) as refusal:
        RedirectUpstream(url)
    assert "\n" not in str(refusal.value)
    assert "s3cret" not in str(refusal.value)
