"""Pages of an upstream on disk, as readable JSON files that may be deleted at any time."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from math import inf
from pathlib import Path
from typing import Any, TypeVar

from attrs import define, frozen
from twisted.logger import Logger

from pypid.errors import UpstreamFailed
from pypid.interfaces import IWorkers
from pypid.model import Project
from pypid.runtime.atomic_files import replace_file
from pypid.upstream.files.eviction import CacheEviction, touch
from pypid.upstream.pages import is_incomplete, read_cached_page, write_page

__all__ = ["ROUNDING", "CachedPage", "PageCache", "header_value"]

T = TypeVar("T")

SCHEMA = 2
"""Version of the cached format; pages with another version are ignored and fetched again."""

ROUNDING = 0.001
"""Largest difference, in seconds, between the time set on a file and the time read from it."""

_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,998}[\x21-\x7e])?")


@frozen
class CachedPage:
    """A parsed page with its validators."""

    project: Project
    """The project on the page."""
    digest: str
    """SHA-256 digest of the page, to notice that it is unchanged if there is no entity tag."""
    etag: str | None
    """The entity tag (RFC 9110, section 8.8.3), if the page had one."""
    last_modified: str | None
    """Value of the header ``Last-Modified``, if the page had one."""
    complete: bool
    """Whether nothing is missing that PyPI's legacy JSON might add."""


@define(eq=False)
class PageCache:
    """Caches the pages of one index as ``<directory>/<project>.json``, within the cache's size limit.

    A file's modification time is the time when the page was last confirmed by the upstream. Its
    access time is set when the page is loaded or confirmed, but not while it is served from memory.
    A file that cannot be read, or belongs to another index or format, is ignored.
    """

    directory: Path
    """The directory, created when needed."""
    url: str
    """URL of the index."""
    _workers: IWorkers
    _eviction: CacheEviction
    _log = Logger()

    async def load(self, name: str, after: float = -inf) -> tuple[CachedPage, float] | None:
        """Return a page and the time of its last confirmation, in seconds since the epoch, or ``None``.

        :param after: return only a page confirmed later than this, by more than :data:`ROUNDING`.
        """
        return await self._workers.run(self._load, name, after)

    def confirmed(self, name: str) -> float | None:
        """Return the time of a page's last confirmation, or ``None``. Calls ``stat``, in microseconds."""
        try:
            return self._path(name).stat().st_mtime
        except OSError:
            return None

    async def save(self, name: str, page: CachedPage, confirmed: float) -> None:
        """Write a page. A failure is only logged, because nothing depends on the cache."""
        await self._attempt(self._save, name, page, confirmed)

    async def confirm(self, name: str, page: CachedPage, confirmed: float) -> None:
        """Set the time of a cached page's last confirmation. A failure is only logged."""
        await self._attempt(self._confirm, name, page, confirmed)

    async def remove(self, name: str) -> None:
        """Remove a page. A failure is only logged."""
        await self._attempt(self._path(name).unlink, True)

    def _path(self, name: str) -> Path:
        return self.directory / f"{name}.json"

    async def _attempt(self, function: Callable[..., None], *args: Any) -> None:
        try:
            await self._workers.run(function, *args)
        except OSError as error:
            self._log.warn(
                "A page is not kept in {path}: {error}", path=str(self.directory), error=error.strerror
            )

    def _load(self, name: str, after: float) -> tuple[CachedPage, float] | None:
        try:
            with self._path(name).open("rb") as file:
                touch(file.fileno())
                confirmed = os.fstat(file.fileno()).st_mtime
                if confirmed < after + ROUNDING:
                    return None
                project, meta = read_cached_page(name, file.read())
        except (OSError, UpstreamFailed):
            return None
        digest = header_value(meta.get("digest"))
        if (meta.get("schema"), meta.get("index")) != (SCHEMA, self.url) or not digest:
            return None
        etag, last_modified = header_value(meta.get("etag")), header_value(meta.get("last-modified"))
        return CachedPage(project, digest, etag, last_modified, not is_incomplete(project)), confirmed

    def _save(self, name: str, page: CachedPage, confirmed: float) -> None:
        meta = {
            "schema": SCHEMA,
            "index": self.url,
            "digest": page.digest,
            "etag": page.etag,
            "last-modified": page.last_modified,
        }
        path = self._path(name)
        replace_file(path, write_page(page.project, meta))
        os.utime(path, (confirmed, confirmed))
        self._eviction.make_room(path.stat().st_size)

    def _confirm(self, name: str, page: CachedPage, confirmed: float) -> None:
        try:
            os.utime(self._path(name), (confirmed, confirmed))
        except FileNotFoundError:  # the cache was deleted
            self._save(name, page, confirmed)


def header_value(value: object) -> str | None:
    """Return the value of a header if it can be sent back as it is, or else ``None``."""
    return value if isinstance(value, str) and _HEADER_VALUE.fullmatch(value) else None
