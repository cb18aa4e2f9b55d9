"""Conformance, section K: checks of uploaded files."""

from __future__ import annotations

import gzip
import os
import socket
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZipFile

import pytest
from harness.archives import zipped
from harness.conformance import LiveIndex, live_index
from harness.forms import encode, upload_parts

from pypid.testing.builds import core_metadata, sdist, wheel

MEGABYTE = 1024 * 1024
MAX_UPLOAD = 4 * MEGABYTE
LONG_AGO = datetime(2020, 5, 17, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index that takes no more than so many bytes."""
    with live_index(tmp_path_factory.mktemp("checks"), "--max-upload", str(MAX_UPLOAD)) as index:
        yield index


@pytest.fixture
def index(running: LiveIndex) -> Iterator[LiveIndex]:
    """Yield the index; however the test ended, nothing is left that was not published."""
    yield running
    listed = {file for project in running.projects() for file in running.files(project)}
    assert {path.name for path in running.tree() if path.name.endswith((".whl", ".gz", ".zip"))} == listed


@pytest.mark.parametrize("kind", ["wheel", "sdist"])
def test_c159_metadata_inside(index: LiveIndex, kind: str) -> None:
    """Project and version are those inside the archive, and its `Requires-Python` beats the form's."""
    make, name = (wheel, "in-wheel") if kind == "wheel" else (sdist, "in-sdist")
    filename, _ = make(name, "1.0")
    for field, other, version in (("name", "outside", "1.0"), ("version", name, "1.1")):
        _, content = sdist(other, version)
        if kind == "wheel":
            _, content = wheel(name, "1.0", metadata=core_metadata(other, version))
        answer = index.upload(filename, content)
        assert (answer.status, answer.reason.split(":")[0]) == (400, field)
    filename, content = make(name, "1.0", requires_python=">=3.9")
    answer = index.upload(filename, content, requires_python=">=3.6")
    assert (answer.status, answer.text.partition(":")[0]) == (400, "requires_python")
    assert index.upload(filename, content, requires_python="").status == 200
    assert index.entry(name, filename)["requires-python"] == ">=3.9"


@pytest.mark.parametrize(
    ("filename", "content"),
    [
        ("opens-1.0-py3-none-any.whl", b"no archive"),
        ("opens-1.0-py3-none-any.whl", b""),
        ("opens-1.0-py3-none-any.whl", sdist("opens", "1.0")[1]),
        ("opens-1.0-py3-none-any.whl", wheel("opens", "1.0")[1][:-30]),
        ("opens-1.0-py3-none-any.whl", zipped({"opens/__init__.py": b""})),
        ("opens-1.0-py3-none-any.whl", wheel("opens", "1.1")[1]),
        ("opens-1.0.tar.gz", b"no archive"),
        ("opens-1.0.tar.gz", b""),
        ("opens-1.0.tar.gz", gzip.compress(b"")),
        ("opens-1.0.tar.gz", gzip.compress(b"no tar at all" * 100)),
        ("opens-1.0.tar.gz", wheel("opens", "1.0")[1]),
    ],
    ids=[
        *("nonsense-wheel", "empty-wheel", "sdist-as-wheel", "cut-wheel", "without", "of-another"),
        *("nonsense-sdist", "empty-sdist", "empty-gzip", "no-tar", "wheel-as-sdist"),
    ],
)
def test_c160_archives_open(index: LiveIndex, filename: str, content: bytes) -> None:
    """An archive opens as what its name says, and a wheel has its metadata."""
    answer = index.upload(filename, content)
    assert (answer.status, answer.reason.split(":")[0]) == (400, "content")
    assert index.files("opens") == set()


def test_c161_reading_is_bounded(index: LiveIndex) -> None:
    """What inflates to too much, or has too many members, is refused, and nothing is unpacked."""
    large = core_metadata("bounded", "1.0") + b"x" * 3_000_000
    assert index.upload(*wheel("bounded", "1.0", metadata=large)).status == 400
    member = tarfile.TarInfo("bounded-1.0/x").tobuf()
    content = gzip.compress(member * 50_001, 1)
    assert index.upload("bounded-1.0.tar.gz", content).status == 400
    assert index.files("bounded") == set()


def test_c162_metadata_twice(index: LiveIndex) -> None:
    """A zip file that has its metadata more than once, so that readers may differ, is refused."""
    filename, content = wheel("twice", "1.0")
    archive = BytesIO(content)
    with ZipFile(archive, "a") as more, pytest.warns(UserWarning, match="Duplicate"):
        more.writestr("twice-1.0.dist-info/METADATA", core_metadata("twice", "1.0", ">=3.99"))
    assert index.upload(filename, archive.getvalue()).status == 400


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6"])
def test_c164_versions_of_metadata(index: LiveIndex, version: str) -> None:
    """Core metadata of all versions up to 2.6 are taken."""
    metadata = core_metadata("described", version).replace(b"Version: 2.1", f"Version: {version}".encode(), 1)
    filename, content = wheel("described", version, metadata=metadata)
    assert index.upload(filename, content, metadata_version=version).status == 200
    assert index.get(index.path("described", filename) + ".metadata").body == metadata


def test_c170_old_releases_take_new_files(index: LiveIndex) -> None:
    """A release takes new files after any time."""
    filename, content = wheel("lasting", "1.0")
    index.publish(filename, content)
    path = index.simple_directory / "lasting" / filename
    os.utime(path, (LONG_AGO, LONG_AGO))
    index.publish(*sdist("lasting", "1.0"))
    index.publish("lasting-1.0-1-py3-none-any.whl", content)
    assert len(index.files("lasting")) == 3


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_c171_size_is_limited_while_it_comes(index: LiveIndex, chunked: bool) -> None:
    """What is too large is refused before it is there, also if nobody says how long it will be."""
    headers, body = encode(upload_parts(*wheel("oversized", "1.0", payload=bytes(8 * MAX_UPLOAD))))
    lines = {"Host": "x", **headers, **index.credentials}
    lines |= {"Transfer-Encoding": "chunked"} if chunked else {"Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection(("127.0.0.1", index.daemon.port), timeout=10) as connection:
        connection.sendall(f"POST /legacy/ HTTP/1.1\r\n{head}\r\n".encode())
        with suppress(ConnectionError):
            for start in range(0, MAX_UPLOAD + MEGABYTE if chunked else 1000, 1000):
                block = body[start : start + 1000]
                connection.sendall(b"%x\r\n%b\r\n" % (len(block), block) if chunked else block)
        received = connection.recv(65536)
    assert received.startswith(b"HTTP/1.1 413 "), received
    assert index.files("oversized") == set()


def test_c172_refused_uploads_leave_nothing(index: LiveIndex) -> None:
    """A refused upload leaves no file, no project, no release, and nothing staged."""
    index.publish(*wheel("kept", "1.0"))
    before, known = index.tree(), index.projects()
    filename, content = wheel("gone", "1.0", payload=bytes(MEGABYTE))
    headers, body = encode(upload_parts(filename, content))
    refused = [
        index.upload(filename, content, sha256_digest="0" * 64),
        index.upload(filename, content[:-100]),
        index.upload(filename, content, version="2.0"),
        index.upload(*wheel("kept", "1.0", payload=b"x")),
        index.upload(*wheel("kept", "2.0"), name="gone"),
        index.request("POST", "/legacy/", {**headers, **index.credentials}, body[:-10]),
        index.request("POST", "/legacy/", headers, body),
    ]
    assert [answer.status for answer in refused] == [400, 400, 400, 409, 400, 400, 401]
    assert (index.tree(), index.projects()) == (before, known)
    assert index.json("kept")["versions"] == ["1.0"]
    assert index.upload(filename, content).status == 200
