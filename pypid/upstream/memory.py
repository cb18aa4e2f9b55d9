"""An upstream in memory that fails on demand, for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from attrs import define, field, frozen
from twisted.internet.interfaces import IConsumer
from zope.interface import implementer

from pypid.errors import NotFound, UpstreamFailed
from pypid.interfaces import IContent, IUpstream
from pypid.model import File, Project, Redirect
from pypid.runtime.send_bytes import send

__all__ = ["MemoryUpstream"]


@implementer(IUpstream)
@define
class MemoryUpstream:
    """An upstream with a fixed list of projects."""

    offered: Sequence[Project]
    """The projects of the upstream."""
    contents: Mapping[str, bytes] = field(factory=dict)
    """The bytes of files, by file name."""
    failure: str | None = None
    """Message of the :exc:`UpstreamFailed` that every method raises, or ``None`` for no failure."""
    name: str = "memory"
    summary: str = "projects that are not here are looked for in memory"
    merged: frozenset[str] = frozenset()
    metadatas: Mapping[str, bytes] = field(factory=dict)
    """The core metadata of files, by file name."""
    provenances: Mapping[str, bytes] = field(factory=dict)
    """The provenance of files, by file name."""

    def open(self) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect | None:  # noqa: ARG002
        """Return a project by normalized name, or ``None``. :raises UpstreamFailed: on demand."""
        self._fail()
        return next((project for project in self.offered if project.name == name), None)

    async def content(self, project: str, file: File) -> IContent | Redirect:  # noqa: ARG002
        """Return the content of a file.

        :raises NotFound: its bytes are not in ``contents``.
        :raises UpstreamFailed: on demand.
        """
        self._fail()
        if file.filename not in self.contents:
            raise NotFound("the upstream does not have that file")
        return _Content(self.contents[file.filename], file.modified_ns or 0)

    async def metadata(self, project: str, file: File) -> bytes:  # noqa: ARG002
        """Return a file's core metadata.

        :raises NotFound: it is not in ``metadatas``.
        :raises UpstreamFailed: on demand.
        """
        self._fail()
        if file.filename not in self.metadatas:
            raise NotFound("the upstream does not have that metadata")
        return self.metadatas[file.filename]

    async def provenance(self, project: str, file: File) -> bytes:  # noqa: ARG002
        """Return a file's provenance object.

        :raises NotFound: it is not in ``provenances``.
        :raises UpstreamFailed: on demand.
        """
        self._fail()
        if file.filename not in self.provenances:
            raise NotFound("the file has no provenance")
        return self.provenances[file.filename]

    def _fail(self) -> None:
        if self.failure is not None:
            raise UpstreamFailed(self.failure)


@implementer(IContent)
@frozen
class _Content:
    """Content in memory."""

    data: bytes
    modified_ns: int

    @property
    def length(self) -> int:
        return len(self.data)

    async def send_to(self, consumer: IConsumer, start: int, stop: int) -> None:
        await send(self._read, consumer, start, stop)

    async def _read(self, offset: int, length: int) -> bytes:
        return self.data[offset : offset + length]

    def close(self) -> None:
        """Do nothing."""
