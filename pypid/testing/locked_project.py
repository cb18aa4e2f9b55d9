"""The contract suite of storages for changes of records and for removal."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

from attrs import evolve
from zope.interface.verify import verifyObject

from pypid.errors import NotFound
from pypid.interfaces import ILockedProject
from pypid.model import FileRecord, ProjectRecord, Status, StoredProject
from pypid.names import Sidecar
from pypid.testing.steps import StorageSteps, publication

__all__ = ["LockedProjectContract"]

SDIST = "foo-1.0.tar.gz"
TIMEOUT = 60
"""The limit, in seconds, for something that takes a moment."""
REMOVED = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class LockedProjectContract(StorageSteps):
    """The promises of :class:`pypid.interfaces.IStorage` about records and removal."""

    def kept(self, project: str = "foo") -> StoredProject:
        """Return a project that exists."""
        kept: StoredProject | None = self.result(self.storage.project(project))
        assert kept is not None
        return kept

    def changed(self, project: str, *call: Any) -> None:
        """Make a change, and check that it changes the project's fingerprint."""
        before = self.storage.fingerprint(project)
        function, *arguments = call
        self.result(function(*arguments))
        self.assertNotEqual(self.storage.fingerprint(project), before)

    def test_yank(self) -> None:
        """A record can be replaced repeatedly."""
        record = self.publish(SDIST, b"one")
        for yanked in ("broken", "", None):
            amended = evolve(record, yanked=yanked)
            self.changed("foo", self.storage.amend, "foo", SDIST, amended)
            self.assertEqual(self.kept().files[0].record, amended)
        self.assertEqual(self.bytes_of("foo", SDIST), b"one")

    def test_missing(self) -> None:
        """A file or project that does not exist cannot be changed."""
        record = self.publish(SDIST, b"one")
        for project, filename in (("foo", "foo-2.0.tar.gz"), ("bar", "bar-1.0.tar.gz"), ("foo", "../x")):
            self.failure(self.storage.amend(project, filename, record), NotFound)
            self.failure(self.storage.remove(project, filename, record), NotFound)
        self.failure(self.storage.amend_project("bar", ProjectRecord()), NotFound)
        self.assertIsNone(self.result(self.storage.project("bar")))

    def test_status(self) -> None:
        """A project has a record of its own."""
        self.publish(SDIST, b"one")
        self.assertEqual(self.kept().record, ProjectRecord())
        for record in (
            ProjectRecord(Status.ARCHIVED, "done"),
            ProjectRecord(Status.QUARANTINED),
            ProjectRecord(),
        ):
            self.changed("foo", self.storage.amend_project, "foo", record)
            self.assertEqual(self.kept().record, record)

    def test_remove(self) -> None:
        """A removed file leaves a tombstone. The project stays, and so does a content that is open."""
        record = self.publish(SDIST, b"one", b"metadata", b"signature", b"provenance")
        self.publish("foo-2.0.tar.gz", b"two")
        content = self.result(self.storage.content("foo", SDIST))
        tombstone: FileRecord = evolve(record, removed=REMOVED)
        self.changed("foo", self.storage.remove, "foo", SDIST, tombstone)
        self.assertEqual(self.names("foo"), ["foo-2.0.tar.gz"])
        self.assertEqual(self.kept().tombstones, {SDIST: tombstone})
        self.failure(self.storage.content("foo", SDIST), NotFound)
        self.failure(self.storage.remove("foo", SDIST, tombstone), NotFound)
        for sidecar in Sidecar:
            self.assertIsNone(self.sidecar("foo", SDIST, sidecar))
        self.assertEqual(content.length, 3)
        content.close()

    def test_remove_all(self) -> None:
        """A project still exists when all of its files were removed."""
        record = self.publish(SDIST, b"one")
        self.result(self.storage.remove("foo", SDIST, evolve(record, removed=REMOVED)))
        self.assertEqual(self.names("foo"), [])
        self.assertEqual(self.result(self.storage.projects()), ["foo"])

    def test_publish_again(self) -> None:
        """A storage accepts the name of a removed file; the index decides whether that is allowed."""
        record = self.publish(SDIST, b"one", None, b"signature")
        self.result(self.storage.remove("foo", SDIST, evolve(record, removed=REMOVED)))
        self.publish(SDIST, b"one")
        self.assertEqual(self.names("foo"), [SDIST])
        self.assertFalse(self.kept().files[0].signed)
        self.assertEqual(self.kept().tombstones, {})
        (file,) = self.kept().files
        self.assertTrue(file.record is not None and file.record.removed is None)

    def test_founder(self) -> None:
        """The founder of a project is known while the file is removed, and after others publish it again."""
        said = publication(SDIST, b"one", founder="ann")
        record: FileRecord = self.result(self.stage(b"one").publish(said))
        self.assertEqual(self.kept().owners, ("ann",))
        self.result(self.storage.remove("foo", SDIST, evolve(record, removed=REMOVED)))
        self.assertEqual(self.kept().owners, ("ann",))
        self.result(self.stage(b"one").publish(publication(SDIST, b"one")))
        self.assertEqual(self.kept().owners, ("ann",))

    def test_people(self) -> None:
        """Owners in the record of a project take precedence over its founder."""
        self.result(self.stage(b"one").publish(publication(SDIST, b"one", founder="ann")))
        for owners, maintainers in (((), ("bob",)), (("cy", "bob"), ()), (None, ("bob", "cy"))):
            record = ProjectRecord(owners=owners, maintainers=maintainers)
            self.changed("foo", self.storage.amend_project, "foo", record)
            self.assertEqual(self.kept().record, record)
            self.assertEqual(self.kept().owners, ("ann",) if owners is None else owners)

    def test_locked_project(self) -> None:
        """A locked project shows its present state, and can be changed more than once."""
        self.publish(SDIST, b"one")
        with self.storage.blocking.changing("foo") as locked:
            self.assertTrue(verifyObject(ILockedProject, locked))
            self.assertEqual(locked.project, self.kept())
            record = locked.project.files[0].record
            assert record is not None
            locked.amend(SDIST, evolve(record, yanked="first"))
            locked.amend_project(ProjectRecord(owners=("ann",)))
            locked.amend(SDIST, evolve(record, yanked="second"))
            # Others may read meanwhile.
            self.assertEqual(self.bytes_of("foo", SDIST), b"one")
        kept = self.kept()
        self.assertEqual((kept.files[0].record, kept.owners), (evolve(record, yanked="second"), ("ann",)))

    def test_a_change_that_fails_lets_go(self) -> None:
        """The error is passed on, earlier changes stay, and the lock is released."""
        self.publish(SDIST, b"one")
        with self.assertRaises(ZeroDivisionError), self.storage.blocking.changing("foo") as locked:
            locked.amend_project(ProjectRecord(owners=("ann",)))
            raise ZeroDivisionError
        with self.storage.blocking.changing("foo") as locked:
            self.assertEqual(locked.project.owners, ("ann",))
        with self.assertRaises(NotFound), self.storage.blocking.changing("bar"):
            raise AssertionError("there is no such project")

    def test_fault_a2_changes_at_once_are_all_kept(self) -> None:
        """Many threads each add owners to those they see; in the end all owners are there."""
        self.publish(SDIST, b"one")
        names = [f"user{number:02}" for number in range(24)]
        start = Barrier(6)

        def add(some: Sequence[str]) -> None:
            start.wait(TIMEOUT)
            for name in some:
                with self.storage.blocking.changing("foo") as locked:
                    locked.amend_project(ProjectRecord(owners=(*locked.project.owners, name)))

        with ThreadPoolExecutor(6) as pool:
            for added in [pool.submit(add, names[number::6]) for number in range(6)]:
                added.result(TIMEOUT)
        self.assertEqual(sorted(self.kept().owners), names)

    def test_nothing_is_published_while_a_project_is_changed(self) -> None:
        """A publication in a locked project waits, and then sees the changed project."""
        self.publish(SDIST, b"one")
        said = publication("foo-2.0.tar.gz", b"two")
        shown: list[StoredProject | None] = []
        staging = self.stage(b"two").blocking
        with ThreadPoolExecutor(1) as pool:
            with self.storage.blocking.changing("foo") as locked:
                publishing = pool.submit(staging.publish, said, shown.append)
                with self.assertRaises(TimeoutError):
                    publishing.result(0.1)
                self.assertEqual((shown, self.names("foo")), ([], [SDIST]))
                locked.amend_project(ProjectRecord(Status.ARCHIVED))
            publishing.result(TIMEOUT)
        [project] = shown
        assert project is not None
        self.assertEqual(project.record.status, Status.ARCHIVED)
        self.assertEqual(self.names("foo"), [SDIST, "foo-2.0.tar.gz"])
