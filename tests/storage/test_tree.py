"""Tests of trees that were made by hand."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime

from twisted.logger import capturedLogs

from pypid.errors import FileExists, StorageUnavailable
from pypid.model import FileRecord
from pypid.names import Sidecar
from pypid.storage.records import to_json
from pypid.testing.fakes import Synchronous
from pypid.testing.steps import publication
from pypid.testing.trees import TreeSteps, as_nobody

SDIST = "foo-1.0.tar.gz"
RECORD = to_json(FileRecord(datetime(2026, 1, 1, tzinfo=UTC), "alice", 5, 1, "0" * 64), "foo", SDIST)


class TestByHand(TreeSteps, Synchronous):
    """The tree is the truth."""

    def test_copied_file(self) -> None:
        """A file that was copied in is listed at once, without a record."""
        path = self.put(f"foo/{SDIST}")
        self.assertEqual(self.projects(), ["foo"])
        [file] = self.files("foo")
        status = path.stat()
        self.assertEqual((file.filename, file.size, file.record), (SDIST, 5, None))
        self.assertEqual((file.modified_ns, file.identity), (status.st_mtime_ns, status.st_ino))
        self.assertFalse(file.untouched)
        self.assertEqual(self.bytes_of("foo", SDIST), b"bytes")

    def test_plain_tree(self) -> None:
        """A tree that Apache served so far works as it stands."""
        for path in ("pip/pip-1.0.2.tar.gz", "pip/index.html", "pip/.htaccess", "index.html", "favicon.ico"):
            self.put(path) if "/" in path else (self.simple / path).write_bytes(b"")
        self.assertEqual(self.projects(), ["pip"])
        self.assertEqual(self.names("pip"), ["pip-1.0.2.tar.gz"])

    def test_fault_b4_directory_without_files(self) -> None:
        """A directory with nothing of a project in it is none, and hides no upstream's project."""
        (self.simple / "foo" / "old" / "1.x").mkdir(parents=True)
        (self.simple / "foo" / "old" / "1.x" / SDIST).write_bytes(b"bytes")
        (self.simple / "Foo").mkdir()
        self.put("foo/README")
        self.put("bar/bar-1.zip")
        with capturedLogs() as logs:
            self.assertEqual(self.projects(), ["bar"])
        self.assertEqual(logs, [])  # its first file might just be coming
        self.settle()
        with capturedLogs() as logs:
            for _ in range(2):
                self.assertEqual(self.projects(), ["bar"])
                self.assertIsNone(self.names("foo"))
        said = [log["log_format"].format(**log) for log in logs]
        self.assertEqual(len(said), 2, said)
        self.assertIn("`--reserve foo`", said[0])

    def test_fault_b4_files_come_and_go(self) -> None:
        """What comes into such a directory makes it a project at once; a record keeps it one."""
        (self.simple / "foo").mkdir()
        for name, stays in (
            (SDIST, False),
            (f".{SDIST}.json", True),
            (".pypid.json", True),
        ):
            self.settle()
            self.assertEqual(self.projects(), [])
            before = self.storage.fingerprint(None)
            self.assertEqual(self.storage.fingerprint(None), before)
            record = b'{"status": "active"}' if name == ".pypid.json" else RECORD
            path = self.put(f"foo/{name}", record)
            self.assertNotEqual(self.storage.fingerprint(None), before)
            self.assertEqual(self.projects(), ["foo"])
            self.assertEqual(self.names("foo"), [] if stays else [SDIST])
            path.unlink()
            self.assertIsNone(self.names("foo"))

    def test_fault_b4_unreadable_directory_is_a_project(self) -> None:
        """It is not known to be empty."""
        (self.simple / "foo").mkdir(mode=0)
        self.root.chmod(0o755)
        with as_nobody():
            self.assertEqual(self.projects(), ["foo"])
            self.failure(self.storage.project("foo"), StorageUnavailable)
        self.assertEqual(self.projects(), [])

    def test_removed_file(self) -> None:
        """A file that was removed is gone at once, and its name may be used again."""
        self.publish(SDIST, b"first", b"Name: first")
        (self.simple / "foo" / SDIST).unlink()
        self.assertEqual(self.names("foo"), [])
        self.assertIsNone(self.sidecar("foo", SDIST, Sidecar.METADATA))
        record = self.publish(SDIST, b"second")
        [file] = self.files("foo")
        self.assertEqual(file.record, record)
        self.assertIsNone(self.sidecar("foo", SDIST, Sidecar.METADATA))

    def test_b278_replaced_file(self) -> None:
        """What was recorded of a file does not hold for another one."""
        self.publish(SDIST, b"first", b"Name: first")
        self.put(f"foo/{SDIST}", b"other")
        [file] = self.files("foo")
        self.assertFalse(file.untouched)

    def test_sidecars_by_hand(self) -> None:
        """What somebody put beside a file is given, and listed; so it is in any of its directories."""
        for directory, filename in (("foo", SDIST), ("FOO", "foo-2.0.zip")):
            self.put(f"{directory}/{filename}")
            for sidecar in Sidecar:
                self.put(f"{directory}/{sidecar.of(filename)}", sidecar.name.encode())
        for file in self.files("foo"):
            for sidecar in Sidecar:
                self.assertEqual(self.sidecar("foo", file.filename, sidecar), sidecar.name.encode())
            self.assertTrue(file.signed)
            self.assertIsNotNone(file.provenance)

    def test_sidecars_of_nothing(self) -> None:
        """What lies beside no file is not given."""
        for sidecar in Sidecar:
            self.put(f"foo/{sidecar.of(SDIST)}")
            self.assertIsNone(self.sidecar("foo", SDIST, sidecar))
        self.assertIsNone(self.names("foo"))

    def test_sidecars_come_and_go(self) -> None:
        """What is put beside a published file is listed with it, and so is that it is gone."""
        self.publish(SDIST, b"bytes")
        for sidecar in (Sidecar.SIGNATURE, Sidecar.PROVENANCE):
            path = self.put(f"foo/{sidecar.of(SDIST)}")
            [file] = self.files("foo")
            self.assertEqual(file.signed, sidecar is Sidecar.SIGNATURE)
            self.assertEqual(file.provenance is not None, sidecar is Sidecar.PROVENANCE)
            path.unlink()
            [file] = self.files("foo")
            self.assertEqual((file.signed, file.provenance), (False, None))

    def test_copied_tree(self) -> None:
        """A copy of the tree with its times is a whole backup."""
        self.publish(SDIST, b"bytes", b"Name: foo", b"signature", b"{}")
        before = self.files("foo")
        shutil.copytree(self.simple / "foo", self.root / "backup")
        shutil.rmtree(self.simple / "foo")
        shutil.copytree(self.root / "backup", self.simple / "foo")
        [file] = self.files("foo")
        self.assertTrue(file.untouched)
        self.assertEqual([file.record], [one.record for one in before])
        kept = [self.sidecar("foo", SDIST, sidecar) for sidecar in Sidecar]
        self.assertEqual(kept, [b"Name: foo", b"signature", b"{}"])
        self.assertTrue(file.signed)
        self.assertIsNotNone(file.provenance)

    def test_fault_b1_broken_records(self) -> None:
        """What a record says is not known if it is damaged, so its project is not; the log says it once."""
        self.put(f"foo/{SDIST}")
        for data in (b"", b"nonsense", b"[" * 100_000, b"{}"):
            path = self.put(f"foo/.{SDIST}.json", data)
            with capturedLogs() as logs:
                for _ in range(3):
                    self.failure(self.storage.project("foo"), StorageUnavailable)
            [said] = [log["log_format"].format(**log) for log in logs]
            self.assertIn(f"Cannot read '{path}': it is no record: ", said)
            self.assertIn("; restore it from a backup, or remove it to do without what it says", said)
            path.unlink()
            self.assertEqual(self.names("foo"), [SDIST])
        path.mkdir()
        self.assertEqual([file.record for file in self.files("foo")], [None])

    def test_fault_b1_broken_tombstone(self) -> None:
        """The name of a removed file is not free only because its tombstone is damaged."""
        self.put("foo/foo-2.0.zip")
        self.put(f"foo/.{SDIST}.json", b"nonsense")
        self.failure(self.storage.project("foo"), StorageUnavailable)


class TestSpellings(TreeSteps, Synchronous):
    """Directories may have a name that is not normalized."""

    def test_listed(self) -> None:
        """Their files are those of the project."""
        self.put("PyYAML/PyYAML-6.0.tar.gz")
        self.put("zope.interface/zope.interface-5.0.tar.gz")
        self.assertEqual(self.projects(), ["pyyaml", "zope-interface"])
        self.assertEqual(self.names("pyyaml"), ["PyYAML-6.0.tar.gz"])
        self.assertEqual(self.bytes_of("zope-interface", "zope.interface-5.0.tar.gz"), b"bytes")
        self.assertIsNone(self.names("yaml"))

    def test_several(self) -> None:
        """The files of several directories are listed together; the normalized one goes first."""
        self.put("foo-bar/foo-bar-1.zip", b"normalized")
        self.put("Foo_Bar/foo-bar-1.zip", b"other")
        self.put("Foo_Bar/Foo_Bar-2.zip", b"second")
        self.assertEqual(self.projects(), ["foo-bar"])
        self.assertEqual(self.names("foo-bar"), ["Foo_Bar-2.zip", "foo-bar-1.zip"])
        self.assertEqual(self.bytes_of("foo-bar", "foo-bar-1.zip"), b"normalized")
        self.assertEqual(self.files("foo-bar")[1].size, len(b"normalized"))

    def test_publish(self) -> None:
        """New files go to the normalized directory; names in the others are taken."""
        self.put("PyYAML/PyYAML-6.0.tar.gz")
        self.publish("pyyaml-6.1.tar.gz", b"new")
        self.assertEqual((self.simple / "pyyaml" / "pyyaml-6.1.tar.gz").read_bytes(), b"new")
        staging = self.stage(b"new")
        self.failure(staging.publish(publication("pyyaml-6.0.tar.gz", b"new")), FileExists)
        self.assertEqual(self.names("pyyaml"), ["PyYAML-6.0.tar.gz", "pyyaml-6.1.tar.gz"])

    def test_refused_publish_makes_no_directory(self) -> None:
        """Where a name is taken in another spelling, no normalized directory is left."""
        self.put("PyYAML/PyYAML-6.0.tar.gz")
        self.failure(self.stage(b"").publish(publication("PyYAML-6.0.tar.gz", b"")), FileExists)
        self.assertEqual([path.name for path in self.simple.iterdir()], ["PyYAML"])
