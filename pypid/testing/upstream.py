"""The contract suite of upstreams."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from attrs import define, field
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer
from zope.interface.verify import verifyObject

from pypid.errors import NotFound, UpstreamFailed
from pypid.formats.attestations import is_provenance
from pypid.interfaces import IContent, IUpstream
from pypid.model import File, Project, Redirect
from pypid.names import ArchiveKind, normalize
from pypid.testing.fakes import Synchronous

__all__ = ["UpstreamContract"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the suite itself is not a test case
    _Base = object

MISSING = File("foo-9.9.tar.gz", "9.9", ArchiveKind.SDIST, 1, {}, None, None)


class UpstreamContract(_Base):
    """The promises of :class:`pypid.interfaces.IUpstream`."""

    offered: tuple[str, ...] = ()
    """Normalized names of projects that the provider under test has."""

    def make_upstream(self) -> IUpstream:
        """Return the provider under test, not opened yet."""
        raise NotImplementedError

    def disconnect(self) -> bool:
        """Make the index behind the provider fail from now on. Return whether there is such an index."""
        return False

    def setUp(self) -> None:
        """Open the provider."""
        super().setUp()
        self.upstream = self.make_upstream()
        self.upstream.open()
        self.addCleanup(self.upstream.close)

    def test_interface(self) -> None:
        """The provider provides the interface, with a name fit for a directory, and a summary of one line."""
        self.assertTrue(verifyObject(IUpstream, self.upstream))
        self.assertIsNotNone(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", self.upstream.name))
        self.assertEqual(len(self.upstream.summary.splitlines()), 1)

    def test_offered(self) -> None:
        """Each offered project is returned under its name, or redirected to a page elsewhere."""
        for name in self.offered:
            answer = self.result(self.upstream.project(name))
            if isinstance(answer, Redirect):
                self.assert_elsewhere(answer)
            else:
                assert isinstance(answer, Project)
                self.assertEqual(answer.name, name)

    def test_unchanged(self) -> None:
        """While nothing changes, the same object is returned; after a refresh it is equal."""
        for name in self.offered:
            project = self.result(self.upstream.project(name))
            if isinstance(project, Project):
                self.assertIs(self.result(self.upstream.project(name)), project)
                self.assertEqual(self.result(self.upstream.project(name, refresh=True)), project)

    def test_withheld(self) -> None:
        """No file is both offered and withheld."""
        for name in self.offered:
            project = self.result(self.upstream.project(name))
            if isinstance(project, Project):
                offered = {file.filename for file in project.files}
                self.assertEqual(offered & project.withheld.keys(), set())

    def test_merged(self) -> None:
        """Names of merged projects are normalized."""
        for name in self.upstream.merged:
            self.assertEqual(normalize(name), name)

    def test_missing(self) -> None:
        """A missing project is ``None``, unless the upstream redirects without a look."""
        answer = self.result(self.upstream.project("there-is-no-such-project"))
        if isinstance(answer, Redirect):
            self.assert_elsewhere(answer)
        else:
            self.assertIsNone(answer)

    def test_content(self) -> None:
        """Each file can be sent, whole and in part, or is redirected elsewhere."""
        for name in self.offered:
            project = self.result(self.upstream.project(name))
            for file in project.files if isinstance(project, Project) else ():
                content = self.result(self.upstream.content(name, file))
                if isinstance(content, Redirect):
                    self.assert_elsewhere(content)
                else:
                    self.assert_content(content, file)

    def test_metadata(self) -> None:
        """Core metadata has the digest from the page; without one on the page it may be missing."""
        for name in self.offered:
            project = self.result(self.upstream.project(name))
            for file in project.files if isinstance(project, Project) else ():
                if file.core_metadata is not None:
                    metadata = self.result(self.upstream.metadata(name, file))
                    self.assertIn(file.core_metadata, (sha256(metadata).hexdigest(), True))

    def test_provenance(self) -> None:
        """Provenance that a page offers exists, and is well-formed (PEP 740)."""
        for name in self.offered:
            project = self.result(self.upstream.project(name))
            for file in project.files if isinstance(project, Project) else ():
                if file.provenance_url is not None:
                    self.assertTrue(is_provenance(self.result(self.upstream.provenance(name, file))))
                else:
                    self.failure(self.upstream.provenance(name, file), NotFound)

    def test_missing_content(self) -> None:
        """A missing file is not found, nor are its metadata and provenance."""
        self.failure(self.upstream.content("foo", MISSING), NotFound)
        self.failure(self.upstream.provenance("foo", MISSING), NotFound)
        self.failure(self.upstream.metadata("foo", MISSING), NotFound)

    def test_disconnected(self) -> None:
        """If the index behind the provider fails, that is an error, not a missing project."""
        if self.disconnect():
            message = self.failure(self.upstream.project("there-is-no-such-project"), UpstreamFailed)
            self.assertEqual(len(message.splitlines()), 1)

    def assert_elsewhere(self, redirect: Redirect) -> None:
        """Check that a redirect goes to an absolute URL."""
        parts = urlsplit(redirect.url)
        self.assertIn(parts.scheme, ("http", "https"))
        self.assertTrue(parts.hostname)

    def assert_content(self, content: IContent, file: File) -> None:
        """Check that a content has the file's length and digests, and sends any part."""
        self.assertTrue(verifyObject(IContent, content))
        self.assertIn(file.size, (content.length, None))
        whole = self.sent(content, 0, content.length)
        self.assertEqual(len(whole), content.length)
        self.assertIn(file.hashes.get("sha256"), (sha256(whole).hexdigest(), None))
        for start, stop in ((0, 1), (1, content.length), (content.length, content.length)):
            self.assertEqual(self.sent(content, start, stop), whole[start:stop])
        content.close()
        content.close()

    def sent(self, content: IContent, start: int, stop: int) -> bytes:
        """Return the bytes that a content writes to a consumer."""
        consumer = _Consumer()
        self.result(content.send_to(consumer, start, stop))
        self.assertIsNone(consumer.producer)
        return b"".join(consumer.written)


@implementer(IConsumer)
@define
class _Consumer:
    """Collects everything that a producer writes, without a pause."""

    written: list[bytes] = field(factory=list)
    producer: Any = None

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        self.producer = producer
        while not streaming and self.producer is not None:
            producer.resumeProducing()

    def unregisterProducer(self) -> None:
        self.producer = None

    def write(self, data: bytes) -> None:
        self.written.append(data)
