"""Digests of what is in a file."""

from __future__ import annotations

from hashlib import sha256
from typing import BinaryIO

__all__ = ["sha256_of"]

CHUNK = 1 << 20


def sha256_of(file: BinaryIO) -> str:
    """Give the SHA-256 digest of a file's bytes, in lower-case hexadecimal. Blocks.

    :param file: opened for reading; read from where it stands to its end.
    """
    digest = sha256()
    while data := file.read(CHUNK):
        digest.update(data)
    return digest.hexdigest()
