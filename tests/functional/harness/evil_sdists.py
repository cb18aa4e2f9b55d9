"""Malicious sdists."""

from __future__ import annotations

import gzip
import random
import struct
import tarfile
import zlib
from collections.abc import Callable, Iterator

from harness.forgery import (
    PKG_INFO,
    TAR_END,
    forge,
    parts,
    pax,
    sdist,
    tar_block,
    tar_file,
)

from pypid.testing.builds import core_metadata

__all__ = ["DANGEROUS", "DANGEROUS_NAMES", "evil_sdists"]

UNREADABLE = "cannot be read"
DANGEROUS = "a dangerous name"
LEAVES = "a link that leads out of it"
_GZIPPED_MEGABYTE = gzip.compress(bytes(1 << 20), 9)

DANGEROUS_NAMES = {
    "dotdot": "../evil.pth",
    "dotdot-inside": "evil/../../evil.pth",
    "absolute": "/etc/passwd",
    "drive": "C:/evil.py",
    "backslash": "evil\\..\\x.py",
    "nul": "evil/a.py\0.txt",
    "newline": "evil/a\nb.py",
    "escape": "evil/\x1b[31m.py",
    "long": "evil/" + "x" * 5000,
}


def evil_sdists() -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    """Yield for each sdist a name, a part of the expected refusal, and the function that makes the sdist."""
    member = tar_file("evil-1.0/x", b"x")
    top = "evil-1.0"
    yield (
        "B218-tar-bomb",
        "inflates to more than 10",
        lambda: gzip.compress(PKG_INFO + tar_block(f"{top}/x", 2 << 30)) + _GZIPPED_MEGABYTE * 2048,
    )
    yield (
        "B218-many-zeros",
        "inflates to more than",
        lambda: (
            gzip.compress(PKG_INFO)
            + b"".join(
                gzip.compress(tar_block(f"{top}/{n}", 1 << 20)) + _GZIPPED_MEGABYTE for n in range(500)
            )
        ),
    )
    yield (
        "B219-tar-200k",
        "more than 50000 members",
        lambda: sdist(*[tar_block(f"{top}/{n}") for n in range(60_000)]),
    )
    yield (
        "B220-tar-pax",
        "header longer than",
        lambda: (
            gzip.compress(PKG_INFO + tar_block("x", 200 << 20, tarfile.XHDTYPE)) + _GZIPPED_MEGABYTE * 200
        ),
    )
    yield "B221-tar-negative", "negative size", lambda: sdist(tar_block(f"{top}/x", -512))
    yield "B221-tar-huge", "inflates to more than", lambda: sdist(tar_block(f"{top}/x", 1 << 80))
    yield "B221-tar-loop", "negative size", lambda: sdist(tar_block(f"{top}/x", -1024, tarfile.XHDTYPE))
    yield "B221-pax-negative", "negative size", lambda: sdist(pax("size", "-512"), member)
    yield "B221-cut", UNREADABLE, lambda: sdist()[:-20]
    yield "B226-polyglot", UNREADABLE, lambda: sdist() + forge(parts())
    yield "B226-tar-is-zip", "is a zip, too", is_both_tar_and_zip
    yield "T37-sparse", "sparse", lambda: sdist(tar_block(f"{top}/x", 0, tarfile.GNUTYPE_SPARSE))
    yield "T37-pax-sparse", "sparse", lambda: sdist(pax("GNU.sparse.major", "1"), member)
    yield (
        "T37-global-path",
        "all its members one name",
        lambda: sdist(pax("path", "evil-1.0/y", tarfile.XGLTYPE), member),
    )
    yield (
        "T37-device",
        "no file, no directory and no link",
        lambda: sdist(tar_block(f"{top}/x", 0, tarfile.CHRTYPE)),
    )
    yield (
        "T37-fifo",
        "no file, no directory and no link",
        lambda: sdist(tar_block(f"{top}/x", 0, tarfile.FIFOTYPE)),
    )
    yield "T38-after-the-end", "goes on after its end", lambda: sdist(end=TAR_END + member)
    yield "T38-twice", "a member twice", lambda: sdist(member, member)
    yield "T38-metadata-twice", "a member twice", lambda: sdist(PKG_INFO)
    yield "T38-trailing-data", UNREADABLE, lambda: sdist() + b"hidden"
    for name, path in DANGEROUS_NAMES.items():
        if name != "nul":  # it ends a name in a tar
            yield f"T41-{name}", DANGEROUS, lambda path=path: sdist(pax("path", path), member)
    for name, target in {
        "absolute": "/etc/passwd",
        "dotdot": "../../x",
        "top": "..",
        "down-and-up": "a/../../../x",
        "empty": "",
    }.items():
        yield (
            f"T41-symlink-{name}",
            LEAVES,
            lambda target=target: sdist(tar_block(f"{top}/x", 0, tarfile.SYMTYPE, target)),
        )
    yield (
        "T41-symlink-pax",
        LEAVES,
        lambda: sdist(pax("linkpath", "/etc"), tar_block(f"{top}/x", 0, tarfile.SYMTYPE, "y")),
    )
    yield (
        "T41-symlink-longlink",
        LEAVES,
        lambda: sdist(
            tar_block("l", 5, tarfile.GNUTYPE_LONGLINK) + b"/etc\0".ljust(512, b"\0"),
            tar_block(f"{top}/x", 0, tarfile.SYMTYPE, "y"),
        ),
    )
    yield "T41-hardlink", LEAVES, lambda: sdist(tar_block(f"{top}/x", 0, tarfile.LNKTYPE, "etc/passwd"))
    yield (
        "T41-through-a-link",
        "in what is no directory",
        lambda: sdist(tar_block(f"{top}/x", 0, tarfile.SYMTYPE, "y"), tar_file(f"{top}/x/z", b"")),
    )
    yield "C160-two-tops", "one top-level directory", lambda: sdist(tar_file("other/x", b""))
    yield "C160-no-pkg-info", "no PKG-INFO", lambda: sdist(member, pkg_info=b"")
    yield (
        "C160-deeper-pkg-info",
        "no PKG-INFO",
        lambda: sdist(tar_file(f"{top}/x/PKG-INFO", core_metadata("evil", "1.0")), pkg_info=b""),
    )
    yield (
        "C160-link-pkg-info",
        "no PKG-INFO",
        lambda: sdist(member, pkg_info=tar_block(f"{top}/PKG-INFO", 0, tarfile.SYMTYPE, "x")),
    )
    yield "C160-empty", "empty", lambda: sdist(pkg_info=b"")
    yield "C160-no-gzip", UNREADABLE, lambda: random.Random(0).randbytes(1000)
    yield "C160-wheel", UNREADABLE, lambda: forge(parts())
    yield (
        "T36-long-metadata",
        "metadata longer than 2000000",
        lambda: sdist(pkg_info=tar_file(f"{top}/PKG-INFO", random.Random(0).randbytes(2_000_001))),
    )


def is_both_tar_and_zip() -> bytes:
    """Write an sdist that ends with an uncompressed zip, whose comment is the trailer of gzip."""
    gap = -(len(forge(parts(), comment=bytes(8))) - 8) % 512
    zipped = forge(parts(), before=bytes(gap), comment=bytes(8))[:-8]
    tar = PKG_INFO + tar_file("evil-1.0/x.zip", zipped)
    stored = b"\1" + struct.pack("<HH", len(tar), len(tar) ^ 0xFFFF) + tar
    return b"\x1f\x8b\x08\0\0\0\0\0\0\3" + stored + struct.pack("<II", zlib.crc32(tar), len(tar))
