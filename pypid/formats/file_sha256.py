"""The SHA-256 digest of an open file."""

from __future__ import annotations

from hashlib import file_digest
from typing import BinaryIO

__all__ = ["file_sha256"]


def file_sha256(file: BinaryIO) -> str:
    """Return the digest of the rest of a file, in lower-case hexadecimal. Blocks."""
    # The stub asks for readinto(), which BinaryIO lacks and every binary file has.
    return file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
