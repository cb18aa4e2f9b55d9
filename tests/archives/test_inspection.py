"""Inspections of uploaded archives: refusals, warnings and their cost."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
import zipfile
from contextlib import suppress
from errno import EIO
from time import thread_time

import pytest
from attrs import evolve
from harness import forgery
from harness.forgery import INFO, Part, forge, parts, with_first
from harness.malice import SDIST, WHEEL, Evil, evil_archives
from hypothesis import given
from hypothesis import strategies as st

from pypid.archives import Inspection, inspect
from pypid.errors import InvalidArchive
from pypid.names import parse_filename
from pypid.testing import builds

METADATA = forgery.MEMBERS[f"{INFO}/METADATA"]


def inspected(filename: str, data: bytes, seconds: float = 10.0) -> Inspection:
    return inspect(io.BytesIO(data), parse_filename(filename), seconds)


def oddities(filename: str, data: bytes) -> list[str]:
    inspection = inspected(filename, data)
    assert inspection.metadata == METADATA
    return list(inspection.oddities)


LONG = ("B202-zip-65k-whl", "tar-200k")
"""Parts of the names of those that take seconds to be made and looked into."""
ARCHIVES = [
    pytest.param(
        evil, id=evil.name, marks=[pytest.mark.slow] if any(map(evil.name.__contains__, LONG)) else []
    )
    for evil in evil_archives()
]


@pytest.mark.slow
@pytest.mark.parametrize("evil", ARCHIVES)
def test_evil(evil: Evil) -> None:
    """Each is refused for its own reason, in one line that can be shown, and soon."""
    data = evil.make()
    started = thread_time()
    with pytest.raises(InvalidArchive) as caught:
        inspected(evil.filename, data)
    assert thread_time() - started < 10
    message = str(caught.value)
    assert evil.said in message
    assert message.isprintable()
    assert len(message) < 200


@pytest.mark.parametrize(
    "build",
    [
        builds.wheel("evil", "1.0", payload=b"x" * 1000),
        builds.sdist("evil", "1.0", payload=b"x" * 1000),
        (WHEEL, forge(parts())),
        (WHEEL, forge(parts(), end64=forgery.zip64())),
        (WHEEL, forge([Part(part.name, part.data, method=0) for part in parts()])),
        (WHEEL, forge([*parts()[:3], evolve(parts()[3], flags=0x800)])),
        (SDIST, forgery.sdist(forgery.tar_block("evil-1.0/x/", 0, tarfile.DIRTYPE))),
        (SDIST, forgery.sdist(forgery.tar_block("./", 0, tarfile.DIRTYPE))),
        (SDIST, forgery.sdist(forgery.pax("comment", "x", tarfile.XGLTYPE))),
        (SDIST, forgery.sdist(end=b"")),
        (SDIST, forgery.sdist(end=bytes(10240))),
    ],
    ids=lambda build: build[0],
)
def test_good(build: tuple[str, bytes]) -> None:
    """What honest tools make has its metadata, and nothing odd."""
    inspection = inspected(*build)
    assert inspection.metadata is not None
    assert inspection.metadata.startswith(b"Metadata-Version: 2.1\nName: evil\n")
    assert list(inspection.oddities) == []


def test_what_zipfile_writes() -> None:
    """It announces members of more than four gigabytes, for which there is room in extra fields."""
    seekable = io.BytesIO()
    with zipfile.ZipFile(seekable, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in forgery.MEMBERS.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
        archive.mkdir("evil/empty")
    assert oddities(WHEEL, seekable.getvalue()) == []


def test_what_a_stream_is_written_to() -> None:
    """Each member says how long it was when it is over."""

    class Pipe(io.RawIOBase):
        data = b""

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            piece = bytes(data)  # type: ignore[call-overload]
            self.data += piece
            return len(piece)

    pipe = Pipe()
    with zipfile.ZipFile(pipe, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in forgery.MEMBERS.items():
            archive.writestr(name, data)
    assert oddities(WHEEL, pipe.data) == ["the archive says how long its members are only behind them"]


@pytest.mark.parametrize("signature", [b"PK\7\10", b""])
@pytest.mark.parametrize("wide", [False, True])
def test_t38_descriptors(signature: bytes, wide: bool) -> None:
    """Four ways to write what is behind a member are known."""
    first = parts()[0]
    behind = forgery.descriptor(first.data, len(first.body()), signature=signature)
    if wide:
        checksum, packed, size = struct.unpack("<3I", behind[len(signature) :])
        behind = signature + struct.pack("<I2Q", checksum, packed, size)
    archive = forge([evolve(forgery.streamed(first), behind=behind), *parts()[1:]])
    assert "only behind them" in oddities(WHEEL, archive)[0]


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (lambda: forge(parts(), comment=b"hello"), "has a comment"),
        (lambda: forge(with_first(method=12, packed=b"x")), "by other means than deflate"),
        (
            lambda: forge([*parts(), Part("x", b"", local={"name": b"\xe9"}, central={"name": b"\xe9"})]),
            "do not say how they are encoded",
        ),
        (lambda: forge([*parts(), Part("evil/\u202e.py", b"", flags=0x800)]), "cannot be shown"),
        (lambda: forge([*parts(), Part("evil/extra.py", b"")]), "does not list 'evil/extra.py'"),
        (lambda: forge([Part("evil/a.py", b""), *parts()[1:]]), "lists what is not there: 'evil/__init"),
        (lambda: forge([*parts()[:3], Part(f"{INFO}/RECORD", b"\xff")]), "RECORD cannot be read"),
        (
            lambda: forge([Part(part.name.replace("evil-1.0", "evil-1.0.0"), part.data) for part in parts()]),
            "spelled otherwise",
        ),
    ],
)  # fmt: skip
def test_odd_wheels(archive: object, said: str) -> None:
    """What is only unusual is said."""
    found = oddities(WHEEL, archive())  # type: ignore[operator]
    assert said in " ".join(found)


def zip64_field(*sizes: int) -> bytes:
    """Write an extra field with sizes for which there is no room elsewhere."""
    return struct.pack(f"<2H{len(sizes)}Q", 1, 8 * len(sizes), *sizes)


FIRST = parts()[0]
SIZE, PACKED = len(FIRST.data), len(FIRST.body())
NEEDLESS = "zip64 sizes of members that are not needed, or not right"
FIELDS = "extra fields that are cut short, or there twice"
UNICODE_PATH = struct.pack("<HHBI", 0x7075, 5 + len(FIRST.name), 1, 0) + FIRST.name.encode()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"central": {"comment": b"hello"}}, "members with comments"),
        ({"local": {"extra": zip64_field(SIZE)}}, NEEDLESS),
        ({"local": {"extra": zip64_field(SIZE, PACKED + 1)}}, NEEDLESS),
        ({"local": {"extra": zip64_field()}, "method": 8, "size": SIZE}, None),
        ({"local": {"extra": zip64_field(SIZE, PACKED)}}, None),
        ({"local": {"extra": zip64_field(SIZE, PACKED, 0, 0)}}, NEEDLESS),
        (
            {
                "local": {"extra": zip64_field(SIZE, PACKED), "size": 0xFFFFFFFF, "packed_size": 0xFFFFFFFF},
            },
            None,
        ),
        ({"local": {"extra": UNICODE_PATH}}, None),
        ({"local": {"extra": UNICODE_PATH * 2}}, FIELDS),
        ({"local": {"extra": b"\0\0\0"}}, FIELDS),
        ({"central": {"extra": b"\0\0\0"}}, None),
    ],
)
def test_fault_c4_what_pypi_refuses_of_zips(changes: dict[str, object], said: str | None) -> None:
    """It is odd, so that the strict rules refuse it; what PyPI takes is not."""
    found = oddities(WHEEL, forge(with_first(**changes)))
    assert [said in one for one in found if said is not None] == ([True] if said else [])
    assert said is not None or found == []


def test_fault_c3_extra_fields_are_counted() -> None:
    """Each place for one is looked at more than once."""
    fields = struct.pack("<2H", 0x4141, 0)
    for many in ({"local": {"extra": fields * 33}}, {"central": {"extra": fields * 33}}):
        with pytest.raises(InvalidArchive, match="malformed header"):
            inspected(WHEEL, forge(with_first(**many)))
    assert (
        oddities(WHEEL, forge(with_first(local={"extra": fields * 32}, central={"extra": fields * 32}))) == []
    )


@pytest.mark.parametrize(
    "record", [b"\n" * (1 << 20), b"\r" * (1 << 20), b"," * (1 << 20), b"a,\n" * (1 << 18)]
)
def test_fault_c3_a_record_of_nothing(record: bytes) -> None:
    """What lists more than can be there is not taken apart."""
    archive = forge([*parts()[:3], Part(f"{INFO}/RECORD", record, method=0)])
    assert oddities(WHEEL, archive) == ["the wheel's RECORD lists more than there may be"]


def test_fault_c3_deep_paths_take_no_time() -> None:
    """Of a path two thousand directories deep each one is looked at, but not one by one."""
    deep = "evil-1.0/" + "a/" * 1990
    members = [forgery.pax("path", f"{deep}{n}") + forgery.tar_block("x") for n in range(500)]
    started = thread_time()
    assert inspected(SDIST, forgery.sdist(*members)).metadata == METADATA
    assert thread_time() - started < 1.5
    inside = forgery.pax("path", f"{deep}1/x") + forgery.tar_block("x")
    with pytest.raises(InvalidArchive, match="in what is no directory"):
        inspected(SDIST, forgery.sdist(*members, inside))


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (lambda: forgery.sdist(forgery.tar_block("evil-1.0/x", 0, tarfile.SYMTYPE, "PKG-INFO")), "has links"),
        (lambda: forgery.sdist(forgery.tar_block("evil-1.0/a/x", 0, tarfile.SYMTYPE, "../b")), "has links"),
        (
            lambda: forgery.sdist(forgery.tar_block("evil-1.0/x", 0, tarfile.LNKTYPE, "evil-1.0/y")),
            "has links",
        ),
        (lambda: forgery.sdist(forgery.tar_block("evil-1.0/\udce9")), "cannot be shown"),
        (
            lambda: forgery.sdist(pkg_info=forgery.tar_file("Evil-1.0/PKG-INFO", METADATA)),
            "not named as the file",
        ),
    ],
)
def test_odd_sdists(archive: object, said: str) -> None:
    """Links that stay inside are odd, and no more."""
    assert said in " ".join(oddities(SDIST, archive()))  # type: ignore[operator]


def test_c156_old_kinds() -> None:
    """They open as what they are, with metadata if they can have any."""
    source = forge([Part("evil-1.0/PKG-INFO", METADATA)])
    assert oddities("evil-1.0.zip", source) == []
    assert oddities("evil-1.0-py2.7.egg", forge([Part("EGG-INFO/PKG-INFO", METADATA)])) == []
    assert inspected("evil-1.0-py2.7.egg", forge([Part("evil/x.py", b"")])).metadata is None
    for suffix, magic in {".exe": b"MZ", ".rpm": b"\xed\xab\xee\xdb", ".tar.Z": b"\x1f\x9d"}.items():
        name = f"evil-1.0{suffix}" if suffix != ".rpm" else "evil-1.0-1.noarch.rpm"
        assert inspected(name, magic + b"...").metadata is None
        for bad in (b"", b"x" + magic):
            with pytest.raises(InvalidArchive, match="does not begin"):
                inspected(name, bad)
    for filename in ("evil-1.0.zip", "evil-1.0-py2.7.egg", "evil-1.0.tar.bz2", "evil-1.0.tar.xz"):
        with pytest.raises(InvalidArchive):
            inspected(filename, b"something else")


def test_t36_an_honest_archive_may_inflate_much() -> None:
    """Sixty-four megabytes are no bomb, whatever they are compressed to; nor is a ratio of fifty."""
    zeros = forgery.tar_file("evil-1.0/zeros", bytes(60 << 20))
    assert oddities(SDIST, forgery.sdist(zeros)) == []
    archive = forge([*parts(), Part("evil/zeros", b"", packed=forgery.long_deflate(60), size=60 << 20)])
    assert inspected(WHEEL, archive).metadata == METADATA


def test_time_is_bounded() -> None:
    """Reading ends with the time for it."""
    for build in (builds.wheel("evil", "1.0"), builds.sdist("evil", "1.0")):
        with pytest.raises(InvalidArchive, match="seconds"):
            inspected(*build, seconds=-1)


def test_errors_of_the_disk_pass() -> None:
    """A file that cannot be read is not taken for a bad archive."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(EIO, "I/O error")

    for filename, data in (builds.wheel("evil", "1.0"), builds.sdist("evil", "1.0")):
        with pytest.raises(OSError, match="I/O error"):
            inspect(Broken(data), parse_filename(filename))


@given(st.sampled_from([builds.wheel("evil", "1.0"), builds.sdist("evil", "1.0")]), st.data())
def test_damaged_archive_is_read_or_refused(build: tuple[str, bytes], data: st.DataObject) -> None:
    """Nothing but refusals comes of an archive with a few bytes changed, lost or added."""
    filename, good = build
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, min(start + 8, len(good))))
    with suppress(InvalidArchive):
        inspected(filename, good[:start] + data.draw(st.binary(max_size=8)) + good[stop:])


def test_a_zip_of_a_later_version_is_refused() -> None:
    """Python's ``zipfile``, and so pip, cannot open it."""
    good = bytearray(forge(parts()))
    needed = good.rindex(b"PK\1\2") + 6
    for version, message in ((63, None), (64, "later version of the zip format"), (255, "later version")):
        good[needed] = version
        if message is None:
            inspected(WHEEL, bytes(good))
        else:
            with pytest.raises(InvalidArchive, match=message):
                inspected(WHEEL, bytes(good))


@given(st.data())
def test_what_is_not_refused_zipfile_sees_alike(data: st.DataObject) -> None:
    """Of wheels with changed bytes, those that pass have the same members and metadata for others."""
    good = bytearray(forge(parts()))
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    with suppress(InvalidArchive):
        found = inspected(WHEEL, bytes(good))
        with zipfile.ZipFile(io.BytesIO(good)) as archive:
            assert archive.read(f"{INFO}/METADATA") == found.metadata


def test_gzip_of_several_members() -> None:
    """An sdist may be compressed in pieces."""
    tar = gzip.decompress(forgery.sdist())
    assert oddities(SDIST, gzip.compress(tar[:512]) + gzip.compress(tar[512:])) == []
