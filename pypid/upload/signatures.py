"""Detached OpenPGP signatures, which clients send as ``gpg_signature`` and old tools get as ``.asc``."""

from __future__ import annotations

import re
from base64 import b64decode

from pypid.errors import InvalidUpload

__all__ = ["MAX_SIZE", "check_signature"]

MAX_SIZE = 64 * 1024
"""A signature must be shorter than this number of bytes."""

# RFC 9580 section 6.2: headers, an empty line, base64, and maybe a checksum on a line of its own.
_ARMOR = re.compile(
    r"\s*-----BEGIN PGP SIGNATURE-----[ \t]*\r?\n"
    r"(?:[A-Za-z]+: [^\r\n]*\r?\n)*[ \t]*\r?\n"
    r"(?P<data>(?:[A-Za-z0-9+/]+={0,2}[ \t]*\r?\n)+)(?:=[A-Za-z0-9+/]{4}[ \t]*\r?\n)?"
    r"-----END PGP SIGNATURE-----\s*"
)
_SIGNATURE_PACKET = 2


def check_signature(text: str) -> bytes:
    """Check that a form field is one ASCII-armored signature, and return its unchanged bytes.

    The signature is not verified: only readers with the key can do that.

    :raises InvalidUpload: the field is not a signature.
    """
    data = text.encode()
    if len(data) >= MAX_SIZE:
        raise InvalidUpload(f"gpg_signature: it is not shorter than {MAX_SIZE} bytes")
    match = _ARMOR.fullmatch(text)
    if match is None or _first_packet(match["data"]) != _SIGNATURE_PACKET:
        raise InvalidUpload(
            "gpg_signature: not an ASCII-armored signature, as of `gpg --detach-sign --armor`"
        )
    return data


def _first_packet(armored: str) -> int | None:
    """Return the type of the first packet in armored data, or ``None`` (RFC 9580 section 4.2)."""
    try:
        first = b64decode("".join(armored.split()), validate=True)[0]
    except (ValueError, IndexError):
        return None
    if not first & 0x80:
        return None
    return first & 0x3F if first & 0x40 else first >> 2 & 0x0F
