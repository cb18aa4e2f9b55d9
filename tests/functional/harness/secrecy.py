"""The credentials of the tests, and the places where none may ever appear (T51).

Whatever a test sends as credentials, or gives the command that makes users, is noticed here. Every
log of a daemon, its command line and every error it answers with are searched for it.
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Mapping
from contextlib import suppress

__all__ = ["assert_in_none", "notice", "remember"]

TELLING = 10
"""Least length of a password that is not a word of some message by chance."""
_TOKEN = re.compile(r"pypid_[0-9A-Za-z]{8}_[0-9A-Za-z]{32,}")
_known: set[str] = set()


def remember(*secrets: str) -> None:
    """Remember secrets, also in the form that they have in a header."""
    for secret in secrets:
        if len(secret) >= TELLING:
            _known.update({secret, b64encode(secret.encode()).decode("ascii").rstrip("=")})


def notice(headers: Mapping[str, str]) -> None:
    """Remember the credentials in the headers of a request."""
    scheme, _, credentials = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        remember(credentials)
    elif scheme.lower() == "basic":
        remember(credentials)
        with suppress(Error, UnicodeDecodeError):  # some tests send what is malformed
            remember(b64decode(credentials, validate=True).decode().partition(":")[2])


def assert_in_none(*texts: str) -> None:
    """Check that no text contains a secret."""
    for text in texts:
        found = [secret for secret in _known if secret in text] + _TOKEN.findall(text)
        assert not found, f"{found} is where it must not be:\n{text}"
