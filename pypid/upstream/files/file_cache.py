"""The cache of an upstream's files, which downloads missing ones."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from pathlib import Path

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pypid.errors import NotFound, OutOfSpace, UpstreamFailed
from pypid.interfaces import IContent, IWorkers
from pypid.model import File
from pypid.names import Sidecar
from pypid.runtime.open_file import OpenFile
from pypid.runtime.single_flight import SingleFlight
from pypid.upstream.counters import FileCounts
from pypid.upstream.files.archive_metadata import metadata_from_archive
from pypid.upstream.files.cached_content import CachedContent, DownloadContent
from pypid.upstream.files.download import Download
from pypid.upstream.files.downloads import Downloads
from pypid.upstream.files.eviction import CacheEviction
from pypid.upstream.files.fetch import describe
from pypid.upstream.files.partial import sweep
from pypid.upstream.files.store import FileStore, NotHashed
from pypid.upstream.http.client import UpstreamClient

__all__ = ["FileCache"]

MAX_METADATA = 16 * 1024**2
"""Largest core metadata in bytes."""
HASHINGS = 3
"""Number of times that a file is hashed at most if it changes each time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@define(eq=False)
class FileCache:
    """Caches the files of one upstream as ``<directory>/files/<project>/<filename>``."""

    _client: UpstreamClient
    _workers: IWorkers
    _reactor: IReactorTime
    directory: Path
    """Directory of the cache, created when needed. Its files may be deleted at any time."""
    max_size: int
    """Size limit in bytes."""
    offline: bool = False
    """Whether only cached files are served, and no request is sent."""
    counts: FileCounts = field(factory=FileCounts)
    """Counters of requests and downloads."""
    _hashing: IWorkers = field(kw_only=True)
    """For slow work: hashing a whole file, or scanning the cache. A separate pool, so that no transfer
    has to wait for it."""
    eviction: CacheEviction = field(init=False)
    """Keeps the cache within its size limit."""
    store: FileStore = field(init=False)
    """The files on disk."""
    _downloads: Downloads = field(init=False)
    _hashings: SingleFlight[None] = field(factory=SingleFlight, init=False)
    _metadata: SingleFlight[bytes] = field(factory=SingleFlight, init=False)
    _log = Logger()

    @_hashing.default
    def _same_workers(self) -> IWorkers:
        return self._workers

    def __attrs_post_init__(self) -> None:
        self.eviction = CacheEviction(self.directory, self.max_size, self.counts)
        self.store = FileStore(self.directory / "files", self._partials, self.eviction)
        self._downloads = Downloads(
            self._client, self._workers, self._hashing, self._reactor, self.store, self.counts, self.max_size
        )

    @property
    def _partials(self) -> Path:
        return self.directory / "partial"

    def open(self) -> None:
        """Remove partial files of processes that have ended. Blocks briefly."""
        sweep(self._partials)

    def close(self) -> None:
        """Cancel all downloads."""
        self._downloads.close()

    async def content(self, project: str, file: File) -> IContent:
        """Return the content of a file; it may be downloaded only when it is sent.

        :raises NotFound: the upstream does not have the file any more.
        :raises UpstreamFailed: the file cannot be downloaded. Later failures come from ``send_to``.
        """
        found = await self._find(project, file)
        if isinstance(found, CachedContent):
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
        return DownloadContent(length, _modified_ns(file), lambda: self._obtain(project, file))

    async def ensure_cached(self, project: str, file: File) -> bool:
        """Download a file unless it is cached; return whether it was downloaded.

        :raises NotFound: the upstream does not have the file any more.
        :raises OutOfSpace: the cache or its disk has no room for the file.
        :raises UpstreamFailed: the file cannot be downloaded.
        """
        fetched = False
        while not isinstance(found := await self._find(project, file), CachedContent):
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
        """Return at once whether the cache has a file of that name, without verifying it."""
        return self.store.path(project, file.filename).exists()

    async def metadata(self, project: str, file: File) -> bytes:
        """Return the core metadata of a file: from the cache, the upstream's sidecar file, or the file.

        Some indexes promise core metadata for every wheel and have it only for some, so promised
        metadata is read from the file itself if it cannot be fetched separately.

        :raises NotFound: the upstream has no core metadata for the file.
        :raises UpstreamFailed: it cannot be fetched, or does not match its digest on the page.
        """
        kept = await self._workers.run(self.store.sidecar, project, file.filename, Sidecar.METADATA)
        if kept is not None and _is_promised(kept[0], file):
            return kept[0]
        return await self._metadata.run((project, file), lambda: self._obtain_metadata(project, file))

    def recorded_digest(self, project: str, filename: str) -> str | None:
        """Return the SHA-256 digest recorded at the first download of a file without a digest, or ``None``.

        Blocks only while it reads a small file.
        """
        return self.store.recorded_digest(project, filename)

    async def _find(self, project: str, file: File) -> CachedContent | Download | None:
        """Return the current download of a file, its cached content, or ``None``."""
        while (download := self._downloads.find(project, file)) is None:
            ended = self._downloads.ended
            opened = await self._open(project, file)
            if opened is not None:
                path = self.store.path(project, file.filename)
                kept = CachedContent(path, opened, self._workers, self.counts, self.eviction.unpin)
                self.eviction.pin(path)
                return kept
            if ended == self._downloads.ended and self._downloads.find(project, file) is None:
                return None
        return download

    async def _open(self, project: str, file: File) -> OpenFile | None:
        """Open a cached file; if it has to be hashed first, hash it once for all requests."""
        for _ in range(HASHINGS):
            try:
                return await self._workers.run(self.store.open, project, file, False)
            except NotHashed:
                await self._hashings.run((project, file), lambda: self._hash(project, file))
        return None

    async def _hash(self, project: str, file: File) -> None:
        await self._hashing.run(self.store.check, project, file)

    async def _obtain(self, project: str, file: File) -> CachedContent | Download:
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
                self.store.put_sidecar, project, file.filename, Sidecar.METADATA, found, now
            )
        except OSError as error:
            self._log.warn(
                "The metadata of {filename} is not kept: {error}", filename=file.filename, error=error
            )
        return found

    async def _fetch_metadata(self, file: File) -> bytes | None:
        """Request the metadata file beside a file; return ``None`` if the upstream has none."""
        if file.url is None:
            raise NotFound("the upstream does not say where the file is")
        path, question, query = file.url.partition("?")
        answer = await self._client.page(f"{path}.metadata{question}{query}", {}, MAX_METADATA)
        if answer.status != 200:
            return None
        if not _is_promised(answer.body, file):
            raise _broken_promise(file)
        return answer.body

    async def _extract_metadata(
        self, project: str, file: File, failure: UpstreamFailed | None
    ) -> bytes | None:
        """Return the metadata in a file, which is downloaded if necessary; ``None`` if it has none.

        :param failure: why the separate metadata could not be fetched; raised if this fails, too.
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
        self, project: str, file: File, source: CachedContent | Download
    ) -> bytes | None:
        extract = partial(metadata_from_archive, filename=file.filename, project=project)
        try:
            if isinstance(source, Download):
                with source.wanted():
                    whole = await source.whole()
                    return await self._hashing.run(extract, whole.read, source.length)
            return await self._hashing.run(extract, source.pread, source.length)
        finally:
            if isinstance(source, CachedContent):
                source.close()


def _is_promised(metadata: bytes, file: File) -> bool:
    digest = file.core_metadata
    return not isinstance(digest, str) or sha256(metadata).hexdigest() == digest


def _broken_promise(file: File) -> UpstreamFailed:
    return UpstreamFailed(f"{describe(file)}: its metadata is not what its page promises")


def _modified_ns(file: File) -> int:
    """Return the time of publication in ns since the epoch; the present time if it is unknown."""
    if file.modified_ns is None and file.upload_time is not None:
        return (file.upload_time - _EPOCH) // timedelta(microseconds=1) * 1000
    return time.time_ns() if file.modified_ns is None else file.modified_ns
