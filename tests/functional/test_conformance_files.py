"""Conformance, section F: files, and the metadata beside them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from hashlib import sha256

import pytest
from harness.conformance import LiveIndex, Published, live_index

from pypid.testing.builds import attestation, core_metadata, sdist, wheel

KINDS = ("sample-1.0-py3-none-any.whl", "sample-1.0.tar.gz", "sample-0.9.zip")
INTEGRITY = "application/vnd.pypi.integrity.v1+json"
kinds = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveIndex]:
    """Yield an index with a wheel, an sdist and an old sdist of one project."""
    with live_index(tmp_path_factory.mktemp("files")) as index:
        index.publish(*wheel("sample", "1.0", payload=bytes(range(256)) * 256))
        index.publish(*sdist("sample", "1.0", payload=bytes(range(256)) * 256))
        index.drop("sample", "sample-0.9.zip", b"PK or not, these are the bytes\n" * 64)
        yield index


@pytest.fixture
def file(index: LiveIndex) -> Published:
    """Return the wheel."""
    return published(index, KINDS[0])


def published(index: LiveIndex, filename: str) -> Published:
    """Return one of the files with the bytes that lie in the tree."""
    return Published("sample", filename, (index.simple_directory / "sample" / filename).read_bytes())


@kinds
def test_c080_bytes_are_those_that_were_uploaded(index: LiveIndex, kind: str) -> None:
    """A download is the very bytes that were uploaded, of the digest and size that the page names."""
    entry, answer = index.entry("sample", kind), index.get(index.path("sample", kind))
    assert answer.body == published(index, kind).content
    assert sha256(answer.body).hexdigest() == entry["hashes"]["sha256"]
    assert len(answer.body) == entry["size"]


@kinds
@pytest.mark.parametrize("coding", ["gzip", "gzip, deflate, br, zstd", "*", "identity", "identity;q=0"])
def test_c081_files_are_never_encoded(index: LiveIndex, kind: str, coding: str) -> None:
    """No file has a `Content-Encoding`, whatever the client accepts."""
    answer = index.get(published(index, kind).path, Accept_Encoding=coding)
    assert answer.headers["Content-Encoding"] is None
    assert answer.body == published(index, kind).content


@kinds
def test_c082_files_are_binary(index: LiveIndex, kind: str) -> None:
    """The type of a file is a binary one, which no browser shows as a page."""
    answer = index.get(published(index, kind).path)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@kinds
def test_c083_length_is_exact(index: LiveIndex, kind: str) -> None:
    """`Content-Length` is the length of the file, for GET and for HEAD."""
    file = published(index, kind)
    for method in ("GET", "HEAD"):
        assert index.request(method, file.path).headers["Content-Length"] == str(len(file.content))


def test_c084_head(index: LiveIndex, file: Published) -> None:
    """HEAD answers 200 and says that ranges are served; there is no body."""
    answer = index.request("HEAD", file.path)
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers["Accept-Ranges"] == "bytes"


@pytest.mark.parametrize(("first", "last"), [(0, 0), (0, 99), (100, 1000), (65_000, None), (5, 10**9)])
def test_c085_ranges(index: LiveIndex, file: Published, first: int, last: int | None) -> None:
    """`bytes=a-b` and `bytes=a-` give 206 with those bytes, and say which they are."""
    total = len(file.content)
    stop = total if last is None else min(last + 1, total)
    answer = index.get(file.path, Range=f"bytes={first}-{'' if last is None else last}")
    assert (answer.status, answer.body) == (206, file.content[first:stop])
    assert answer.headers["Content-Range"] == f"bytes {first}-{stop - 1}/{total}"
    assert answer.headers["Content-Length"] == str(stop - first)


@pytest.mark.parametrize("count", [1, 100, 10_000, 10**9])
def test_c086_last_bytes(index: LiveIndex, file: Published, count: int) -> None:
    """`bytes=-N` gives the last N bytes, or all if there are fewer."""
    total = len(file.content)
    answer = index.get(file.path, Range=f"bytes=-{count}")
    assert answer.body == file.content[-min(count, total) :]
    if answer.status != 200:
        assert answer.status == 206
        assert answer.headers["Content-Range"] == f"bytes {total - len(answer.body)}-{total - 1}/{total}"


@pytest.mark.parametrize("asked", ["bytes=99999999-", "bytes=99999999-999999999999999999", "bytes=-0"])
def test_c087_no_such_range_is_416(index: LiveIndex, file: Published, asked: str) -> None:
    """A range outside the file is a 416 that tells the length."""
    answer = index.get(file.path, Range=asked)
    assert answer.status == 416
    assert answer.headers["Content-Range"] == f"bytes */{len(file.content)}"


@pytest.mark.parametrize(
    "asked", ["bytes", "bytes=", "bytes=a-b", "bytes=9-1", "lines=1-2", "bytes=--1", "bytes=1"]
)
def test_c087_malformed_range_is_passed_over(index: LiveIndex, file: Published, asked: str) -> None:
    """A malformed range is passed over."""
    answer = index.get(file.path, Range=asked)
    assert (answer.status, answer.body) == (200, file.content)


def test_c088_if_range(index: LiveIndex, file: Published) -> None:
    """`If-Range` with the file's entity tag gives the range, with another the whole."""
    etag = index.get(file.path).headers["ETag"]
    same = index.get(file.path, Range="bytes=0-9", If_Range=etag)
    other = index.get(file.path, Range="bytes=0-9", If_Range='"other"')
    assert (same.status, same.body) == (206, file.content[:10])
    assert (other.status, other.body) == (200, file.content)


def test_c089_several_ranges(index: LiveIndex, file: Published) -> None:
    """Several ranges at once are passed over, or answered in parts."""
    answer = index.get(file.path, Range="bytes=0-9,20-29")
    if answer.status == 200:
        assert answer.body == file.content
    else:
        assert answer.status == 206
        assert answer.headers.get_content_type() == "multipart/byteranges"
        assert file.content[20:30] in answer.body


def test_c090_metadata_is_the_wheels_own(index: LiveIndex) -> None:
    """`.metadata` is the wheel's METADATA, byte for byte, for every file that advertises it."""
    name, content = wheel("described", "1.0", requires_python=">=3.8", requires_dist=["sample>=1"])
    index.publish(name, content)
    answer = index.get(f"{index.path('described', name)}.metadata")
    assert answer.body == core_metadata("described", "1.0", ">=3.8", ["sample>=1"])
    digest = index.entry("described", name)["core-metadata"]["sha256"]
    assert sha256(answer.body).hexdigest() == digest


def test_c091_metadata_of_every_wheel(index: LiveIndex) -> None:
    """Every wheel has it, also one that was copied into the tree."""
    dropped = index.drop("dropped", *wheel("dropped", "1.0"))
    assert index.entry("dropped", dropped.filename)["core-metadata"]
    assert index.get(f"{dropped.path}.metadata").body == core_metadata("dropped", "1.0")


def test_c092_no_metadata_of_an_old_sdist(index: LiveIndex) -> None:
    """An sdist has it only where its PKG-INFO may be trusted, from metadata version 2.2 on."""
    assert not index.entry("sample", "sample-1.0.tar.gz").get("core-metadata")
    assert index.get("/packages/sample/sample-1.0.tar.gz.metadata").status == 404


@kinds
def test_c093_metadata_is_beside_the_file(index: LiveIndex, kind: str) -> None:
    """It is at the file's path plus `.metadata`, and the path needs no query."""
    entry = index.entry("sample", kind)
    assert "?" not in entry["url"]
    if entry.get("core-metadata"):
        assert index.get(f"{index.path('sample', kind)}.metadata").status == 200


def test_c094_urls_are_for_life(index: LiveIndex) -> None:
    """What a URL answers never changes: other bytes of the same name are refused."""
    file = index.publish_wheel("fixed")
    answer = index.upload(*wheel("fixed", "1.0", payload=b"other"))
    assert answer.status == 409
    assert b"already exists" in answer.body
    assert index.get(file.path).body == file.content


def test_c095_removed_names_do_not_come_back(index: LiveIndex) -> None:
    """A removed file's name is not to be had for other bytes; the same ones may return."""
    file = index.publish_wheel("lost")
    index.remove(file.project, file.filename)
    assert index.get(file.path).status == 404
    answer = index.upload(*wheel("lost", "1.0", payload=b"other"))
    assert answer.status == 409
    assert re.search(rb"File already exists.*removed", answer.body)
    assert index.get(file.path).status == 404
    index.publish(file.filename, file.content)
    assert index.get(file.path).body == file.content


def test_c097_provenance(index: LiveIndex) -> None:
    """`.provenance` beside a file answers with its provenance, in a type that the client accepts."""
    filename, content = wheel("attested", "1.0")
    document = attestation(filename, content)
    assert index.upload(filename, content, attestations=json.dumps([document])).status == 200
    path = f"/packages/attested/{filename}.provenance"
    for accept in (INTEGRITY, "application/json", "*/*", None):
        answer = index.get(path, accept)
        assert json.loads(answer.body)["attestation_bundles"][0]["attestations"] == [document]
        expected = accept if accept and "*" not in accept else INTEGRITY
        assert (answer.status, answer.headers["Content-Type"]) == (200, expected)
    assert index.get(path, "text/html").status == 406
    assert index.get(f"/integrity/attested/1.0/{filename}/provenance").body == answer.body
    index.publish_wheel("attested", "1.1")
    assert index.get("/packages/attested/attested-1.1-py3-none-any.whl.provenance").status == 404
