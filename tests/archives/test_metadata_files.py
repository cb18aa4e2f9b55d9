"""Tests for :mod:`pypid.archives`; all archives are made here."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from errno import EIO
from time import thread_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.archives import core_metadata
from pypid.errors import InvalidArchive
from pypid.names import parse_filename

WHEEL = "Lab_Pkg-1.0-py3-none-any.whl"
SDIST = "lab_pkg-1.0.tar.gz"
METADATA = "Metadata-Version: 2.4\r\nName: Lab.Pkg\nVersion: 1.0\n\nGrüße\x00".encode()

CODECS = {".tar.gz": gzip.compress, ".tgz": gzip.compress, ".tar.bz2": bz2.compress, ".tar.xz": lzma.compress}


def make_zip(*members: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Make a zip of members; a name may come twice."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members:
            archive.writestr(zipfile.ZipInfo(name), data, compression)
    return file.getvalue()


def make_tar(members: Mapping[str, bytes], style: int = tarfile.PAX_FORMAT) -> bytes:
    """Make a tar of members, not compressed."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=style) as archive:
        for name, data in members.items():
            archive.addfile(header(name, len(data)), io.BytesIO(data))
    return file.getvalue()


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> tarfile.TarInfo:
    """Return the header of a tar's member; the odd time makes a pax header."""
    member = tarfile.TarInfo(name)
    member.size = size
    member.mtime = 1234567890.125
    member.type = kind
    return member


def block(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return the header of a tar's member as bytes, whatever its size."""
    buffer = header(name, 0, kind).tobuf(tarfile.GNU_FORMAT)
    buffer = buffer[:124] + tarfile.itn(size, 12, tarfile.GNU_FORMAT) + buffer[136:]
    return buffer[:148] + checksum(buffer) + buffer[156:]


def checksum(header: bytes) -> bytes:
    """Return the checksum field of a tar's header."""
    return b"%06o\0 " % (sum(header) - sum(header[148:156]) + 8 * 32)


def metadata(data: bytes, filename: str, seconds: float = 10.0) -> bytes | None:
    """Return the core metadata of an archive of that file name."""
    return core_metadata(io.BytesIO(data), parse_filename(filename), seconds)


def refusal(data: bytes, filename: str, seconds: float = 10.0) -> str:
    """Read an archive that must be refused; return the message."""
    with pytest.raises(InvalidArchive) as caught:
        metadata(data, filename, seconds)
    message = str(caught.value)
    assert message.isprintable()
    return message


UNREADABLE = "the archive cannot be read: it is damaged, or not of the kind that its name says"


@pytest.mark.parametrize(
    "directory", ["Lab_Pkg-1.0", "lab.pkg-1.0.0", "LAB-PKG-1.0", "lab__pkg-v1.0", "Lab_Pkg-1.0.0.0"]
)
def test_wheel(directory: str) -> None:
    """METADATA is given byte for byte, however its directory is spelled."""
    wheel = make_zip(
        ("lab/__init__.py", b""),
        ("vendored/Lab_Pkg-1.0.dist-info/METADATA", b"vendored"),
        ("other-1.0.dist-info/METADATA", b"other"),
        (f"{directory}.dist-info/METADATA", METADATA),
        (f"{directory}.dist-info/WHEEL", b""),
    )
    assert metadata(wheel, WHEEL) == METADATA


@pytest.mark.parametrize(
    "path",
    [
        "METADATA",
        "Lab_Pkg-1.0.dist-info/PKG-INFO",
        "Lab_Pkg-1.1.dist-info/METADATA",
        "other-1.0.dist-info/METADATA",
        "Lab_Pkg-1.0.egg-info/METADATA",
        "/Lab_Pkg-1.0.dist-info/METADATA",
        "x/Lab_Pkg-1.0.dist-info/METADATA",
        "Lab_P\u212ag-1.0.dist-info/METADATA",
        ".dist-info/METADATA",
    ],
)
def test_c160_wheel_without_metadata(path: str) -> None:
    """A wheel has METADATA where it belongs."""
    assert "no METADATA" in refusal(make_zip((path, METADATA)), WHEEL)


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_wheel_with_two_metadata() -> None:
    """Of two candidates none is chosen."""
    for second in ("Lab_Pkg-1.0.dist-info/METADATA", "lab.pkg-1.0.dist-info/METADATA"):
        wheel = make_zip(("Lab_Pkg-1.0.dist-info/METADATA", METADATA), (second, METADATA))
        assert "more than once" in refusal(wheel, WHEEL)


@pytest.mark.parametrize("suffix", CODECS)
@pytest.mark.parametrize("style", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("directory", ["lab_pkg-1.0", "./Lab.Pkg-1.0", "größe", "x" * 120, "y" * 95])
def test_sdist(suffix: str, style: int, directory: str) -> None:
    """PKG-INFO of the top-level directory is found in every style of tar."""
    tar = make_tar(
        {
            f"{directory}/setup.py": b"x" * 1000,
            f"{directory}/lab.egg-info/PKG-INFO": b"deeper",
            f"{directory}/" + "n" * 99: b"",
            "PKG-INFO": b"shallower",
            f"{directory}/PKG-INFO": METADATA,
        },
        style,
    )
    assert metadata(CODECS[suffix](tar), "lab_pkg-1.0" + suffix) == METADATA


def test_sdist_with_all_kinds_of_members() -> None:
    """Directories, links, devices and a global header, as of "git archive", are passed over."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", pax_headers={"comment": "0123"}) as archive:
        for kind in (tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.FIFOTYPE, tarfile.CHRTYPE):
            member = header("lab_pkg-1.0/PKG-INFO", 0, kind)
            member.linkname = "l" * 200
            archive.addfile(member)
        archive.addfile(header("lab_pkg-1.0/PKG-INFO", len(METADATA)), io.BytesIO(METADATA))
    assert metadata(gzip.compress(file.getvalue()), SDIST) == METADATA


@pytest.mark.parametrize("kind", [tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE])
def test_sdist_with_sizes_that_mean_nothing(kind: bytes) -> None:
    """Old tars give links the size of what they lead to, yet no data follow."""
    tar = block("lab/x", 1000, kind) + block("lab/PKG-INFO", 512) + b"x" * 512
    assert metadata(gzip.compress(tar), SDIST) == b"x" * 512


def test_pax_header_is_for_one_member() -> None:
    """A path from a pax header names the next member, not the one after it."""
    record = b"22 path=lab/PKG-INFO2\n"
    extended = block("x", len(record), tarfile.XHDTYPE) + record.ljust(512, b"\0")
    tar = extended + block("lab/x", 0) + block("lab/PKG-INFO", 1) + b"x".ljust(512, b"\0")
    assert metadata(gzip.compress(tar), SDIST) == b"x"


def test_sdist_as_zip_and_egg() -> None:
    """The older kinds have it too."""
    files = ("lab_pkg-1.0/PKG-INFO", METADATA), ("EGG-INFO/x/PKG-INFO", b""), ("lab_pkg-1.0/a/PKG-INFO", b"")
    assert metadata(make_zip(*files), "lab_pkg-1.0.zip") == METADATA
    egg = make_zip(("EGG-INFO/PKG-INFO", METADATA), ("lab_pkg/PKG-INFO", b""))
    assert metadata(egg, "lab_pkg-1.0-py2.7.egg") == METADATA


def test_archives_without_metadata() -> None:
    """Installers have none, and old sdists and eggs may come without."""
    for filename in ("lab_pkg-1.0.win32.exe", "lab_pkg-1.0.win32-py2.7.msi", "lab_pkg-1.0.tar.Z"):
        assert metadata(b"not looked at", filename) is None
    assert metadata(gzip.compress(make_tar({"lab_pkg-1.0/setup.py": b""})), SDIST) is None
    assert metadata(make_zip(("lab_pkg-1.0/setup.py", b"")), "lab_pkg-1.0.zip") is None
    assert metadata(make_zip(("lab_pkg/x.py", b"")), "lab_pkg-1.0-py2.7.egg") is None


GOOD = {
    WHEEL: make_zip(("Lab_Pkg-1.0.dist-info/METADATA", METADATA), ("a.py", b"b" * 99)),
    "lab_pkg-1.0.zip": make_zip(("lab_pkg-1.0/PKG-INFO", METADATA)),
    "lab_pkg-1.0-py3.egg": make_zip(("EGG-INFO/PKG-INFO", METADATA)),
    **{
        "lab_pkg-1.0" + suffix: compress(make_tar({"lab/a": b"b" * 999, "lab/PKG-INFO": METADATA}))
        for suffix, compress in CODECS.items()
    },
}


@pytest.mark.parametrize("filename", GOOD)
def test_c160_archive_opens_as_its_type(filename: str) -> None:
    """An archive of another type, cut short, or empty is refused."""
    good = GOOD[filename]
    assert metadata(good, filename) == METADATA
    other = GOOD["lab_pkg-1.0.tar.gz" if good.startswith(b"PK") else WHEEL]
    for bad in (other, b"", b"x", good[: len(good) // 2], make_tar({"lab/PKG-INFO": METADATA}), METADATA):
        assert refusal(bad, filename) in (UNREADABLE, "the archive is empty")


def test_empty_tars() -> None:
    """A tar has members."""
    for tar in (b"", bytes(10240)):
        assert refusal(gzip.compress(tar), SDIST) == "the archive is empty"


@given(st.sampled_from(sorted(GOOD)), st.data())
def test_damaged_archive_is_read_or_refused(filename: str, data: st.DataObject) -> None:
    """Nothing but refusals comes of an archive with a few bytes changed, lost or added."""
    good = GOOD[filename]
    start = data.draw(st.integers(0, len(good)))
    stop = data.draw(st.integers(start, min(start + 8, len(good))))
    with suppress(InvalidArchive):
        metadata(good[:start] + data.draw(st.binary(max_size=8)) + good[stop:], filename)


@given(st.sampled_from([suffix for suffix in CODECS if suffix != ".tgz"]), st.data())
def test_damaged_tar_is_read_or_refused(suffix: str, data: st.DataObject) -> None:
    """Nothing but refusals comes of a tar whose headers are damaged, and their sums right."""
    tar = bytearray(make_tar({"lab/a": b"b" * 999, "lab/PKG-INFO": METADATA}))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(tar) // 512 - 1)) * 512
        offset = data.draw(st.sampled_from([0, 124, 130, 156, 257, 345, 482]))
        piece = data.draw(st.binary(min_size=1, max_size=12))
        tar[at + offset : at + offset + len(piece)] = piece
        tar[at + 148 : at + 156] = checksum(bytes(tar[at : at + 512]))
    with suppress(InvalidArchive):
        metadata(CODECS[suffix](bytes(tar)), "lab_pkg-1.0" + suffix)


def test_errors_of_the_disk_pass() -> None:
    """A file that cannot be read is not taken for a bad archive."""

    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            raise OSError(EIO, "I/O error")

    for filename, data in GOOD.items():
        with pytest.raises(OSError, match="I/O error"):
            core_metadata(Broken(data), parse_filename(filename))


def test_time_is_bounded() -> None:
    """Reading ends with the time for it."""
    for filename, data in GOOD.items():
        assert "seconds" in refusal(data, filename, -1)


class Measured:
    """Measures what a refusal costs in time and, which makes it slower, in memory."""

    def __init__(self, memory: bool = True) -> None:
        self.memory = memory
        self.peak = 0

    def __enter__(self) -> Measured:
        if self.memory:
            tracemalloc.start()
        self.started = thread_time()
        return self

    def __exit__(self, *error: object) -> None:
        self.seconds = thread_time() - self.started
        if self.memory:
            self.peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.parametrize("lie", [False, True])
def test_b199_huge_metadata(lie: bool) -> None:
    """METADATA of a gigabyte is refused within milliseconds, also if it says to be short."""
    deflate = zlib.compressobj(9, zlib.DEFLATED, -15)
    megabyte = bytes(1 << 20)
    data = b"".join(deflate.compress(megabyte) for _ in range(256)) + deflate.flush()
    name = b"Lab_Pkg-1.0.dist-info/METADATA"
    size = 100 if lie else 256 << 20
    common = struct.pack("<HHHHHIIIHH", 20, 0, 8, 0, 0, 0, len(data), size, len(name), 0)
    local = b"PK\3\4" + common + name + data
    central = b"PK\1\2" + b"\x14\0" + common + struct.pack("<HHHII", 0, 0, 0, 0, 0) + name
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(central), len(local), 0)
    with Measured() as cost:
        message = refusal(local + central + end, WHEEL)
    assert message == (UNREADABLE if lie else "the archive has metadata longer than 2000000 bytes")
    assert cost.seconds < 5
    assert cost.peak < 16 << 20


def test_metadata_as_long_as_may_be() -> None:
    """Two megabytes of metadata are given, one byte more is refused."""
    for extra in (0, 1):
        data = random.Random(0).randbytes(2_000_000 + extra)
        wheel = make_zip(("Lab_Pkg-1.0.dist-info/METADATA", data))
        sdist = gzip.compress(make_tar({"lab/PKG-INFO": data}), 1)
        for archive, filename in ((wheel, WHEEL), (sdist, SDIST)):
            if extra:
                assert "longer than 2000000" in refusal(archive, filename)
            else:
                assert metadata(archive, filename) == data


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_t36_other_compressions(compression: int) -> None:
    """What the standard library would inflate without bounds is refused."""
    wheel = make_zip(("Lab_Pkg-1.0.dist-info/METADATA", METADATA), compression=compression)
    assert "deflate" in refusal(wheel, WHEEL)


def directory_only(entries: int, zip64: bool = False, claimed: int = 1) -> bytes:
    """Make a zip of a directory with so many entries, which says it has but one."""
    entry = (
        b"PK\1\2" + struct.pack("<HHHHHHIIIHHHHHII", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0) + b"x"
    )
    central = entry * entries
    if not zip64:
        return central + b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, claimed, claimed, len(central), 0, 0)
    end64 = b"PK\6\6" + struct.pack("<QHHIIQQQQ", 44, 45, 45, 0, 0, claimed, claimed, len(central), 0)
    locator = b"PK\6\7" + struct.pack("<IQI", 0, len(central), 1)
    end = b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return central + end64 + locator + end


@pytest.mark.parametrize(
    ("entries", "zip64", "problem"),
    [(50_001, False, "more than 50000"), (65_000, False, "more than 50000"), (1_000_000, True, "too long")],
)
def test_b202_many_zip_members(entries: int, zip64: bool, problem: str) -> None:
    """Too many members are refused before they are listed, whatever number the zip claims."""
    archive = directory_only(entries, zip64)
    with Measured() as cost:
        assert problem in refusal(archive, WHEEL)
    assert cost.seconds < 5
    assert cost.peak < 16 << 20


@pytest.mark.slow
def test_fifty_thousand_zip_members() -> None:
    """Fifty thousand members are read, also those of a zip64."""
    for zip64 in (False, True):
        assert metadata(directory_only(50_000, zip64), "lab_pkg-1.0.zip") is None


@pytest.mark.slow
@pytest.mark.parametrize("sizes", [[2 << 30], [1 << 20] * 2048])
def test_b218_tar_bomb(sizes: list[int]) -> None:
    """A tar that inflates to more than two gigabytes is refused, at once if one member does."""
    megabyte = gzip.compress(bytes(1 << 20))
    bomb = b"".join(
        gzip.compress(block("lab/zeros", size)) + megabyte * min(size >> 20, 99) for size in sizes
    )
    with Measured(memory=len(sizes) == 1) as cost:
        assert refusal(bomb, SDIST, 60) == "the archive inflates to more than 2 GiB"
    assert len(sizes) > 1 or cost.seconds < 1
    assert cost.peak < 4 << 20


@pytest.mark.slow
def test_b219_many_tar_members() -> None:
    """A tar with more than fifty thousand members is refused, with fifty thousand it is read."""
    member = block("lab/x", 0)
    assert metadata(gzip.compress(member * 50_000, 1), SDIST) is None
    assert "more than 50000" in refusal(gzip.compress(member * 200_000, 1), SDIST, 60)


@pytest.mark.slow
def test_many_tar_members_take_no_memory() -> None:
    """Members, and the headers before them, are not kept."""
    member = block("x", 10, tarfile.GNUTYPE_LONGNAME) + b"lab/x\0".ljust(512, b"\0")
    archive = gzip.compress((member + block("lab/x", 0)) * 10_000, 1)
    with Measured() as cost:
        assert metadata(archive, SDIST) is None
    assert cost.peak < 1 << 20


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.SOLARIS_XHDTYPE])
def test_b220_long_tar_headers(kind: bytes) -> None:
    """A header of 200 MB is refused before it is read."""
    bomb = gzip.compress(block("x", 200 << 20, kind)) + gzip.compress(bytes(1 << 20)) * 200
    with Measured() as cost:
        assert "header longer than 1000000" in refusal(bomb, SDIST)
    assert cost.seconds < 5
    assert cost.peak < 4 << 20


@pytest.mark.slow
@pytest.mark.parametrize(
    "payload",
    [
        b"1" * 1_000_000,
        b"6 a=b\n" * 166_666,
        b"0 path=x\n",
        b"-9 path=x\n",
        b"99 path=x\n",
        b"x" * 100,
        b"13 size=-9999\n",
        b"",
    ],
)
def test_b221_malformed_pax_headers(payload: bytes) -> None:
    """Headers that are malformed, or made to be slow, are read or refused fast."""
    tar = block("x", len(payload), tarfile.XHDTYPE) + payload + bytes(-len(payload) % 512)
    archive = gzip.compress((tar + block("lab/PKG-INFO", 0)) * 3)
    with Measured() as cost, suppress(InvalidArchive):
        assert metadata(archive, SDIST) == b""
    assert cost.seconds < 20
    assert cost.peak < 8 << 20


@pytest.mark.parametrize(
    "kind", [tarfile.REGTYPE, tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGLINK]
)
@pytest.mark.parametrize("size", [-1, -512, -(1 << 80), 1 << 80, 1 << 40])
def test_b221_negative_and_huge_sizes(kind: bytes, size: int) -> None:
    """A size that is negative, or far beyond the end, leads nowhere: neither back nor round."""
    archive = gzip.compress(block("lab/x", size, kind) + block("lab/x", 0) * 100)
    with Measured() as cost:
        refusal(archive, SDIST)
    assert cost.seconds < 10
    assert cost.peak < 4 << 20


def test_t37_sparse_members() -> None:
    """A tar with a sparse member is refused."""
    assert "sparse" in refusal(gzip.compress(block("lab/x", 0, tarfile.GNUTYPE_SPARSE)), SDIST)


def test_t37_xz_memory_is_bounded() -> None:
    """An xz may want the memory that "xz -9" does, not much more."""
    tar = make_tar({"lab/PKG-INFO": METADATA})
    assert metadata(lzma.compress(tar, preset=9), "lab_pkg-1.0.tar.xz") == METADATA
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 192 << 20}]
    assert refusal(lzma.compress(tar, filters=filters), "lab_pkg-1.0.tar.xz") == UNREADABLE


class Counting(io.BytesIO):
    """Counts how often it is read, and how much."""

    calls = count = 0

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.calls += 1
        self.count += len(data)
        return data


@pytest.mark.parametrize("rest", [b"", b"\0" + gzip.compress(b"")[10:]])
@pytest.mark.parametrize(("flag", "name"), [(8, b""), (16, b""), (4, b"\xff\xff")])
def test_fault_c3_long_gzip_headers(flag: int, name: bytes, rest: bytes) -> None:
    """A name, a comment or an extra field that is long is refused, and not read byte by byte."""
    file = Counting(b"\x1f\x8b\x08" + bytes([flag]) + bytes(6) + name + b"x" * 6_000_000 + rest)
    with pytest.raises(InvalidArchive, match="header of its compression that is too long"):
        core_metadata(file, parse_filename(SDIST))
    assert file.calls < 5
    assert file.count <= 1 << 16


def test_gzip_headers_as_they_are() -> None:
    """With a name, a comment, an extra field and a checksum of its own, all of some length."""
    tar = make_tar({"lab/PKG-INFO": METADATA})
    head = b"\x1f\x8b\x08" + bytes([2 | 4 | 8 | 16]) + bytes(6) + struct.pack("<H", 1000) + b"e" * 1000
    head += b"n" * 1000 + b"\0" + b"c" * 1000 + b"\0"
    head += struct.pack("<H", zlib.crc32(head) & 0xFFFF)
    assert metadata(head + gzip.compress(tar)[10:], SDIST) == METADATA


@pytest.mark.parametrize("suffix", CODECS)
def test_fault_c3_many_streams(suffix: str) -> None:
    """Compressed data may be in many pieces, but not in any number of them."""
    piece = CODECS[suffix](b"")
    archive = piece * 60_000 + CODECS[suffix](make_tar({"lab/x": b"x"}))
    assert "more than 50000 pieces" in refusal(archive, "lab_pkg-1.0" + suffix)


@pytest.mark.slow
def test_fault_c3_extended_headers_are_counted() -> None:
    """So are the records in them; there may be more than one for each member, and no endless number."""
    record = b"6 a=b\n" * 100_000
    pax = block("x", len(record), tarfile.XHDTYPE) + record.ljust(-(-len(record) // 512) * 512, b"\0")
    assert "more than 500000 records" in refusal(gzip.compress((pax + block("lab/x", 0)) * 6), SDIST)
    everywhere = block("x", 6, tarfile.XGLTYPE) + b"6 a=b\n".ljust(512, b"\0")
    assert "more than 1000 headers for all" in refusal(gzip.compress(everywhere * 1_001), SDIST)
    small = block("x", 6, tarfile.XHDTYPE) + b"6 a=b\n".ljust(512, b"\0")
    assert "twice" in refusal(gzip.compress(small * 100_000, 1), SDIST)
    assert metadata(gzip.compress((small + block("lab/x", 0)) * 20_000, 1), SDIST) is None


def test_reads_no_further_than_the_metadata() -> None:
    """Of a large sdist only the beginning is read."""

    tar = make_tar({"lab/PKG-INFO": METADATA, "lab/x": random.Random(0).randbytes(3_000_000)})
    file = Counting(gzip.compress(tar, 1))
    assert core_metadata(file, parse_filename(SDIST)) == METADATA
    assert file.count < 500_000
