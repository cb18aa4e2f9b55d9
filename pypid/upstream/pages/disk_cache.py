"""Pages of an upstream on disk, as JSON that people can read and anybody may delete."""

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
from pypid.upstream.pages import lacks_something, read_kept_page, write_page

__all__ = ["ROUNDING", "CachedPage", "PageCache", "header_value"]

T = TypeVar("T")

SCHEMA = 2
"""Differs when pages are read in another way, so that what was kept before is asked for again."""

ROUNDING = 0.001
"""By how much the time of a page on disk, in seconds, may differ from what it was set to."""

_HEADER_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,998}[\x21-\x7e])?")


@frozen
class CachedPage:
    """A page that was read, and how to ask whether it changed."""

    project: Project
    """What it says."""
    digest: str
    """The SHA-256 digest of the page, which tells whether it is the same where there are no entity tags."""
    etag: str | None
    """Its entity tag (RFC 9110, section 8.8.3)."""
    last_modified: str | None
    """When it changed last, as its header said."""
    complete: bool
    """Whether it left out nothing that may be had elsewhere."""


@define(eq=False)
class PageCache:
    """Keeps the pages of one index as ``<directory>/<project>.json``, as long as there is room.

    The time of such a file's last change is when the page was last known to be right; that of its
    last access, when it was last read or found right, as pages are in memory between. What cannot be
    read, or was written for another index or by another pypid, is as if it were not there.
    """

    directory: Path
    """Where; made when it is needed."""
    url: str
    """The URL of the index."""
    _workers: IWorkers
    _room: CacheEviction
    _log = Logger()

    async def load(self, name: str, after: float = -inf) -> tuple[CachedPage, float] | None:
        """Give a page and when it was last known to be right, in seconds since the epoch.

        :param after: only if that was later than this, by more than what is lost in rounding.
        """
        return await self._workers.run(self._load, name, after)

    def confirmed(self, name: str) -> float | None:
        """Return when a page was last known to be right; ``None`` if there is none. It takes microseconds."""
        try:
            return self._path(name).stat().st_mtime
        except OSError:
            return None

    async def save(self, name: str, page: CachedPage, confirmed: float) -> None:
        """Keep a page. Where that fails it is logged, as all goes on without it."""
        await self._attempt(self._save, name, page, confirmed)

    async def confirm(self, name: str, page: CachedPage, confirmed: float) -> None:
        """Note that a page that was kept is still right."""
        await self._attempt(self._confirm, name, page, confirmed)

    async def remove(self, name: str) -> None:
        """Forget a page."""
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
                project, meta = read_kept_page(name, file.read())
        except (OSError, UpstreamFailed):
            return None
        digest = header_value(meta.get("digest"))
        if (meta.get("schema"), meta.get("index")) != (SCHEMA, self.url) or not digest:
            return None
        etag, last_modified = header_value(meta.get("etag")), header_value(meta.get("last-modified"))
        return CachedPage(project, digest, etag, last_modified, not lacks_something(project)), confirmed

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
        self._room.make(path.stat().st_size)

    def _confirm(self, name: str, page: CachedPage, confirmed: float) -> None:
        try:
            os.utime(self._path(name), (confirmed, confirmed))
        except FileNotFoundError:  # somebody cleared the cache away
            self._save(name, page, confirmed)


def header_value(value: object) -> str | None:
    """Give the value of a header if it can be sent back."""
    return value if isinstance(value, str) and _HEADER_VALUE.fullmatch(value) else None
