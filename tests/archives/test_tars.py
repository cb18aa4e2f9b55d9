"""Tars as Python's ``tarfile`` reads them: pip reads the accepted ones in the same way."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import subprocess
import tarfile
from contextlib import suppress
from pathlib import Path
from tarfile import DIRTYPE, GNUTYPE_LONGLINK, GNUTYPE_LONGNAME, LNKTYPE, REGTYPE, SYMTYPE, XGLTYPE, XHDTYPE

import pytest
from harness import forgery
from harness.forgery import SDIST, pax, tar_block, tar_file
from hypothesis import event, given, settings
from hypothesis import strategies as st

from pypid.archives import core_metadata, inspect
from pypid.archives.bounds import Source
from pypid.archives.compression import inflated
from pypid.archives.tars import members
from pypid.errors import InvalidArchive
from pypid.names import parse_filename

TOP = "evil-1.0"
MEMBER = tar_file(f"{TOP}/x", b"x")
EXAMPLES = int(os.environ.get("PYPID_TAR_EXAMPLES", "300"))


def refusal(archive: bytes, filename: str = SDIST) -> str:
    with pytest.raises(InvalidArchive) as caught:
        inspect(io.BytesIO(archive), parse_filename(filename))
    return str(caught.value)


def raw(kind: bytes, data: bytes, *, size: int | None = None, padding: bytes = b"") -> bytes:
    """Write an extended header as it comes."""
    padded = data + padding[: -len(data) % 512]
    return tar_block("raw", len(data) if size is None else size, kind) + padded + bytes(-len(padded) % 512)


def long_name(name: str) -> bytes:
    return raw(GNUTYPE_LONGNAME, name.encode() + b"\0")


def long_link(name: str) -> bytes:
    return raw(GNUTYPE_LONGLINK, name.encode() + b"\0")


def patched(block: bytes, offset: int, data: bytes) -> bytes:
    """Change a header, and make its checksum right."""
    block = block[:offset] + data + block[offset + len(data) :]
    total = sum(block[:512]) - sum(block[148:156]) + 8 * 32
    return block[:148] + b"%06o\0 " % total + block[156:]


LINK = tar_block(f"{TOP}/y", 0, SYMTYPE, "x")
TWICE = "says the same of a member twice"
EVIL = "evil-1.0/../../evil.py"


@pytest.mark.parametrize(
    ("headers", "said"),
    [
        (pax("path", EVIL) + pax("path", f"{TOP}/a"), TWICE),
        (pax("mtime", "1.5") + pax("path", f"{TOP}/a"), TWICE),
        (pax("path", EVIL, tarfile.SOLARIS_XHDTYPE) + pax("path", f"{TOP}/a"), TWICE),
        (long_name(EVIL) + pax("path", f"{TOP}/a"), TWICE),
        (pax("path", EVIL) + long_name(f"{TOP}/a"), TWICE),
        (long_name(EVIL) + long_name(f"{TOP}/a"), TWICE),
        (long_link("/etc/passwd") + long_link("x"), TWICE),
        (long_link("/etc/passwd") + pax("linkpath", "x"), TWICE),
        (pax("size", "0") + pax("size", "1"), TWICE),
        (raw(XHDTYPE, b"10 size=0\n10 size=1\n"), TWICE),
        (raw(XHDTYPE, b"13 path=evil\n10 path=a\n"), TWICE),
        (raw(XHDTYPE, b"9 path=a\n8 path=\n"), TWICE),
        (pax("size", "512"), "two sizes of one member"),
        (pax("path", f"{TOP}/a") + pax("comment", "x", XGLTYPE), "between a member and its own"),
        (raw(XHDTYPE, b"16 comment=xxxx\n", padding=b"24 path=evil-1.0/evil.py\n"), "malformed header"),
        (raw(GNUTYPE_LONGNAME, b"evil-1.0/a", padding=b"/evil.py"), "malformed header"),
        (raw(GNUTYPE_LONGNAME, b"evil-1.0/a\0/evil.py"), "malformed header"),
        (raw(GNUTYPE_LONGNAME, b"\0"), "malformed header"),
        (raw(XHDTYPE, b"+10 path=a\n"), "malformed header"),
        (raw(XHDTYPE, b"1_0 path=a\n"), "malformed header"),
        (raw(XHDTYPE, b"9 path=aa9 path=b\n"), "malformed header"),
        (raw(XHDTYPE, b"12 size=1_0\n"), "malformed header"),
    ],
)
def test_fault_c1_what_two_readers_understand_in_two_ways(headers: bytes, said: str) -> None:
    """Of two names for one member, tarfile believes the first, and GNU tar the last."""
    assert said in refusal(forgery.sdist(headers + MEMBER))


@pytest.mark.parametrize("end", [b"", bytes(1024)])
@pytest.mark.parametrize("header", [pax("path", "a"), long_name("a"), long_link("a"), pax("mtime", "1")])
def test_fault_c1_a_header_that_no_member_follows(header: bytes, end: bytes) -> None:
    assert "no member follows" in refusal(forgery.sdist(header, end=end))
    # Also where the archive already lies in the tree, and only its metadata are wanted.
    archive = gzip.compress(MEMBER + header + end)
    with pytest.raises(InvalidArchive, match="no member follows"):
        core_metadata(io.BytesIO(archive), parse_filename(SDIST))


def test_fault_c1_metadata_of_a_file_in_the_tree() -> None:
    """The PKG-INFO that pypid would show is not the one that pip sees."""
    shown = long_name(f"{TOP}/PKG-INFO")
    archive = forgery.sdist(long_name(f"{TOP}/x") + shown + MEMBER, pkg_info=b"")
    with pytest.raises(InvalidArchive, match=TWICE):
        core_metadata(io.BytesIO(archive), parse_filename(SDIST))


@pytest.mark.parametrize(
    ("member", "said"),
    [
        (tar_block(f"{TOP}/d/", 512, DIRTYPE) + MEMBER, "no file and has a size"),
        (tar_block(f"{TOP}/y", 512, SYMTYPE, "x") + MEMBER, "no file and has a size"),
        (long_name(f"{TOP}/x/") + tar_block(f"{TOP}/y"), "named as a directory"),
        (patched(MEMBER, 345, b"evil"), "not all see under one name"),
        (patched(MEMBER, 124, b"0o000000001\0"), "malformed header"),
        (patched(MEMBER, 108, b"spam\0"), "malformed header"),
    ],
)
def test_fault_c1_other_places_where_readers_differ(member: bytes, said: str) -> None:
    assert said in refusal(forgery.sdist(member))


@pytest.mark.parametrize("suffix", [".tar.gz", ".tar.bz2", ".tar.xz"])
def test_fault_c1_a_second_stream_is_a_part_of_the_archive(suffix: str) -> None:
    """Python's readers go on to it, so what is in it counts."""
    compress = {".tar.gz": gzip.compress, ".tar.bz2": bz2.compress, ".tar.xz": lzma.compress}[suffix]
    archive = compress(forgery.PKG_INFO) + compress(tar_file(EVIL, b"x") + forgery.TAR_END)
    assert "dangerous name" in refusal(archive, f"evil-1.0{suffix}")
    with pytest.raises(InvalidArchive):
        inspect(io.BytesIO(compress(forgery.PKG_INFO) + b"junk"), parse_filename(f"evil-1.0{suffix}"))
    inspect(io.BytesIO(compress(forgery.PKG_INFO) + bytes(512)), parse_filename(f"evil-1.0{suffix}"))


DEEP = "/".join(["d" * 60] * 4)


@pytest.mark.parametrize("style", [tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_what_tarfile_writes_for_long_names(style: int) -> None:
    file = io.BytesIO()
    headers = {"comment": "0123"}
    with tarfile.open(fileobj=file, mode="w:gz", format=style, pax_headers=headers) as archive:
        for name, kind, target in [
            (f"{TOP}/{DEEP}", DIRTYPE, ""),
            (f"{TOP}/{DEEP}/größe", REGTYPE, ""),
            (f"{TOP}/{DEEP}/hard", LNKTYPE, f"{TOP}/{DEEP}/größe"),
            (f"{TOP}/{DEEP}/soft", SYMTYPE, "größe" * 40),
            (f"{TOP}/PKG-INFO", REGTYPE, ""),
        ]:
            member = tarfile.TarInfo(name)
            member.type, member.linkname, member.mtime = kind, target, 1234567890.125
            data = forgery.MEMBERS[f"{forgery.INFO}/METADATA"] if name.endswith("INFO") else b""
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    inspection = inspect(io.BytesIO(file.getvalue()), parse_filename(SDIST))
    assert list(inspection.oddities) == ["the archive has links"]


@pytest.mark.parametrize(
    "options",
    [
        ["--format=gnu"],
        ["--format=oldgnu"],
        ["--format=posix"],
        ["--format=posix", "--pax-option=comment=hello,exthdr.name=%d/%f"],
        ["--format=gnu", "--mtime=@-5"],
    ],
)
def test_what_gnu_tar_writes_for_long_names(options: list[str], tmp_path: Path) -> None:
    directory = tmp_path / TOP / DEEP
    directory.mkdir(parents=True)
    (directory / ("n" * 120)).write_bytes(b"x" * 700)
    os.link(directory / ("n" * 120), directory / ("h" * 120))
    (directory / ("s" * 120)).symlink_to("n" * 120)
    (tmp_path / TOP / "PKG-INFO").write_bytes(forgery.MEMBERS[f"{forgery.INFO}/METADATA"])
    made = subprocess.run(["tar", "-cz", *options, TOP], cwd=tmp_path, check=True, capture_output=True)
    inspection = inspect(io.BytesIO(made.stdout), parse_filename(SDIST))
    assert list(inspection.oddities) == ["the archive has links"]


_paths = st.sampled_from([f"{TOP}/a", f"{TOP}/b", f"{TOP}/PKG-INFO", f"{TOP}/c/", "../x", "", TOP, "ä", "/"])
_records = st.tuples(
    st.sampled_from(["path", "linkpath", "size", "mtime", "GNU.sparse.name", "hdrcharset", "comment", "uid"]),
    _paths | st.sampled_from(["0", "1", "512", "513", " 1", "-1", "1_0", "BINARY"]),
).map(lambda record: pax(*record)[512:].rstrip(b"\0"))
_extended = st.one_of(
    _paths.map(long_name),
    _paths.map(long_link),
    st.builds(
        raw,
        st.sampled_from([XHDTYPE, XHDTYPE, tarfile.SOLARIS_XHDTYPE, XGLTYPE]),
        st.lists(_records, max_size=3).map(b"".join),
        padding=st.sampled_from([b"", b"", b"", b"13 path=evil\n", b"\0" * 9 + b"9 path=a\n"]),
    ),
    st.builds(
        raw,
        st.sampled_from([GNUTYPE_LONGNAME, GNUTYPE_LONGLINK]),
        st.binary(max_size=20),
        size=st.sampled_from([None, None, 0, 5, 512]),
        padding=st.binary(max_size=10),
    ),
)


@st.composite
def _members(draw: st.DrawFn) -> bytes:
    """Make a member with headers before it, mostly right."""
    kind = draw(
        st.sampled_from([REGTYPE] * 6 + [DIRTYPE, tarfile.AREGTYPE, SYMTYPE, LNKTYPE, tarfile.CONTTYPE])
    )
    data = draw(st.sampled_from([b"", b"x", b"y" * 512, MEMBER])) if kind in tarfile.REGULAR_TYPES else b""
    name, target = draw(_paths), draw(_paths) if kind in (SYMTYPE, LNKTYPE) else ""
    block = tar_block(name, len(data), kind, target)
    if draw(st.integers(0, 5)) == 5:
        offset = draw(st.sampled_from([100, 108, 124, 130, 136, 156, 257, 263, 329, 345]))
        block = patched(
            block, offset, draw(st.sampled_from([b"evil", b"\0", b" 7 ", b"\x80", b"ustar\0", b"8"]))
        )
    return b"".join(draw(st.lists(_extended, max_size=2))) + block + data + bytes(-len(data) % 512)


@pytest.mark.slow
@settings(max_examples=EXAMPLES, deadline=None)
@given(st.lists(_members(), min_size=1, max_size=4), st.sampled_from([b"", bytes(512), bytes(1024)]))
def test_fault_c1_what_is_taken_tarfile_reads_alike(parts: list[bytes], end: bytes) -> None:
    """Each name, each target, each size, each byte."""
    archive = gzip.compress(b"".join(parts) + end, 1)
    seen = _read(archive)
    if seen is not None:
        event(f"taken, {len(seen)} members")
        assert seen == _read_by_tarfile(archive)


def _read(archive: bytes) -> list[tuple[str, str, bytes, int, bytes]] | None:
    seen = []
    with suppress(InvalidArchive, EOFError, ValueError):
        stream = inflated(Source(io.BytesIO(archive), 60), SDIST)
        assert stream is not None
        for member in members(stream):
            data = member.read() if member.is_file else b""
            seen.append((member.path.strip("/"), member.target, member.kind, member.size, data))
        return seen if stream.is_all_zeros() else None
    return None


def _read_by_tarfile(archive: bytes) -> list[tuple[str, str, bytes, int, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(archive), mode="r:gz") as found:
        return [
            (
                member.name.strip("/"),
                member.linkname,
                member.type,
                member.size,
                found.extractfile(member).read() if member.isreg() else b"",  # type: ignore[union-attr]
            )
            for member in found
        ]
