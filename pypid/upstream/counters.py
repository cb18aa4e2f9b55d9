"""Counters of cache hits, misses and failures."""

from __future__ import annotations

from attrs import define

__all__ = ["FileCounts", "PageCounts"]


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
