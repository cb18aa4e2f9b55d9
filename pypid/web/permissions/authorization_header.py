"""The credentials in an ``Authorization`` header."""

from __future__ import annotations

import binascii
import re

from pypid.errors import Unauthenticated
from pypid.formats.api_tokens import token_id
from pypid.model import Credentials
from pypid.principals import TOKEN_USER

__all__ = ["header_credentials"]

MAX_CREDENTIALS = 8 * 1024
"""Longest credentials that are decoded, in bytes."""
_BEARER = re.compile(rb"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1


def header_credentials(header: bytes) -> Credentials:
    """Return the Basic credentials (RFC 7617) or Bearer token (RFC 6750) of an ``Authorization`` header.

    :raises Unauthenticated: the credentials are malformed, or have another scheme.
    """
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() == b"bearer" and len(encoded) <= MAX_CREDENTIALS:
        if _BEARER.fullmatch(token := encoded.strip()) is None:
            raise Unauthenticated("the credentials are malformed")
        return Credentials("", token.decode("ascii"))
    if scheme.lower() != b"basic" or len(encoded) > MAX_CREDENTIALS:
        raise Unauthenticated("sign in with HTTP Basic authentication, or a Bearer token")
    try:
        decoded = binascii.a2b_base64(encoded.strip(), strict_mode=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthenticated("the credentials are malformed") from None
    username, colon, password = decoded.partition(":")
    username, password = _without_blanks(username, password)
    if not colon or not (username + password).isprintable():
        raise Unauthenticated("the credentials are malformed")
    return Credentials(username, password)


def _without_blanks(username: str, password: str) -> tuple[str, str]:
    """Return a user name and password, without blanks around a token; a real password is not changed."""
    if username == TOKEN_USER or token_id(password.strip()) is not None:
        return username, password.strip()
    if not password.strip() and token_id(username.strip()) is not None:
        return username.strip(), ""
    return username, password
