"""Validation of single values in pages of other indexes.

Each function takes a value of any type. A malformed value counts as missing; only a malformed URL
or digest raises :exc:`ValueError`, because the file could then not be fetched or verified.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal
from urllib.parse import quote, urljoin, urlsplit

from pypid.model import Status

__all__ = [
    "absolute_url",
    "as_mapping",
    "core_metadata",
    "file_size",
    "hashes",
    "line",
    "project_status",
    "provenance",
    "requires_python",
    "upload_time",
    "yanked",
]

MAX_URL = 4000
MAX_LINE = 1000
MAX_SIZE = 2**53

_DIGEST_LENGTHS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_HEX = re.compile(r"[0-9a-f]+")
_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"  # beside letters, digits and "_.-" (RFC 3986, section 2)
_AUTHORITY = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_METADATA_KEYS = ("core-metadata", "dist-info-metadata", "data-dist-info-metadata")


def as_mapping(value: object) -> Mapping[str, object]:
    """Return a JSON object unchanged, and an empty one for any other value."""
    return value if isinstance(value, dict) else {}


def absolute_url(base: str, url: object) -> str:
    """Return the absolute URL of a file, without its fragment.

    :param base: the URL to which ``url`` may be relative.
    :raises ValueError: it is not an ``http`` or ``https`` URL, has a user name, or is malformed.
    """
    if not isinstance(url, str) or len(url) > MAX_URL:
        raise ValueError("not a URL")
    # Quoted, because urljoin silently drops characters that URLs may not have, such as line ends.
    joined = urljoin(base, quote(url.strip(" "), safe=_URL_CHARACTERS))
    parts = urlsplit(joined)
    if parts.scheme not in ("http", "https") or _AUTHORITY.fullmatch(parts.netloc) is None:
        raise ValueError("not a URL of http or https")
    if parts.port == 0:  # and a port above 65535 raises ValueError
        raise ValueError("no such port")
    return parts._replace(fragment="").geturl()


def hashes(value: object) -> dict[str, str]:
    """Return the digests by algorithm, without unknown algorithms (PEP 691).

    :raises ValueError: a digest is malformed, so no file could match it.
    """
    found = {}
    for algorithm, digest in as_mapping(value).items():
        length = _DIGEST_LENGTHS.get(algorithm.lower())
        if length is None:
            continue
        digest = digest.lower() if isinstance(digest, str) else ""
        if len(digest) != length or _HEX.fullmatch(digest) is None:
            raise ValueError("a malformed digest")
        found[algorithm.lower()] = digest
    return found


def file_size(value: object) -> int | None:
    """Return a size in bytes, or ``None``."""
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MAX_SIZE:
        return value
    return None


def upload_time(value: object) -> datetime | None:
    """Return an upload time in UTC (PEP 700), or ``None``."""
    if not isinstance(value, str) or len(value) > 40:
        return None
    try:
        time = datetime.fromisoformat(value)
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def requires_python(value: object) -> str | None:
    """Return a version specifier as it was written, or ``None``."""
    if isinstance(value, str) and value and len(value) <= MAX_LINE and value.isprintable():
        return value
    return None


def yanked(value: object) -> str | None:
    """Return the reason of a yank, maybe empty, or ``None`` if the file is not yanked (PEP 592, PEP 691)."""
    if isinstance(value, str) and value:
        return line(value) or ""
    return "" if value is True else None


def line(value: object) -> str | None:
    """Return a text as one line, with a space for each unprintable character, or ``None``."""
    if not isinstance(value, str) or not value:
        return None
    return "".join(c if c.isprintable() else " " for c in value[:MAX_LINE]).strip() or None


def core_metadata(entry: Mapping[str, object]) -> str | Literal[True] | None:
    """Return the SHA-256 digest of a file's core metadata, under any of its keys (PEP 714), or ``None``.

    ``True`` means that there is core metadata with an unknown digest.
    """
    value = next((entry[key] for key in _METADATA_KEYS if key in entry), None)
    if value is True:
        return True
    try:
        return hashes(value).get("sha256")
    except ValueError:
        return None


def provenance(base: str, value: object) -> str | None:
    """Return the absolute URL of a file's provenance (PEP 740), or ``None``; see :func:`absolute_url`."""
    try:
        return absolute_url(base, value) if value else None
    except ValueError:
        return None


def project_status(value: object) -> tuple[Status, str | None]:
    """Return a project's status and its reason (PEP 792); an unknown status counts as active."""
    found = as_mapping(value)
    try:
        return Status(found.get("status")), line(found.get("reason"))
    except ValueError:
        return Status.ACTIVE, None
