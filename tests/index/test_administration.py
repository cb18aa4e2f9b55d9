"""Yank, un-yank, removal and status, over a real tree."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import pytest
from attrs import define, evolve, field
from twisted.internet.defer import Deferred

from pypid.catalog.sqlite import SqliteCatalog
from pypid.errors import Forbidden, InvalidForm, NotFound, OutOfSpace
from pypid.index.administration import ProjectAdministration
from pypid.interfaces import IWorkers
from pypid.model import FileRecord, ProjectRecord, Role, Status
from pypid.storage.directory import DirectoryStorage
from pypid.storage.record_changes import LockedProject
from pypid.testing.builds import sdist, wheel
from pypid.testing.fakes import HeldWorkers, InlineWorkers
from pypid.testing.inline import InlineStorage
from pypid.testing.steps import now, publication

NOW = datetime(2026, 11, 21, 8, 0, tzinfo=UTC)
SDIST, WHEEL, OTHER = "foo-1.0.tar.gz", "foo-1.0-py3-none-any.whl", "foo-2.0.tar.gz"
CONTENT = {SDIST: sdist("foo", "1.0")[1], WHEEL: wheel("foo", "1.0")[1], OTHER: sdist("foo", "2.0")[1]}


@define(eq=False)
class Tree:
    """A project ``foo`` of two releases, and what is asked about it."""

    root: Path
    workers: IWorkers = field(factory=InlineWorkers)
    storage: InlineStorage = field(init=False)
    catalog: SqliteCatalog = field(init=False)
    changes: ProjectAdministration = field(init=False)

    def __attrs_post_init__(self) -> None:
        self.storage = InlineStorage(DirectoryStorage(self.root), self.workers)
        self.catalog = SqliteCatalog(self.storage, None, self.workers)
        self.changes = ProjectAdministration(self.storage, self.catalog, lambda: NOW)
        self.storage.open()
        self.catalog.open()

    def publish(self, filename: str, founder: str | None = None) -> None:
        """Publish a file as an upload does."""
        staging = now(self.storage.stage())
        staging.write(CONTENT[filename])
        now(staging.publish(publication(filename, CONTENT[filename], founder=founder)))

    def record(self, filename: str) -> FileRecord:
        """Read the record of a file, or its tombstone."""
        project = now(self.storage.project("foo"))
        assert project is not None
        if filename in project.tombstones:
            return project.tombstones[filename]
        [record] = [file.record for file in project.files if file.filename == filename]
        assert record is not None
        return record

    @property
    def yanked(self) -> dict[str, str | None]:
        """Return the reason of the yank of each listed file."""
        project = now(self.catalog.project("foo"))
        assert project is not None
        return {file.filename: file.yanked for file in project.files}

    @property
    def journal(self) -> Sequence[str]:
        """List the journal, without looking at the tree once more."""
        return [change.action for change in now(self.catalog.changes(0, 100))]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree(tmp_path)
    for filename in CONTENT:
        tree.publish(filename)
    now(tree.catalog.project("foo"))
    return tree


def test_c73_yank_and_unyank_a_release(tree: Tree) -> None:
    """All files of the release are yanked, and can still be had; nothing else of them changes."""
    before = tree.record(SDIST)
    assert sorted(now(tree.changes.yank("foo", "1.0", "it is broken"))) == sorted([SDIST, WHEEL])
    assert tree.yanked == {SDIST: "it is broken", WHEEL: "it is broken", OTHER: None}
    assert now(tree.storage.read("foo", SDIST, lambda file: file.read())) == CONTENT[SDIST]
    assert sorted(now(tree.changes.unyank("foo", "1.0"))) == sorted([SDIST, WHEEL])
    assert tree.yanked == dict.fromkeys([SDIST, WHEEL, OTHER])
    assert tree.record(SDIST) == before


def test_yank_one_file(tree: Tree) -> None:
    assert now(tree.changes.yank("foo", "1.0", "", WHEEL)) == [WHEEL]
    assert tree.yanked == {SDIST: None, WHEEL: "", OTHER: None}


@pytest.mark.parametrize("version", ["1.0", "1", "v1.0.0", "1.0-0.dev0"])
def test_versions_are_compared_by_pep_440(tree: Tree, version: str) -> None:
    """However it is spelled, the same version is meant, and no other."""
    if version == "1.0-0.dev0":
        with pytest.raises(NotFound):
            now(tree.changes.yank("foo", version, ""))
    else:
        assert len(now(tree.changes.yank("foo", version, ""))) == 2


def test_only_what_is_different_counts_as_changed(tree: Tree) -> None:
    now(tree.changes.yank("foo", "1.0", "once", WHEEL))
    assert now(tree.changes.yank("foo", "1.0", "once")) == [SDIST]
    assert now(tree.changes.yank("foo", "1.0", "once")) == []
    assert len(now(tree.changes.yank("foo", "1.0", "for another reason"))) == 2
    assert now(tree.changes.unyank("foo", "2.0")) == []


def test_what_is_not_there(tree: Tree) -> None:
    for name, version, filename in [
        ("bar", "1.0", None),
        ("foo", "3.0", None),
        ("foo", "9" * 10_000, None),
        ("foo", "no version", None),
        ("foo", "1.0", OTHER),
        ("foo", "1.0", "../foo/" + SDIST),
        ("foo", "1.0", ""),
        ("foo", "", None),
    ]:
        for change in (
            tree.changes.yank(name, version, "", filename),
            tree.changes.unyank(name, version, filename),
            tree.changes.remove(name, version, filename),
            tree.changes.files(name, version, filename),
        ):
            with pytest.raises(NotFound):
                now(change)
    for change in (tree.changes.remove("bar"), tree.changes.remove("foo", filename="foo-3.0.tar.gz")):
        with pytest.raises(NotFound):
            now(change)
    assert tree.yanked == dict.fromkeys([SDIST, WHEEL, OTHER])


@pytest.mark.parametrize("reason", ["x" * 1001, "\x1b[31mred", "\udcff", "\u202eleft", "nul\0"])
def test_reasons_that_would_harm_pages_are_refused(tree: Tree, reason: str) -> None:
    with pytest.raises(InvalidForm):
        now(tree.changes.yank("foo", "1.0", reason))
    with pytest.raises(InvalidForm):
        now(tree.changes.set_status("foo", Status.ARCHIVED, reason))
    assert tree.yanked[SDIST] is None


def test_reasons_are_one_line(tree: Tree) -> None:
    now(tree.changes.yank("foo", "1.0", "  see <b>2.0</b>,\r\n\tor fürchte dich "))
    assert tree.yanked[SDIST] == "see <b>2.0</b>, or fürchte dich"
    longest = "\N{GRINNING FACE}" * 1000
    now(tree.changes.yank("foo", "1.0", longest))
    assert tree.yanked[SDIST] == longest


def test_file_that_was_copied_into_the_tree(tree: Tree) -> None:
    """It gets a record, of the time that the file has, when it is first changed."""
    name, content = sdist("foo", "3.0")
    path = tree.root / "simple" / "foo" / name
    path.write_bytes(content)
    os.utime(path, (1_600_000_000, 1_600_000_000))
    now(tree.changes.yank("foo", "3.0", "copied"))
    record = tree.record(name)
    assert record.upload_time == datetime(2020, 9, 13, 12, 26, 40, tzinfo=UTC)
    assert (record.uploader, record.yanked) == (None, "copied")
    assert record.sha256 == sha256(content).hexdigest()
    assert tree.yanked[name] == "copied"


def test_fault_b2_file_that_was_replaced_by_another(tree: Tree) -> None:
    """What is recorded stays that of the old bytes, through all changes, until the new ones are accepted."""
    now(tree.changes.yank("foo", "2.0", "the old bytes"))
    before = tree.record(OTHER)
    path = tree.root / "simple" / "foo" / OTHER
    content = sdist("foo", "2.0", payload=b"other")[1]
    path.unlink()
    path.write_bytes(content)
    signature = path.with_name(f"{OTHER}.asc")
    signature.write_bytes(b"of the old bytes")
    assert OTHER not in tree.yanked
    assert now(tree.changes.yank("foo", "2.0", "odd")) == [OTHER]
    assert tree.record(OTHER) == evolve(before, yanked="odd")
    assert OTHER not in tree.yanked
    assert now(tree.changes.accept("foo")) == [OTHER]
    assert now(tree.changes.accept("foo", OTHER)) == []
    record = tree.record(OTHER)
    assert (record.sha256, record.uploader, record.yanked) == (sha256(content).hexdigest(), None, "odd")
    assert record.founder == before.founder
    assert tree.yanked[OTHER] == "odd"
    assert not signature.exists()


def test_fault_b2_changed_file_is_removed(tree: Tree) -> None:
    """Its name stays that of the bytes that were published."""
    before = tree.record(OTHER)
    path = tree.root / "simple" / "foo" / OTHER
    path.write_bytes(b"changed")
    assert now(tree.changes.remove("foo", "2.0")) == [OTHER]
    assert not path.exists()
    removed = json.loads(path.with_name(f".{OTHER}.json").read_text())
    assert (removed["sha256"], removed["size"]) == (before.sha256, len(b"changed"))


def test_file_whose_time_is_another(tree: Tree) -> None:
    """What is known of its bytes holds, and does so from now on without reading them."""
    now(tree.changes.yank("foo", "2.0", "broken"))
    before = tree.record(OTHER)
    os.utime(tree.root / "simple" / "foo" / OTHER, ns=(0, 1_600_000_000_000_000_000))
    assert now(tree.changes.yank("foo", "2.0", "broken")) == []
    now(tree.changes.unyank("foo", "2.0"))
    assert tree.record(OTHER) == evolve(before, yanked=None, modified_ns=1_600_000_000_000_000_000)


def test_remove_a_release(tree: Tree) -> None:
    """Its files are gone, with their metadata, and each leaves a tombstone."""
    before = tree.record(WHEEL)
    assert sorted(now(tree.changes.files("foo", "1"))) == sorted([SDIST, WHEEL])
    assert sorted(now(tree.changes.remove("foo", "1"))) == sorted([SDIST, WHEEL])
    assert tree.yanked == {OTHER: None}
    project = now(tree.catalog.project("foo"))
    assert project is not None
    assert project.tombstones == {name: sha256(CONTENT[name]).hexdigest() for name in (SDIST, WHEEL)}
    tombstone = tree.record(WHEEL)
    assert tombstone.removed == NOW
    assert (tombstone.upload_time, tombstone.uploader) == (before.upload_time, before.uploader)
    assert sorted(path.name for path in (tree.root / "simple" / "foo").glob("[!.]*")) == [OTHER]
    with pytest.raises(NotFound):
        now(tree.changes.remove("foo", "1.0"))


def test_remove_one_file_and_then_all(tree: Tree) -> None:
    """Of a project whose files are all removed the name is left."""
    assert now(tree.changes.remove("foo", filename=SDIST)) == [SDIST]
    assert sorted(now(tree.changes.remove("foo"))) == sorted([WHEEL, OTHER])
    assert tree.yanked == {}
    with pytest.raises(NotFound, match="foo has no files"):
        now(tree.changes.remove("foo"))


def test_remove_what_was_copied_into_the_tree(tree: Tree) -> None:
    name, content = sdist("foo", "3.0")
    (tree.root / "simple" / "foo" / name).write_bytes(content)
    now(tree.changes.remove("foo", "3.0"))
    assert tree.record(name).sha256 == sha256(content).hexdigest()


def test_file_that_was_removed_and_copied_back(tree: Tree) -> None:
    """Its tombstone becomes its record again, once it is changed."""
    before = tree.record(OTHER)
    now(tree.changes.remove("foo", "2.0"))
    (tree.root / "simple" / "foo" / OTHER).write_bytes(CONTENT[OTHER])
    assert OTHER in tree.yanked
    now(tree.changes.yank("foo", "2.0", "back"))
    record = tree.record(OTHER)
    assert (record.removed, record.yanked, record.uploader) == (None, "back", before.uploader)
    assert tree.yanked[OTHER] == "back"


def test_status(tree: Tree) -> None:
    assert now(tree.changes.status("foo")) == ProjectRecord()
    assert now(tree.changes.set_status("foo", Status.QUARANTINED, "stolen password")) == ["foo"]
    assert now(tree.changes.status("foo")) == ProjectRecord(Status.QUARANTINED, "stolen password")
    assert now(tree.changes.set_status("foo", Status.QUARANTINED, "stolen password")) == []
    assert now(tree.changes.set_status("foo", Status.ACTIVE, "")) == ["foo"]
    assert now(tree.changes.status("foo")) == ProjectRecord()
    for change in (tree.changes.status("bar"), tree.changes.set_status("bar", Status.ARCHIVED, "")):
        with pytest.raises(NotFound):
            now(change)


def people(tree: Tree) -> tuple[Sequence[str], Sequence[str]]:
    """Return the owners and the maintainers, which a daemon must know as well."""
    project, found = now(tree.catalog.project("foo")), now(tree.changes.people("foo"))
    assert project is not None
    assert list(found) == [Role.OWNER, Role.MAINTAINER]
    assert (project.owners, project.maintainers) == tuple(found.values())
    return project.owners, project.maintainers


def test_people(tmp_path: Path) -> None:
    """The founder owns it; others come and go, and the last owner stays."""
    tree = Tree(tmp_path)
    tree.publish(SDIST, founder="ann")
    assert people(tree) == (("ann",), ())
    assert now(tree.changes.add_person("foo", Role.MAINTAINER, "bob")) == ["bob"]
    assert now(tree.changes.add_person("foo", Role.MAINTAINER, "bob")) == []
    assert people(tree) == (("ann",), ("bob",))
    with pytest.raises(Forbidden, match="ann is the only owner of foo: add another one first"):
        now(tree.changes.remove_person("foo", Role.OWNER, "ann"))
    assert now(tree.changes.add_person("foo", Role.OWNER, "cy")) == ["cy"]
    assert now(tree.changes.remove_person("foo", Role.OWNER, "ann")) == ["ann"]
    assert now(tree.changes.remove_person("foo", Role.OWNER, "ann")) == []
    assert people(tree) == (("cy",), ("bob",))
    assert now(tree.changes.remove_person("foo", Role.MAINTAINER, "bob")) == ["bob"]
    tree.publish(OTHER, founder="eve")
    assert people(tree) == (("cy",), ())


def test_people_of_what_nobody_owns(tree: Tree) -> None:
    assert people(tree) == ((), ())
    now(tree.changes.add_person("foo", Role.MAINTAINER, "bob"))
    now(tree.changes.add_person("foo", Role.OWNER, "ann"))
    assert people(tree) == (("ann",), ("bob",))
    for change in (
        tree.changes.add_person("bar", Role.OWNER, "ann"),
        tree.changes.remove_person("bar", Role.OWNER, "ann"),
        tree.changes.people("bar"),
    ):
        with pytest.raises(NotFound):
            now(change)


@pytest.mark.parametrize("name", ["", "a b", ":owners", "__token__", "x" * 65, "a\n", "zo\u00eb"])
def test_people_have_names_that_users_may_have(tree: Tree, name: str) -> None:
    with pytest.raises(InvalidForm, match="no user can be called so"):
        now(tree.changes.add_person("foo", Role.OWNER, name))
    assert now(tree.changes.remove_person("foo", Role.OWNER, name)) == []


def test_people_fit_into_a_record(tree: Tree) -> None:
    """The longest names, and as many as may be, beside the longest reason."""
    now(tree.changes.set_status("foo", Status.DEPRECATED, "\N{GRINNING FACE}" * 1000))
    for role in Role:
        for number in range(100):
            now(tree.changes.add_person("foo", role, f"{number:x>64}"))
        with pytest.raises(Forbidden, match="100"):
            now(tree.changes.add_person("foo", role, "one-more"))
    assert [len(names) for names in people(tree)] == [100, 100]
    assert now(tree.changes.status("foo")).status is Status.DEPRECATED


def test_people_and_status_do_not_touch_each_other(tmp_path: Path) -> None:
    tree = Tree(tmp_path)
    tree.publish(SDIST, founder="ann")
    now(tree.changes.set_status("foo", Status.DEPRECATED, "see bar"))
    assert people(tree) == (("ann",), ())
    now(tree.changes.add_person("foo", Role.MAINTAINER, "bob"))
    assert now(tree.changes.status("foo")).reason == "see bar"
    now(tree.changes.set_status("foo", Status.ACTIVE, ""))
    assert people(tree) == (("ann",), ("bob",))


def test_founder_of_a_file_that_was_changed_in_place(tmp_path: Path) -> None:
    """It is another file then; the project is the same."""
    tree = Tree(tmp_path)
    tree.publish(OTHER, founder="ann")
    path = tree.root / "simple" / "foo" / OTHER
    path.unlink()
    path.write_bytes(sdist("foo", "2.0", payload=b"other")[1])
    now(tree.changes.yank("foo", "2.0", ""))
    assert people(tree) == (("ann",), ())


def test_journal_has_it_before_the_answer(tree: Tree) -> None:
    """Each change is in the journal although nobody asked for the page since."""
    for change, expected in [
        (tree.changes.yank("foo", "2.0", ""), "yank"),
        (tree.changes.unyank("foo", "2.0"), "unyank"),
        (tree.changes.set_status("foo", Status.DEPRECATED, ""), "change status to deprecated"),
        (tree.changes.add_person("foo", Role.OWNER, "ann"), "add Owner ann"),
        (tree.changes.add_person("foo", Role.MAINTAINER, "bob"), "add Maintainer bob"),
        (tree.changes.remove_person("foo", Role.MAINTAINER, "bob"), "remove Maintainer bob"),
        (tree.changes.remove("foo", "1.0", SDIST), f"remove file {SDIST}"),
        (tree.changes.remove("foo", "2.0"), "remove release"),
    ]:
        before = len(tree.journal)
        now(change)
        assert any(row.startswith(expected) for row in tree.journal[before:]), expected


def test_journal_is_right_when_a_change_fails_half_way(tree: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was changed before the disk was full is in the journal."""
    amend = LockedProject.amend

    def full(locked: LockedProject, filename: str, record: FileRecord) -> None:
        if filename == SDIST:
            raise OutOfSpace("the disk is full")
        amend(locked, filename, record)

    monkeypatch.setattr(LockedProject, "amend", full)
    before = len(tree.journal)
    with pytest.raises(OutOfSpace):
        now(tree.changes.yank("foo", "1.0", ""))
    assert len(tree.journal) > before
    assert tree.yanked == {SDIST: None, WHEEL: "", OTHER: None}


def test_one_after_the_other(tmp_path: Path) -> None:
    """Of two who yank the same release at the same time, the second finds it yanked."""
    Tree(tmp_path).publish(SDIST)
    workers = HeldWorkers()
    tree = Tree(tmp_path, workers)
    changed: list[Sequence[str]] = []
    for _ in range(2):
        Deferred.fromCoroutine(tree.changes.yank("foo", "1.0", "")).addCallback(changed.append)
    workers.work_all()
    assert changed == [[SDIST], []]
