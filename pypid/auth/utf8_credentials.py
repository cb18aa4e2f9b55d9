"""The bytes of credentials, for checkers of passwords that take no text."""

from __future__ import annotations

from pypid.model import Credentials

__all__ = ["encode"]


def encode(credentials: Credentials) -> tuple[bytes, bytes] | None:
    """Return name and password as UTF-8; ``None`` if one cannot be encoded, or contains a NUL."""
    if "\0" in credentials.username or "\0" in credentials.password:
        return None
    try:
        return credentials.username.encode(), credentials.password.encode()
    except UnicodeEncodeError:
        return None
