"""Files, core metadata and sidecars of an index whose tree somebody changes by hand, in place."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any, TypeVar

import pytest
from attrs import define, field

from pypid.catalog.sqlite import SqliteCatalog
from pypid.errors import NotAsPublished, NotFound
from pypid.index.publishing import Index
from pypid.model import File
from pypid.names import Sidecar
from pypid.storage.change_detector import SETTLED_NS, ChangeDetector
from pypid.storage.directory import DirectoryStorage
from pypid.testing.builds import core_metadata, sdist, wheel
from pypid.testing.content import MemoryConsumer
from pypid.testing.fakes import InlineWorkers
from pypid.testing.inline import InlineStorage
from pypid.testing.steps import now, publication
from pypid.testing.web import NOW

T = TypeVar("T")

WHEEL, CONTENT = wheel("foo", "1.0", payload=b"one")
OTHER = wheel("foo", "1.0", payload=b"two")[1]
LONGER = wheel("foo", "1.0", payload=b"longer than before")[1]
METADATA = core_metadata("foo", "1.0")
DESCRIBED_OTHERWISE = wheel("foo", "1.0", requires_python=">=3.8")[1]
assert len(CONTENT) == len(OTHER) != len(LONGER)


class CountedReads(InlineStorage):
    """A storage that counts how often an archive is looked into."""

    reads = 0

    async def read(self, project: str, filename: str, function: Callable[[Any], T]) -> T:
        self.reads += 1
        return await super().read(project, filename, function)


@define(eq=False)
class Tree:
    """An index over a tree in which every change is long ago."""

    root: Path
    storage: CountedReads = field(init=False)
    catalog: SqliteCatalog = field(init=False)
    index: Index = field(init=False)

    def __attrs_post_init__(self) -> None:
        settled = ChangeDetector(lambda: time.time_ns() + 5 * SETTLED_NS)
        self.storage = CountedReads(DirectoryStorage(self.root, detector=settled))
        self.storage.open()
        self.catalog = SqliteCatalog(self.storage, None, InlineWorkers())
        self.catalog.open()
        self.index = Index(self.storage, self.catalog, [], InlineWorkers(), lambda: NOW)

    def path(self, filename: str) -> Path:
        """Return where a file of the project is."""
        return self.root / "simple" / "foo" / filename

    def copy(self, filename: str, content: bytes) -> None:
        """Copy a file into the tree by hand."""
        self.path(filename).parent.mkdir(parents=True, exist_ok=True)
        self.path(filename).write_bytes(content)

    def publish(self, filename: str, content: bytes, *sidecars: bytes | None) -> None:
        """Publish a file, with its core metadata, its signature and its provenance if there are any."""
        staging = now(self.storage.stage())
        staging.write(content)
        now(staging.publish(publication(filename, content, *sidecars)))

    def change_in_place(self, filename: str, content: bytes, *, keep_time: bool = False) -> None:
        """Write other bytes into a file, a minute later or at the same time; the directory does not tell."""
        path = self.path(filename)
        modified_ns = path.stat().st_mtime_ns
        validator = self.index.validator("foo")
        with path.open("r+b") as file:
            file.truncate()
            file.write(content)
        later = modified_ns if keep_time else modified_ns + 60_000_000_000
        os.utime(path, ns=(later, later))
        assert self.index.validator("foo") == validator

    def holds(self, filename: str) -> bool:
        """True if this process has a file of the project open."""
        path = str(self.path(filename))
        # One of them is that of the list itself, and gone by now.
        return any(os.path.realpath(one) == path for one in Path("/proc/self/fd").iterdir())

    def download(self, filename: str) -> tuple[File, bytes]:
        """Download a file of the project."""
        file, content = now(self.index.open_file("foo", filename))
        assert not hasattr(content, "url")
        consumer = MemoryConsumer()
        now(content.send_to(consumer, 0, content.length))
        content.close()
        return file, bytes(consumer.data)


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


@pytest.mark.parametrize(
    ("content", "keep_time"),
    [(OTHER, False), (LONGER, False), (LONGER, True)],
    ids=["other-time", "other-time-and-size", "other-size"],
)
def test_a_copied_file_that_was_changed_in_place_is_described_anew(
    tree: Tree, content: bytes, keep_time: bool
) -> None:
    """The file that is sent has the size and the digest of the description that goes with it."""
    tree.copy(WHEEL, CONTENT)
    file, data = tree.download(WHEEL)
    assert (data, file.hashes["sha256"]) == (CONTENT, sha256(CONTENT).hexdigest())
    tree.change_in_place(WHEEL, content, keep_time=keep_time)
    file, data = tree.download(WHEEL)
    assert data == content
    assert (file.size, file.hashes["sha256"]) == (len(content), sha256(content).hexdigest())
    assert not tree.holds(WHEEL)


def test_a_published_file_that_was_changed_in_place_is_withheld(tree: Tree) -> None:
    """Its bytes are not those that were published, and no descriptor of it stays open."""
    tree.publish(WHEEL, CONTENT, METADATA)
    assert tree.download(WHEEL)[1] == CONTENT
    tree.change_in_place(WHEEL, OTHER)
    for _ in range(2):
        with pytest.raises(NotAsPublished):
            now(tree.index.open_file("foo", WHEEL))
    assert not tree.holds(WHEEL)


def test_a_file_that_was_not_changed_is_not_looked_at_anew(tree: Tree) -> None:
    tree.copy(WHEEL, CONTENT)
    project = now(tree.index.project("foo"))
    assert tree.download(WHEEL)[1] == tree.download(WHEEL)[1] == CONTENT
    assert now(tree.index.project("foo")) is project


def test_core_metadata_is_what_lies_beside_the_file(tree: Tree) -> None:
    """No archive is looked into if the bytes beside it have the digest that the page gives (PEP 714)."""
    tree.publish(WHEEL, CONTENT, METADATA)
    file, found = now(tree.index.core_metadata("foo", WHEEL))
    assert (found, tree.storage.reads) == (METADATA, 0)
    assert file.core_metadata == sha256(found).hexdigest()


def test_core_metadata_that_is_not_as_the_page_says_is_read_out_of_the_archive(tree: Tree) -> None:
    """Bytes beside the file that were changed in place have another digest, and are never sent."""
    tree.publish(WHEEL, CONTENT, METADATA)
    file, _ = now(tree.index.core_metadata("foo", WHEEL))
    beside = tree.path(WHEEL + ".metadata")
    assert beside.read_bytes() == METADATA
    with beside.open("r+b") as changed:
        changed.write(METADATA.replace(b"made for a test", b"made by a thief"))
    again, found = now(tree.index.core_metadata("foo", WHEEL))
    assert (again, found, tree.storage.reads) == (file, METADATA, 1)
    assert file.core_metadata == sha256(found).hexdigest()


def test_core_metadata_of_a_copied_file_is_read_out_of_the_archive(tree: Tree) -> None:
    """Nothing lies beside it."""
    tree.copy(WHEEL, CONTENT)
    file, found = now(tree.index.core_metadata("foo", WHEEL))
    assert (found, tree.storage.reads) == (METADATA, 1)
    assert file.core_metadata == sha256(found).hexdigest()


def test_fault_b2_core_metadata_of_an_archive_that_was_changed_in_place(tree: Tree) -> None:
    """What is sent has the digest that goes with it; of a published archive nothing is sent any more."""
    tree.copy(WHEEL, CONTENT)
    file, _ = now(tree.index.core_metadata("foo", WHEEL))
    tree.change_in_place(WHEEL, DESCRIBED_OTHERWISE)
    again, found = now(tree.index.core_metadata("foo", WHEEL))
    assert again.core_metadata == sha256(found).hexdigest() != file.core_metadata


def test_fault_b2_core_metadata_of_a_published_archive_that_was_changed_in_place(tree: Tree) -> None:
    tree.publish(WHEEL, CONTENT)
    now(tree.index.core_metadata("foo", WHEEL))
    tree.change_in_place(WHEEL, DESCRIBED_OTHERWISE)
    with pytest.raises(NotAsPublished):
        now(tree.index.core_metadata("foo", WHEEL))


def test_core_metadata_that_no_page_advertises_is_not_to_be_had(tree: Tree) -> None:
    """That of an sdist binds nobody, and what lies beside it by hand is not offered (PEP 658)."""
    filename, content = sdist("foo", "1.0")
    tree.publish(filename, content)
    tree.copy(filename + ".metadata", METADATA)
    with pytest.raises(NotFound, match="no core metadata"):
        now(tree.index.core_metadata("foo", filename))
    assert tree.storage.reads == 0


def test_core_metadata_that_is_nowhere_any_more(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """The archive became another one, without core metadata, since the page was made."""
    tree.copy(WHEEL, CONTENT)
    now(tree.index.core_metadata("foo", WHEEL))
    forget, forgotten = SqliteCatalog.forget, []

    def counted(catalog: SqliteCatalog, name: str) -> None:
        forgotten.append(name)
        forget(catalog, name)

    monkeypatch.setattr(SqliteCatalog, "forget", counted)
    monkeypatch.setattr("pypid.archives.core_metadata", lambda _file, _name: None)
    with pytest.raises(NotFound, match="no core metadata"):
        now(tree.index.core_metadata("foo", WHEEL))
    assert forgotten == ["foo"], "the next client must not wait for another scan"


def test_a_signature_is_served_as_it_lies_beside_the_file(tree: Tree) -> None:
    tree.publish(WHEEL, CONTENT, METADATA, b"signature")
    assert now(tree.index.sidecar("foo", WHEEL, Sidecar.SIGNATURE)) == b"signature"


@pytest.mark.parametrize("sidecar", [Sidecar.SIGNATURE, Sidecar.PROVENANCE])
def test_a_sidecar_that_no_page_tells_of_is_not_to_be_had(tree: Tree, sidecar: Sidecar) -> None:
    tree.publish(WHEEL, CONTENT, METADATA)
    with pytest.raises(NotFound, match=f"the file has no {sidecar.name.lower()}"):
        now(tree.index.sidecar("foo", WHEEL, sidecar))


def test_core_metadata_is_no_sidecar_to_be_had_as_it_lies_there(tree: Tree) -> None:
    """Only :meth:`Index.core_metadata` compares its digest."""
    tree.publish(WHEEL, CONTENT, METADATA)
    with pytest.raises(NotFound):
        now(tree.index.sidecar("foo", WHEEL, Sidecar.METADATA))
