"""The files of an upstream: kept, being fetched, or to be fetched."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.logger import Logger

from pypid.errors import NotFound, OutOfSpace, UpstreamFailed
from pypid.interfaces import IContent, IWorkers
from pypid.model import File
from pypid.names import Sidecar
from pypid.runtime.open_file import OpenFile
from pypid.runtime.single_flight import SingleFlight
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.archive_metadata import metadata_inside
from pypid.upstream.files.cached_content import ComingContent, KeptContent
from pypid.upstream.files.download import Download
from pypid.upstream.files.downloads import Downloads
from pypid.upstream.files.eviction import CacheEviction
from pypid.upstream.files.fetch import named
from pypid.upstream.files.partial import sweep
from pypid.upstream.files.store import FileTree, NotHashed
from pypid.upstream.http.client import UpstreamClient

__all__ = ["CachedFiles"]

MAX_METADATA = 16 * 1024**2
"""How many bytes core metadata may have."""
HASHINGS = 3
"""How often a file is hashed that changes each time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@define(eq=False)
class CachedFiles:
    """Keeps the files of one upstream, as ``<directory>/files/<project>/<filename>``."""

    _origin: UpstreamClient
    _workers: IWorkers
    _reactor: Any
    directory: Path
    """Where; made when it is needed. What is in it may be removed at any time."""
    max_size: int
    """How many bytes are kept."""
    offline: bool = False
    """Whether nothing is fetched, and there is only what is kept."""
    counts: FileCounts = field(factory=FileCounts)
    """What came of it so far."""
    _hashing: IWorkers = field(kw_only=True)
    """For what takes long: to read a whole file, or to look through the cache. Nobody who is being sent
    something waits behind it."""
    room: CacheEviction = field(init=False)
    """Keeps it within bounds."""
    tree: FileTree = field(init=False)
    """What is kept."""
    _downloads: Downloads = field(init=False)
    _hashings: SingleFlight[None] = field(factory=SingleFlight, init=False)
    _metadata: SingleFlight[bytes] = field(factory=SingleFlight, init=False)
    _log = Logger()

    @_hashing.default
    def _same_workers(self) -> IWorkers:
        return self._workers

    def __attrs_post_init__(self) -> None:
        self.room = CacheEviction(self.directory, self.max_size, self.counts)
        self.tree = FileTree(self.directory / "files", self._partials, self.room)
        self._downloads = Downloads(
            self._origin, self._workers, self._hashing, self._reactor, self.tree, self.counts, self.max_size
        )

    @property
    def _partials(self) -> Path:
        return self.directory / "partial"

    def open(self) -> None:
        """Clear away what processes left half-way that are no more."""
        sweep(self._partials)

    def close(self) -> None:
        """Give up what is being fetched."""
        self._downloads.close()

    async def content(self, project: str, file: File) -> IContent:
        """Give the bytes of a file, which may still have to be fetched when they are sent.

        :raises NotFound: the upstream does not have it any more.
        :raises UpstreamFailed: it cannot be fetched; not all of that is known before it is sent.
        """
        found = await self._find(project, file)
        if isinstance(found, KeptContent):
            self.counts.hits += 1
            return found
        self.counts.misses += 1
        if self.offline:
            raise UpstreamFailed(f"the upstream is not asked, and {file.filename} is not kept")
        length = file.size
        if length is None:
            download = found or self._fetch(project, file)
            with download.wanted():
                await download.answered()
            length = download.length
        if length is None:
            raise UpstreamFailed(f"nobody knows how long {file.filename} is")
        return ComingContent(length, _modified_ns(file), lambda: self._obtain(project, file))

    async def keep(self, project: str, file: File) -> bool:
        """Fetch a file unless it is kept, so that it is; tell whether that was necessary.

        :raises NotFound: the upstream does not have it any more.
        :raises OutOfSpace: there is no room for it.
        :raises UpstreamFailed: it cannot be fetched.
        """
        fetched = False
        while not isinstance(found := await self._find(project, file), KeptContent):
            if fetched:
                raise OutOfSpace(f"{file.filename} is not kept: the cache, or its disk, is too small")
            if self.offline:
                raise UpstreamFailed(f"the upstream is not asked, and {file.filename} is not kept")
            download = found or self._fetch(project, file)
            with download.wanted():
                await download.over()
            fetched = True
        found.close()
        return fetched

    def has(self, project: str, file: File) -> bool:
        """Tell, at once, whether a file of that name is there; whether it is right its readers will see."""
        return self.tree.path(project, file.filename).exists()

    async def metadata(self, project: str, file: File) -> bytes:
        """Give the core metadata of a file: kept, or beside the file, or if it was promised out of it.

        There are indexes that promise for each wheel what they have of some.

        :raises NotFound: the upstream has none.
        :raises UpstreamFailed: it cannot be fetched, or is not what its page promises.
        """
        kept = await self._workers.run(self.tree.sidecar, project, file.filename, Sidecar.METADATA)
        if kept is not None and _is_promised(kept[0], file):
            return kept[0]
        return await self._metadata.run((project, file), lambda: self._obtain_metadata(project, file))

    def pinned(self, project: str, filename: str) -> str | None:
        """Give the SHA-256 digest that a file had when it was first fetched, if no page tells it.

        It reads a small file, or finds that there is none, at once.
        """
        return self.tree.pinned(project, filename)

    async def _find(self, project: str, file: File) -> KeptContent | Download | None:
        """Look for a file: being fetched, or kept."""
        while (download := self._downloads.find(project, file)) is None:
            ended = self._downloads.ended
            opened = await self._open(project, file)
            if opened is not None:
                path = self.tree.path(project, file.filename)
                kept = KeptContent(path, opened, self._workers, self.counts, self.room.release)
                self.room.hold(path)
                return kept
            if ended == self._downloads.ended and self._downloads.find(project, file) is None:
                return None
        return download

    async def _open(self, project: str, file: File) -> OpenFile | None:
        """Open a file that is kept; one that has to be hashed first is hashed once for all who want it."""
        for _ in range(HASHINGS):
            try:
                return await self._workers.run(self.tree.open, project, file, False)
            except NotHashed:
                await self._hashings.run((project, file), lambda: self._hash(project, file))
        return None

    async def _hash(self, project: str, file: File) -> None:
        await self._hashing.run(self.tree.check, project, file)

    async def _obtain(self, project: str, file: File) -> KeptContent | Download:
        return await self._find(project, file) or self._fetch(project, file)

    def _fetch(self, project: str, file: File) -> Download:
        return self._downloads.begin(project, file, _modified_ns(file))

    async def _obtain_metadata(self, project: str, file: File) -> bytes:
        found: bytes | None = None
        failure: UpstreamFailed | None = None
        try:
            found = None if self.offline else await self._fetch_metadata(file)
        except UpstreamFailed as error:
            failure = error
        if found is None and file.core_metadata is not None:
            found = await self._extract_metadata(project, file, failure)
        if found is None:
            if failure is not None:
                raise failure
            if self.offline:
                raise UpstreamFailed(
                    f"the upstream is not asked, and the metadata of {file.filename} is not kept"
                )
            raise NotFound("the upstream does not have that metadata")
        if not _is_promised(found, file):
            raise _broken_promise(file)
        try:
            now = self._reactor.seconds()
            await self._hashing.run(
                self.tree.keep_sidecar, project, file.filename, Sidecar.METADATA, found, now
            )
        except OSError as error:
            self._log.warn(
                "The metadata of {filename} is not kept: {error}", filename=file.filename, error=error
            )
        return found

    async def _fetch_metadata(self, file: File) -> bytes | None:
        """Ask for what is beside a file, if there is any."""
        if file.url is None:
            raise NotFound("the upstream does not say where the file is")
        path, question, query = file.url.partition("?")
        answer = await self._origin.page(f"{path}.metadata{question}{query}", {}, MAX_METADATA)
        if answer.status != 200:
            return None
        if not _is_promised(answer.body, file):
            raise _broken_promise(file)
        return answer.body

    async def _extract_metadata(
        self, project: str, file: File, failure: UpstreamFailed | None
    ) -> bytes | None:
        """Return what is in a file if it could not be had beside it; fetch the file if need be.

        :param failure: why that was so, which is what clients are told if the file is of no help.
        """
        if failure is not None:
            self._log.warn(
                "The metadata of {filename} is looked for in it: {error}",
                filename=file.filename,
                error=str(failure),
            )
        try:
            source = await (self._find if self.offline else self._obtain)(project, file)
            return await self._metadata_inside(project, file, source) if source is not None else None
        except (NotFound, UpstreamFailed) as error:
            raise failure or error from None

    async def _metadata_inside(
        self, project: str, file: File, source: KeptContent | Download
    ) -> bytes | None:
        extract = partial(metadata_inside, filename=file.filename, project=project)
        try:
            if isinstance(source, Download):
                with source.wanted():
                    whole = await source.whole()
                    return await self._hashing.run(extract, whole.read, source.length)
            return await self._hashing.run(extract, source.pread, source.length)
        finally:
            if isinstance(source, KeptContent):
                source.close()


def _is_promised(metadata: bytes, file: File) -> bool:
    digest = file.core_metadata
    return not isinstance(digest, str) or sha256(metadata).hexdigest() == digest


def _broken_promise(file: File) -> UpstreamFailed:
    return UpstreamFailed(f"{named(file)}: its metadata is not what its page promises")


def _modified_ns(file: File) -> int:
    """Give when a file was published; if nobody knows, now."""
    if file.modified_ns is None and file.upload_time is not None:
        return (file.upload_time - _EPOCH) // timedelta(microseconds=1) * 1000
    return time.time_ns() if file.modified_ns is None else file.modified_ns
