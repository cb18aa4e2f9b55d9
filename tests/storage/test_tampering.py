"""Tests of trees that somebody tampered with."""

from __future__ import annotations

import os

from twisted.logger import capturedLogs

from pypid.errors import NotFound, StorageUnavailable
from pypid.model import ProjectRecord, Status
from pypid.names import Sidecar
from pypid.storage import projects
from pypid.testing.fakes import Synchronous
from pypid.testing.steps import publication
from pypid.testing.trees import TreeSteps, as_nobody

SDIST = "foo-1.0.tar.gz"


class TestTampering(TreeSteps, Synchronous):
    """Nothing but regular files of the tree is ever served (T15, B277)."""

    def assert_not_served(self, filename: str = SDIST) -> None:
        self.assertNotIn(filename, self.names("foo") or [])
        self.failure(self.storage.content("foo", filename), NotFound)
        self.failure(self.storage.read("foo", filename, lambda file: file.read()), NotFound)
        self.assertIsNone(self.sidecar("foo", filename, Sidecar.METADATA))

    def test_b277_file(self) -> None:
        """A symbolic link to a file is not served, nor one to itself, and the log says so once."""
        (self.simple / "foo").mkdir()
        for target in ("/etc/passwd", SDIST, "nowhere"):
            link = self.simple / "foo" / SDIST
            link.symlink_to(target)
            with capturedLogs() as logs:
                self.assert_not_served()
                self.assert_not_served()
            self.assertEqual(len(logs), 1 if target == "/etc/passwd" else 0)
            link.unlink()

    def test_b277_directory(self) -> None:
        """A symbolic link to a directory is no project, nor a spelling of one."""
        outside = self.root / "outside"
        outside.mkdir()
        (outside / SDIST).write_bytes(b"secret")
        for name in ("foo", "FOO"):
            link = self.simple / name
            link.symlink_to(outside)
            with capturedLogs() as logs:
                self.assertEqual(self.projects(), [])
                self.assertEqual(self.projects(), [])
                self.assert_not_served()
            self.assertEqual(len(logs), 1)
            link.unlink()

    def test_b277_publish(self) -> None:
        """Nothing is published through a symbolic link."""
        outside = self.root / "outside"
        outside.mkdir()
        (self.simple / "foo").symlink_to(outside)
        self.failure(self.stage(b"sdist").publish(publication(SDIST, b"sdist")), StorageUnavailable)
        self.assertEqual(list(outside.iterdir()), [])

    def test_b277_beside(self) -> None:
        """A symbolic link in the place of a sidecar file or record is not followed."""
        self.put(f"foo/{SDIST}")
        for beside in (*(sidecar.of(SDIST) for sidecar in Sidecar), f".{SDIST}.json"):
            (self.simple / "foo" / beside).symlink_to("/etc/passwd")
        self.assertEqual(self.names("foo"), [SDIST])
        for sidecar in Sidecar:
            self.assertIsNone(self.sidecar("foo", SDIST, sidecar))
        [file] = self.files("foo")
        self.assertEqual((file.signed, file.provenance), (False, None))

    def test_special_files(self) -> None:
        """A FIFO is not waited for, and a directory is no file."""
        (self.simple / "foo" / SDIST).mkdir(parents=True)
        os.mkfifo(self.simple / "foo" / "foo-2.0.tar.gz")
        self.assert_not_served()
        self.assert_not_served("foo-2.0.tar.gz")

    def test_special_file_in_one_spelling(self) -> None:
        """What is no file does not stand in the way of a file in a directory of another spelling."""
        (self.simple / "foo" / SDIST).mkdir(parents=True)
        self.put(f"FOO/{SDIST}")
        self.assertEqual(self.names("foo"), [SDIST])
        self.assertEqual(self.bytes_of("foo", SDIST), b"bytes")

    def test_junk(self) -> None:
        """Names that are none are passed over: of projects, of files, of another project's files."""
        self.put(f"foo/{SDIST}")
        for name in (
            ".git",
            "-foo",
            "foo bar",
            "f\N{LATIN SMALL LETTER O WITH DIAERESIS}o",
            "a" * 101,
            "foo\n",
        ):
            (self.simple / name).mkdir()
        (self.simple / os.fsdecode(b"\xff")).mkdir()
        for name in (
            "bar-1.0.tar.gz",
            f"{SDIST}.asc",
            f"{SDIST}~",
            f".{SDIST}",
            "README",
            f"{SDIST}\n",
            "foo",
        ):
            self.put(f"foo/{name}")
        self.put("foo/" + os.fsdecode(b"\xff"))
        self.assertEqual(self.projects(), ["foo"])
        self.assertEqual(self.names("foo"), [SDIST])

    def test_fault_b1_b279_unreadable(self) -> None:
        """What may not be read is not empty but an error, named once, that goes away."""
        path = self.put(f"foo/{SDIST}")
        self.put(f"bar/{SDIST.replace('foo', 'bar')}")
        self.root.chmod(0o755)
        for closed in (path, path.parent):
            closed.chmod(0)
            with as_nobody(), capturedLogs() as logs:
                for _ in range(2):
                    self.failure(self.storage.content("foo", SDIST), StorageUnavailable)
                    self.failure(
                        self.storage.read("foo", SDIST, lambda file: file.read()), StorageUnavailable
                    )
                    if closed == path:
                        self.assertEqual(self.names("foo"), [SDIST])
                    else:
                        self.failure(self.storage.project("foo"), StorageUnavailable)
                    self.assertEqual(self.names("bar"), ["bar-1.0.tar.gz"])
                    self.assertEqual(self.projects(), ["bar", "foo"])
            closed.chmod(0o755)
            said = [log["log_format"].format(**log) for log in logs]
            self.assertEqual(len(said), 1 if closed == path else 2, said)
            for line in said:
                self.assertIn(f"Cannot read '{closed}", line)
                self.assertIn("Permission denied; it must belong to the user ", line)
            with capturedLogs() as logs:
                self.assertEqual(self.names("foo"), [SDIST])
                self.assertEqual(self.bytes_of("foo", SDIST), b"bytes")
            self.assertEqual({log["log_format"] for log in logs}, {"{what} can be read again"})

    def test_fault_b1_b279_unreadable_beside(self) -> None:
        """A record that may not be read is not known, and so is its project; it is not as good as none."""
        self.publish(SDIST, b"sdist", b"Name: foo")
        self.result(self.storage.amend_project("foo", ProjectRecord(Status.QUARANTINED)))
        self.root.chmod(0o755)
        for beside in (f".{SDIST}.json", ".pypid.json"):
            path = self.simple / "foo" / beside
            path.chmod(0)
            with as_nobody(), capturedLogs() as logs:
                self.failure(self.storage.project("foo"), StorageUnavailable)
                self.failure(self.storage.project("foo"), StorageUnavailable)
            path.chmod(0o644)
            [said] = [log["log_format"].format(**log) for log in logs]
            self.assertIn(f"Cannot read '{path}': Permission denied", said)
            self.assertEqual(self.names("foo"), [SDIST])
        (self.simple / "foo" / f"{SDIST}.metadata").chmod(0)
        with as_nobody():
            self.failure(self.storage.sidecar("foo", SDIST, Sidecar.METADATA), StorageUnavailable)
            self.assertEqual(self.names("foo"), [SDIST])

    def test_tree_vanishes(self) -> None:
        """When the whole tree is gone, as a disk that was unmounted, no project seems to be gone."""
        self.put(f"foo/{SDIST}")
        self.settle()
        self.result(self.storage.project("foo"))
        before = self.storage.fingerprint("foo"), self.storage.fingerprint(None)
        self.simple.rename(self.root / "elsewhere")
        self.assertNotEqual(self.storage.fingerprint("foo"), before[0])
        self.assertNotEqual(self.storage.fingerprint(None), before[1])
        self.failure(self.storage.project("foo"), StorageUnavailable)
        self.failure(self.storage.projects(), StorageUnavailable)
        (self.root / "elsewhere").rename(self.simple)
        self.assertEqual(self.names("foo"), [SDIST])

    def test_fault_b1_another_tree_in_its_place(self) -> None:
        """Nor do they when an empty directory is where it was, as one that is made below a mount point."""
        self.put(f"foo/{SDIST}")
        self.put("bar/bar-1.0.tar.gz")
        for settled in (False, True):
            if settled:
                self.settle()
            self.assertEqual(self.projects(), ["bar", "foo"])
            self.result(self.storage.project("foo"))
            self.simple.rename(self.root / "elsewhere")
            self.simple.mkdir()
            for _ in range(2):
                self.failure(self.storage.project("foo"), StorageUnavailable)
                self.failure(self.storage.projects(), StorageUnavailable)
                self.failure(self.storage.content("foo", SDIST), StorageUnavailable)
            self.simple.rmdir()
            (self.root / "elsewhere").rename(self.simple)
            self.assertEqual(self.names("foo"), [SDIST])
            self.assertEqual(self.projects(), ["bar", "foo"])

    def test_fault_b1_tree_vanishes_while_a_listing_holds(self) -> None:
        """Who goes by an older listing does not take it for a removal of projects either."""
        self.patch(projects, "SHORT", -1.0)
        self.patch(projects, "DUTY", 10**9)
        self.put(f"foo/{SDIST}")
        self.put(f"Foo/{SDIST}")
        self.assertEqual(self.names("foo"), [SDIST])
        self.simple.rename(self.root / "elsewhere")
        self.failure(self.storage.project("foo"), StorageUnavailable)
        self.failure(self.storage.projects(), StorageUnavailable)
        self.simple.mkdir()
        self.failure(self.storage.project("foo"), StorageUnavailable)
        self.failure(self.storage.projects(), StorageUnavailable)
