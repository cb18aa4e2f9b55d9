"""Counters of cache hits, misses and failures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from attrs import define

from pypid.errors import NotFound, UpstreamFailed, UpstreamTimedOut

__all__ = ["FileCounts", "PageCounts", "RequestCounts"]


@define
class FileCounts:
    """Counts requests for files and their results."""

    hits: int = 0
    """Requests for files that were cached."""
    misses: int = 0
    """Requests for files that were not cached."""
    downloads: int = 0
    """Downloads begun."""
    failures: int = 0
    """Downloads that failed."""
    refused: int = 0
    """Downloads of files that did not match the digests on their pages."""
    evictions: int = 0
    """Files and pages removed to make room."""
    bytes_from_cache: int = 0
    """Bytes of cached files sent to clients."""
    bytes_from_upstream: int = 0
    """Bytes of files downloaded."""


@define
class PageCounts:
    """Counts requests for pages and their results."""

    hits: int = 0
    """Requests answered from the cache without a request to the upstream."""
    misses: int = 0
    """Requests to the upstream that returned something new."""
    revalidated: int = 0
    """Requests to the upstream after which the cached page was still right."""
    stale: int = 0
    """Requests answered from the cache because the upstream failed or was slow."""
    failures: int = 0
    """Requests to the upstream that failed."""


@define
class RequestCounts:
    """Counts requests to the upstream, for pages and for the heads of files."""

    answered: int = 0
    """Requests that were answered, also by saying that there is no such resource."""
    failed: int = 0
    """Requests that failed, whose answer was of no use, or that were not sent after too many failures."""
    timed_out: int = 0
    """Requests that were not answered in time."""

    @contextmanager
    def count(self) -> Iterator[None]:
        """Return a context manager around one request, which counts its outcome; a cancelled one is not."""
        try:
            yield
        except NotFound:
            self.answered += 1
            raise
        except UpstreamTimedOut:
            self.timed_out += 1
            raise
        except UpstreamFailed:
            self.failed += 1
            raise
        self.answered += 1
