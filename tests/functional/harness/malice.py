"""Malicious archives, each with the reason of its refusal."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from attrs import evolve, frozen
from harness.evil_sdists import DANGEROUS, DANGEROUS_NAMES, evil_sdists
from harness.forgery import (
    INFO,
    Part,
    forge,
    local_header,
    long_deflate,
    parts,
    sdist,
    streamed,
    with_first,
    zip64,
)

__all__ = ["SDIST", "WHEEL", "Evil", "evil_archives"]

WHEEL = "evil-1.0-py3-none-any.whl"
SDIST = "evil-1.0.tar.gz"


@frozen
class Evil:
    """An archive that must be refused."""

    name: str
    """What the row is called, with its number where it has one."""
    filename: str
    """The name it is uploaded by."""
    make: Callable[[], bytes]
    """Makes it."""
    said: str
    """What the refusal says."""


DISAGREE = "says different things of a member in two places"
PATCHY = "bytes that belong to no member"
END = "does not end as a zip does"


def _wheels() -> Iterator[tuple[str, str, Callable[[], bytes]]]:
    first = parts()[0]
    deflated = first.body()
    gigabyte = 1 << 30
    yield (
        "B199-zip-bomb-meta",
        "inflates to more than is likely",
        lambda: forge(
            [
                *parts()[:1],
                Part(f"{INFO}/METADATA", b"", packed=long_deflate(1024), size=gigabyte),
                *parts()[2:],
            ]
        ),
    )
    yield (
        "B199-meta-2mb",
        "metadata longer than 2000000",
        lambda: forge([*parts()[:1], Part(f"{INFO}/METADATA", bytes(2_000_001)), *parts()[2:]]),
    )
    yield (
        "B199-meta-lies",
        DISAGREE,
        lambda: forge(
            [*parts()[:1], Part(f"{INFO}/METADATA", b"", packed=long_deflate(64), size=100), *parts()[2:]]
        ),
    )
    yield (
        "B201-zip-overlap",
        PATCHY,
        lambda: forge(
            [
                *parts(),
                Part("evil/a.py", first.data, central={"offset": 0, "name": b"evil/__init__.py"}),
            ]
        ),
    )
    yield "B201-zip-quoted", PATCHY, quoted_overlap
    yield "B202-zip-65k", "more than 50000 members", lambda: forge([Part(f"{n}", b"") for n in range(65_000)])
    yield "B202-zip64-1e6", "more than 50000 members", million
    yield "B204-zip-lfh-cd", DISAGREE, lambda: forge(with_first(local={"name": b"evil/__main__.py"}))
    yield "B209-zip64-locator", END, lambda: forge(parts(), end64=zip64(offset=-7))
    yield "B209-zip64-count", DISAGREE, lambda: forge(parts(), end64=zip64(count=1))
    yield "B226-zip-is-tar", "is a tar, too", is_both_zip_and_tar
    for what in ("size", "packed_size", "checksum"):
        yield f"T38-{what}-differs", DISAGREE, lambda what=what: forge(with_first(local={what: 1}))
    yield "T38-method-differs", DISAGREE, lambda: forge(with_first(local={"method": 0}))
    yield "T38-flags-differ", DISAGREE, lambda: forge(with_first(local={"flags": 0x800}))
    yield "T38-twice", "a member twice", lambda: forge([*parts(), parts()[0]])
    yield "T38-twice-spelled", "a member twice", lambda: forge([*parts(), Part("evil/./__init__.py", b"")])
    yield "T38-file-and-directory", "in what is no directory", lambda: forge([*parts(), Part("evil", b"x")])
    yield "T38-leading-data", END, lambda: b"#!/bin/sh\n" + forge(parts())
    yield "T38-leading-data-counted", PATCHY, lambda: forge(parts(), before=b"#!/bin/sh\n")
    yield "T38-trailing-data", END, lambda: forge(parts(), after=b"\0")
    yield "T38-data-between", PATCHY, lambda: forge(parts(), between=b"hidden")
    yield "T38-two-ends", END, lambda: forge(parts(), comment=forge(parts()))
    yield (
        "T38-directory-elsewhere",
        END,
        lambda: forge(parts(), end=lambda end: end[:16] + bytes(4) + end[20:]),
    )
    yield "T38-hidden-entry", PATCHY, lambda: forge(parts(), end=lambda end: end[:8] + b"\3\0\3\0" + end[12:])
    yield "T38-count-differs", END, lambda: forge(parts(), end=lambda end: end[:8] + b"\1\0" + end[10:])
    yield "T38-volumes", "several volumes", lambda: forge(with_first(central={"disk": 1}))
    yield "T38-encrypted", "encrypted", lambda: forge(with_first(flags=1))
    yield (
        "T38-unicode-path",
        DISAGREE,
        lambda: forge(with_first(central={"extra": struct.pack("<HHBI", 0x7075, 9, 1, 0) + b"evil"})),
    )
    yield (
        "T38-extra-cut",
        "malformed header",
        lambda: forge(with_first(local={"extra": struct.pack("<HH", 1, 99)})),
    )
    yield (
        "T38-two-zip64-fields",
        DISAGREE,
        lambda: forge(with_first(central={"extra": struct.pack("<HHQHHQ", 1, 8, 7, 1, 8, 7)})),
    )
    yield "T38-descriptor-lies", DISAGREE, lambda: forge([streamed(first, lie=1), *parts()[1:]])
    yield (
        "T38-descriptor-missing",
        DISAGREE,
        lambda: forge([evolve(streamed(first), behind=b""), *parts()[1:]]),
    )
    yield (
        "T38-descriptor-stored",
        "only its directory tells",
        lambda: forge([streamed(evolve(first, method=0)), *parts()[1:]]),
    )
    yield (
        "T38-deflate-ends-early",
        DISAGREE,
        lambda: forge([streamed(evolve(first, packed=deflated + b"PK\3\4")), *parts()[1:]]),
    )
    yield "T38-stored-shorter", DISAGREE, lambda: forge(with_first(method=0, size=7))
    yield (
        "T38-metadata-damaged",
        "damaged",
        lambda: forge(
            [
                *parts()[:1],
                Part(f"{INFO}/METADATA", b"y" * 9, local={"checksum": 0}, central={"checksum": 0}),
                *parts()[2:],
            ]
        ),
    )
    yield "T39-no-record", "has no RECORD", lambda: forge(parts()[:3])
    yield "T39-no-wheel", "has no WHEEL", lambda: forge([*parts()[:2], parts()[3]])
    yield "T39-no-metadata", "has no METADATA", lambda: forge([parts()[0], *parts()[2:]])
    yield "C160-no-dist-info", "does not have one .dist-info", lambda: forge(parts()[:1])
    yield (
        "C160-two-dist-infos",
        "does not have one .dist-info",
        lambda: forge([*parts(), Part("other-1.0.dist-info/METADATA", b"")]),
    )
    yield (
        "C160-another-dist-info",
        "does not have one .dist-info",
        lambda: forge([Part(part.name.replace("evil-1.0", "evil-2.0"), part.data) for part in parts()]),
    )
    yield "C160-empty", "empty", lambda: forge([])
    yield "C160-no-zip", END, lambda: b"no zip at all"
    yield "C160-sdist", END, sdist
    for name, path in DANGEROUS_NAMES.items():
        yield f"T41-{name}", DANGEROUS, lambda path=path: forge([*parts(), Part(path, b"")])
    yield "T41-no-name", "without a name", lambda: forge([*parts(), Part("", b"")])
    yield (
        "T41-symlink",
        "neither a file nor",
        lambda: forge(with_first(data=b"/etc/passwd", central={"mode": 0o120777})),
    )
    yield "T41-device", "neither a file nor", lambda: forge(with_first(central={"mode": 0o020666}))
    yield "T41-directory-with-data", DISAGREE, lambda: forge(with_first(central={"mode": 0o040755}))


def is_both_zip_and_tar() -> bytes:
    """Return a wheel that begins like a tar, by an extra field of the first member's header."""
    length = 512 - 30 - len("evil/__init__.py")
    field = struct.pack("<HH", 0x4141, length - 4) + bytes(length - 4)
    block = forge(with_first(local={"extra": field}))[:512]
    total = sum(block) - sum(block[148:156]) + 8 * 32
    block = block[:148] + b"%06o\0 " % total + block[156:]
    return forge(with_first(local={"extra": block[-length:]}))


def quoted_overlap() -> bytes:
    """Return a wheel in which the data of one member contain another member with its header."""
    inner = Part("evil/inner.py", b"inner" * 20, method=0)
    outer = Part("evil/outer.py", local_header(inner), method=0)
    at = 30 + len(outer.name)
    return forge([outer, *parts(), evolve(inner, central={"offset": at}, is_listed_only=True)])


def million() -> bytes:
    """Return a zip64 that announces a million members and has none."""
    entry = struct.pack("<4s6H3I5H2I", b"PK\1\2", *(20, 20, 0, 0, 0, 0), 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    directory = entry * 1_000_000
    ends = zip64()(1_000_000, len(directory), 0)
    return directory + ends + struct.pack("<4s4H2IH", b"PK\5\6", 0, 0, *[0xFFFF] * 2, *[0xFFFFFFFF] * 2, 0)


@cache
def evil_archives() -> Sequence[Evil]:
    """Return all malicious archives."""
    wheels = [Evil(f"{name}-whl", WHEEL, make, said) for name, said, make in _wheels()]
    return [*wheels, *(Evil(f"{name}-tar", SDIST, make, said) for name, said, make in evil_sdists())]
