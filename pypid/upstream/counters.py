"""What a cache is good for, in numbers."""

from __future__ import annotations

from attrs import define

__all__ = ["FileCounts", "PageCounts"]


@define
class FileCounts:
    """What came of the questions for files."""

    hits: int = 0
    """Files that were kept."""
    misses: int = 0
    """Files that were not, each time somebody asked."""
    downloads: int = 0
    """Files that were fetched, or were to be."""
    failures: int = 0
    """Those of them that could not be had."""
    refused: int = 0
    """Those of them that were not what their pages promise."""
    evictions: int = 0
    """Files and pages that were removed to make room."""
    bytes_from_cache: int = 0
    """What clients were sent of files that were kept."""
    bytes_from_upstream: int = 0
    """What was fetched of files."""


@define
class PageCounts:
    """What came of the questions for pages."""

    hits: int = 0
    """Answered from what is kept, without asking."""
    misses: int = 0
    """Asked for, and something new came of it."""
    revalidated: int = 0
    """Asked for, and nothing had changed."""
    stale: int = 0
    """Answered from what is kept, as the upstream could not be asked, or was slow."""
    failures: int = 0
    """Asked for in vain."""
