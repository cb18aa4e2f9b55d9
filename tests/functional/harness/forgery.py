"""Archives made byte by byte, so that their parts can contradict each other."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from attrs import evolve, field, frozen

from pypid.testing.builds import core_metadata

WHEEL = "evil-1.0-py3-none-any.whl"
SDIST = "evil-1.0.tar.gz"
INFO = "evil-1.0.dist-info"
MEMBERS: Mapping[str, bytes] = {
    "evil/__init__.py": b"pass\n" * 20,
    f"{INFO}/METADATA": core_metadata("evil", "1.0"),
    f"{INFO}/WHEEL": b"Wheel-Version: 1.0\nTag: py3-none-any\n",
    f"{INFO}/RECORD": f"evil/__init__.py,,\n{INFO}/METADATA,,\n{INFO}/WHEEL,,\n{INFO}/RECORD,,\n".encode(),
}
"""The members of a minimal valid wheel."""
_MEGABYTE = bytes(1 << 20)


@frozen
class Part:
    """A member of a zip, and the false statements about it in its header and in the directory."""

    name: str
    """Its name."""
    data: bytes
    """Its bytes, if they are not compressed yet."""
    method: int = 8
    """How it is compressed: 0 or 8."""
    flags: int = 0
    """Its flags, in both places."""
    packed: bytes | None = None
    """Its compressed bytes, whatever they are."""
    size: int | None = None
    """How long it says to be, in both places."""
    local: Mapping[str, Any] = field(factory=dict)
    """What its own header says instead: name, size, packed_size, checksum, method, flags, extra."""
    central: Mapping[str, Any] = field(factory=dict)
    """What the directory says instead: the same, and offset, disk, mode, comment."""
    behind: bytes = b""
    """What stands behind its data, such as a descriptor."""
    is_listed_only: bool = False
    """Whether it is in the directory alone."""

    def body(self) -> bytes:
        """Return the compressed bytes."""
        if self.packed is not None:
            return self.packed
        if self.method != 8:
            return self.data
        deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
        return deflate.compress(self.data) + deflate.flush()

    def fields(self, lies: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values of a header."""
        return {
            "name": self.name.encode(),
            "size": len(self.data) if self.size is None else self.size,
            "packed_size": len(self.body()),
            "checksum": zlib.crc32(self.data),
            "method": self.method,
            "flags": self.flags,
            "extra": b"",
            "offset": 0,
            "disk": 0,
            "mode": 0o100644,
            "comment": b"",
        } | dict(lies)


def parts() -> list[Part]:
    """Return the members of a wheel."""
    return [Part(name, data) for name, data in MEMBERS.items()]


def with_first(**changes: Any) -> list[Part]:
    """Return the members of a wheel, with changed attributes of the first one."""
    first, *others = parts()
    return [evolve(first, **changes), *others]


def local_header(part: Part) -> bytes:
    """Return a member of a zip as bytes: its header, its data and its descriptor."""
    v = part.fields(part.local)
    numbers = (20, v["flags"], v["method"], 0, 33, v["checksum"], v["packed_size"], v["size"])
    head = struct.pack("<4s5H3I2H", b"PK\3\4", *numbers, len(v["name"]), len(v["extra"]))
    return head + v["name"] + v["extra"] + part.body() + part.behind


def forge(
    members: Sequence[Part],
    *,
    before: bytes = b"",
    between: bytes = b"",
    after: bytes = b"",
    comment: bytes = b"",
    end: Callable[[bytes], bytes] = lambda end: end,
    end64: Callable[[int, int, int], bytes] | None = None,
) -> bytes:
    """Write a zip.

    :param between: the bytes between the members and the directory.
    :param end64: makes the bytes before the end record, from the number of members, the length
        of the directory and its offset.
    """
    file, directory = io.BytesIO(), io.BytesIO()
    file.write(before)
    for part in members:
        offset = file.tell()
        if not part.is_listed_only:
            file.write(local_header(part))
        v = part.fields({"offset": offset} | dict(part.central))
        head = (0x314, 20, v["flags"], v["method"], 0, 33, v["checksum"], v["packed_size"], v["size"])
        lengths = (len(v["name"]), len(v["extra"]), len(v["comment"]), v["disk"], 0)
        place = (v["mode"] << 16, v["offset"])
        directory.write(struct.pack("<4s6H3I5H2I", b"PK\1\2", *head, *lengths, *place))
        directory.write(v["name"] + v["extra"] + v["comment"])
    file.write(between)
    start, length = file.tell(), len(directory.getvalue())
    file.write(directory.getvalue())
    if end64 is not None:
        file.write(end64(len(members), length, start))
    record = struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, len(members), len(members), length, start, len(comment))
    file.write(end(record) + comment + after)
    return file.getvalue()


def zip64(offset: int = 0, count: int = 0) -> Callable[[int, int, int], bytes]:
    """Return the end records of a zip64; ``offset`` and ``count`` are added to the true values."""

    def write(number: int, length: int, start: int) -> bytes:
        record = struct.pack(
            "<4sQ2H2I4Q", b"PK\6\6", 44, 45, 45, 0, 0, number + count, number + count, length, start
        )
        return record + struct.pack("<4sIQI", b"PK\6\7", 0, start + length + offset, 1)

    return write


def descriptor(data: bytes, packed: int, *, lie: int = 0, signature: bytes = b"PK\7\10") -> bytes:
    """Return the data descriptor of a member whose header has no length."""
    return signature + struct.pack("<3I", zlib.crc32(data), packed, len(data) + lie)


def streamed(part: Part, **lies: int) -> Part:
    """Return a member as it is written by programs that cannot seek."""
    zeros = {"size": 0, "packed_size": 0, "checksum": 0}
    behind = descriptor(part.data, len(part.body()), **lies)
    return evolve(part, flags=part.flags | 8, local=zeros, behind=behind)


def long_deflate(megabytes: int) -> bytes:
    """Return that number of megabytes of zeros, compressed, without compressing them."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = deflate.compress(_MEGABYTE) + deflate.flush(zlib.Z_FULL_FLUSH)
    return block * megabytes + b"\3\0"


def tar_block(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    """Write the header of a tar's member, of whatever size."""
    member = tarfile.TarInfo(name)
    member.type, member.linkname = kind, target
    block = member.tobuf(tarfile.GNU_FORMAT)
    block = block[:124] + tarfile.itn(size, 12, tarfile.GNU_FORMAT) + block[136:]
    total = sum(block) - sum(block[148:156]) + 8 * 32
    return block[:148] + b"%06o\0 " % total + block[156:]


def tar_file(name: str, data: bytes) -> bytes:
    """Write a file as a member of a tar."""
    return tar_block(name, len(data)) + data + bytes(-len(data) % 512)


PKG_INFO = tar_file("evil-1.0/PKG-INFO", core_metadata("evil", "1.0"))
TAR_END = bytes(1024)


def sdist(*members: bytes, pkg_info: bytes = PKG_INFO, end: bytes = TAR_END) -> bytes:
    """Return an sdist with members besides the required one."""
    return gzip.compress(b"".join((pkg_info, *members, end)), 1)


def raw_header(kind: bytes, data: bytes) -> bytes:
    """Write an extended header of a tar."""
    return tar_block("header", len(data), kind) + data + bytes(-len(data) % 512)


def pax(keyword: str, value: str, kind: bytes = tarfile.XHDTYPE) -> bytes:
    """Return a pax header for the next member."""
    rest = f" {keyword}={value}\n".encode()
    length = len(rest) + 1
    while len(str(length)) + len(rest) != length:
        length += 1
    return tar_block("pax", length, kind) + (f"{length}".encode() + rest).ljust(
        -(-length // 512) * 512, b"\0"
    )
