"""The caches of upstreams on disk."""

from __future__ import annotations

import json
import os
import time
from hashlib import sha256
from pathlib import Path

import pytest

from pypid.cli.caches import LEFT, Cache, caches
from pypid.cli.upstreams import settings_of
from pypid.errors import ConfigurationError
from pypid.model import File, Project
from pypid.names import parse_filename
from pypid.upstream.pages import write_page

DATA = b"x" * 1000


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Return a cache with a page, two files of it, metadata, and a file with a pin alone."""
    directory = tmp_path / ".pypid" / "cache" / "main"
    files = directory / "files" / "foo"
    files.mkdir(parents=True)
    (directory / "pages").mkdir()
    described = []
    for number, filename in enumerate(("foo-1.0.tar.gz", "foo-2.0-py3-none-any.whl")):
        name = parse_filename(filename)
        hashes = {"sha256": sha256(DATA).hexdigest()}
        url = f"https://files.example.org/{filename}"
        metadata = sha256(b"Name: foo").hexdigest() if number else None
        described.append(
            File(filename, name.version, name.kind, 1000, hashes, None, None, core_metadata=metadata, url=url)
        )
        (files / filename).write_bytes(DATA)
        os.utime(files / filename, (1_700_000_000 + number, 1_600_000_000))
    (files / "foo-2.0-py3-none-any.whl.metadata").write_bytes(b"Name: foo")
    (files / "foo-0.1.tar.gz").write_bytes(DATA)
    (files / "foo-0.1.tar.gz.sha256").write_text(f"{sha256(DATA).hexdigest()}  foo-0.1.tar.gz\n")
    (files / "foo-0.2.tar.gz").write_bytes(DATA)
    page = "".join(write_page(Project("foo", "Foo", tuple(described)), {}))
    (directory / "pages" / "foo.json").write_text(page)
    return Cache(directory)


def verdicts(cache: Cache) -> dict[str, bool | None]:
    """Verify all files."""
    return {path.name: right for path, right in cache.verify(cache.files)}


def test_what_is_there(cache: Cache, tmp_path: Path) -> None:
    assert [one.name for one in caches(tmp_path)] == ["main"]
    assert [one.name for one in caches(tmp_path, ["main", "other"])] == ["main"]
    assert caches(tmp_path, ["other"]) == []
    assert caches(tmp_path / "nowhere") == []
    page = cache.directory / "pages" / "foo.json"
    assert (cache.pages, len(cache.files), cache.size) == (["foo"], 5, 4009 + page.stat().st_size)


def test_statistics(cache: Cache) -> None:
    """What was written down, and nothing where nothing was."""
    assert cache.statistics()[1].hits == 0
    (cache.directory / "statistics.json").write_text(json.dumps({"files": {"hits": 7, "misses": "x"}}))
    _, files = cache.statistics()
    assert (files.hits, files.misses) == (7, 0)


def test_verify(cache: Cache) -> None:
    """What is right stays as it is, also the time when it was asked for last; what is wrong is removed."""
    before = {path: path.stat().st_atime_ns for path in cache.files}
    right = {
        "foo-0.1.tar.gz": True,
        "foo-0.2.tar.gz": None,
        "foo-1.0.tar.gz": True,
        "foo-2.0-py3-none-any.whl": True,
        "foo-2.0-py3-none-any.whl.metadata": True,
    }
    assert verdicts(cache) == right
    archives = [path for path in before if not path.name.endswith(".metadata")]
    assert [path.stat().st_atime_ns for path in archives] == [before[path] for path in archives]
    for path in cache.files:
        path.write_bytes(b"y" * path.stat().st_size)
    assert verdicts(cache) == {name: None if one is None else False for name, one in right.items()}
    assert [path.name for path in cache.files] == ["foo-0.2.tar.gz"]


def test_verify_provenance(cache: Cache) -> None:
    """It is right if it is one: no page tells its digest."""
    path = cache.directory / "files" / "foo" / "foo-1.0.tar.gz.provenance"
    for data, right in ((b'{"version": 1, "attestation_bundles": [{}]}', True), (b"{}", False)):
        path.write_bytes(data)
        assert verdicts(cache)[path.name] is right
        assert path.exists() is right


def test_shrink(cache: Cache) -> None:
    """What was not asked for the longest goes first."""
    os.utime(cache.directory / "pages" / "foo.json", (1_700_000_002,) * 2)
    assert cache.shrink(1_000_000) == 0
    assert cache.shrink(4500) == 1
    assert not (cache.directory / "files" / "foo" / "foo-1.0.tar.gz").exists()
    assert cache.size <= 4500
    cache.shrink(2500)
    assert cache.pages == []


def test_tidy(cache: Cache) -> None:
    """What a process left half-way goes, not what one writes just now."""
    partial = cache.directory / "partial"
    partial.mkdir()
    (partial / "0123").write_bytes(DATA)
    old, new = cache.directory / "pages" / ".foo.json.1", cache.directory / "files" / "foo" / ".x.metadata.2"
    for path in (old, new):
        path.touch()
    os.utime(old, (time.time() - LEFT - 1,) * 2)
    cache.tidy()
    assert (list(partial.iterdir()), old.exists(), new.exists()) == ([], False, True)


def test_fault_f5_upstreams_as_the_daemon_takes_them() -> None:
    """A bare URL is that of a proxy; what keeps nothing is refused."""
    url = "https://index.example.org/simple/"
    assert settings_of(f"{url}:ttl=5m") == settings_of(f"proxy:{url}:ttl=5m")
    for description in ("none", f"redirect:{url}"):
        with pytest.raises(ConfigurationError, match="has no cache"):
            settings_of(description)
