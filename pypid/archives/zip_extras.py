"""The extra fields of a zip's headers, which may repeat sizes and names (APPNOTE.TXT 4.5)."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from zipfile import ZIP_STORED

from pypid.errors import InvalidArchive

__all__ = ["DISAGREE", "MAX16", "MAX32", "check_name", "enlarged", "extra_oddities"]

MAX16, MAX32 = 0xFFFF, 0xFFFFFFFF
MAX_FIELDS = 32
DISAGREE = "the archive says different things of a member in two places"
MALFORMED = "the archive has a malformed header"
_NEEDLESS = "the archive has zip64 sizes of members that are not needed, or not right"
_HEAD = struct.Struct("<2H")
_ZIP64, _UNICODE_PATH = 0x0001, 0x7075
_ZIP64_LENGTHS = (0, 8, 16, 24, 28)


def check_name(name: bytes, extra: bytes) -> None:
    """Check that a Unicode path field repeats the name of its member.

    :raises InvalidArchive: there are two different names.
    """
    for unicode_path in (data for kind, data in _fields(extra) if kind == _UNICODE_PATH):
        if unicode_path[5:] != name:
            raise InvalidArchive(DISAGREE)


def enlarged(extra: bytes, *fields: tuple[int, int]) -> list[int]:
    """Return the values of fields; a value at its limit is replaced by that of the zip64 extra field.

    :param fields: pairs of a value and its limit.
    """
    found = _zip64(extra)
    large = found if found is not None else b""
    values = []
    for value, limit in fields:
        if found is not None and value == limit:
            width = 4 if limit == MAX16 else 8
            value, large = int.from_bytes(large[:width], "little"), large[width:]
        values.append(value)
    return values


def extra_oddities(
    extra: bytes, method: int, said: tuple[int, int], really: tuple[int, int]
) -> Iterator[str]:
    """Yield the reasons for which PyPI refuses the extra fields of a member's own header.

    PyPI reads the compressed size from a zip64 field even if the header itself contains it.

    :param said: the compressed and the full size in the header, without its extra fields.
    :param really: the compressed and the full size in the directory.
    """
    kinds = [kind for kind, _ in _fields(extra)]
    if kinds.count(_UNICODE_PATH) > 1 or sum(4 + len(data) for _, data in _fields(extra)) != len(extra):
        yield "the archive has extra fields that are cut short, or there twice"
    field = _zip64(extra)
    if field is None:
        return
    compressed, size = said
    if len(field) not in _ZIP64_LENGTHS or (len(field) == 8 and method != ZIP_STORED):
        yield _NEEDLESS
        return
    if len(field) >= 8:
        first, second = (int.from_bytes((field + field)[at : at + 8], "little") for at in (0, 8))
        compressed, size = second, first if size == MAX32 else size
    if (compressed, size) != really:
        yield _NEEDLESS


def _zip64(extra: bytes) -> bytes | None:
    found = [data for kind, data in _fields(extra) if kind == _ZIP64]
    if len(found) > 1:
        raise InvalidArchive(DISAGREE)
    return found[0] if found else None


def _fields(extra: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield type and data of the extra fields of a header; padding shorter than a field's head is skipped."""
    at = count = 0
    while len(extra) - at >= _HEAD.size:
        kind, size = _HEAD.unpack_from(extra, at)
        at += _HEAD.size + size
        count += 1
        if at > len(extra) or count > MAX_FIELDS:
            raise InvalidArchive(MALFORMED)
        yield kind, extra[at - size : at]
