"""What a file cache is good for, in numbers."""

from __future__ import annotations

from attrs import define

__all__ = ["FileCounts"]


@define
class FileCounts:
    """What came of the questions for files, since the start."""

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
    """Files that were removed to make room."""
    bytes_from_cache: int = 0
    """What clients were sent of files that were kept."""
    bytes_from_upstream: int = 0
    """What was fetched of files."""
