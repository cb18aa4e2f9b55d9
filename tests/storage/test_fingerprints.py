"""Tests of how changes of a tree are noticed."""

from __future__ import annotations

import os
import shutil
import time

from pypid.storage.clock import SETTLED_NS
from pypid.testing.fakes import Synchronous
from pypid.testing.trees import TreeSteps

SDIST = "foo-1.0.tar.gz"


class TestFingerprint(TreeSteps, Synchronous):
    """Fingerprints move with every change that a listing would show."""

    def test_changes(self) -> None:
        """Files that come and go move the fingerprint of their project."""
        path = self.put(f"foo/{SDIST}")
        self.assert_moved("foo", lambda: self.put("foo/foo-2.0.tar.gz"))
        self.assert_moved("foo", path.unlink)
        self.assert_moved("foo", lambda: (self.simple / "foo/foo-2.0.tar.gz").rename(path))

    def test_projects_come_and_go(self) -> None:
        """So do projects, for their own fingerprint and that of all."""
        for project in ("foo", None):
            self.assert_moved(project, lambda: self.put(f"foo/{SDIST}"))
            self.assert_moved(project, lambda: shutil.rmtree(self.simple / "foo"))

    def test_time_set_back(self) -> None:
        """Changes are seen also when the times of the directory are set to what they were."""
        self.put(f"foo/{SDIST}")
        times = (self.simple / "foo").stat()

        def change() -> None:
            self.put("foo/foo-2.0.tar.gz")
            os.utime(self.simple / "foo", ns=(times.st_atime_ns, times.st_mtime_ns))

        self.assert_moved("foo", change)

    def test_within_a_tick(self) -> None:
        """While a second change could have the same time, each fingerprint is a new one."""
        self.put(f"foo/{SDIST}")
        for project in ("foo", None):
            self.assertEqual(len({self.storage.fingerprint(project) for _ in range(100)}), 100)

    def test_other_projects(self) -> None:
        """Another project's change leaves a fingerprint alone, once it is known what changed."""
        self.put(f"foo/{SDIST}")
        self.settle()
        self.result(self.storage.project("foo"))
        before = self.storage.fingerprint("foo")
        self.put("bar/bar-1.zip")
        self.assertNotEqual(self.storage.fingerprint("foo"), before)
        self.result(self.storage.project("bar"))
        self.assertEqual(self.storage.fingerprint("foo"), before)

    def test_another_spelling(self) -> None:
        """A directory in another spelling moves the fingerprint when it comes and when it changes."""
        self.put(f"foo/{SDIST}")
        self.assert_moved("foo", lambda: self.put("FOO/foo-2.0.tar.gz"))
        self.assert_moved("foo", lambda: self.put("FOO/foo-3.0.tar.gz"))
        self.assert_moved("foo", lambda: shutil.rmtree(self.simple / "FOO"))

    def test_copying(self) -> None:
        """A file that is being copied in does not move the directory; still its growth is seen."""
        path = self.put(f"foo/{SDIST}", b"first")
        directory = max((self.simple / name).stat().st_ctime_ns for name in ("", "foo"))
        while path.stat().st_ctime_ns == directory:
            path.write_bytes(b"first")
        # The directory has settled, the file has not.
        self.now = lambda: directory + SETTLED_NS
        self.result(self.storage.project("foo"))
        before = self.storage.fingerprint("foo")
        self.assertEqual(self.files("foo")[0].size, 5)
        path.write_bytes(b"first and second")
        self.assertNotEqual(self.storage.fingerprint("foo"), before)
        self.settle()
        self.assertEqual(self.files("foo")[0].size, 16)
        settled = self.storage.fingerprint("foo")
        self.assertEqual(self.files("foo")[0].size, 16)
        self.assertEqual(self.storage.fingerprint("foo"), settled)

    def test_copying_provenance(self) -> None:
        """Nor does provenance that is being copied in; its growth is seen as well."""
        self.publish(SDIST, b"bytes")
        path = self.put(f"foo/{SDIST}.provenance", b"")
        directory = max((self.simple / name).stat().st_ctime_ns for name in ("", "foo"))
        while path.stat().st_ctime_ns == directory:
            path.write_bytes(b"")
        self.now = lambda: directory + SETTLED_NS
        [file] = self.files("foo")
        before = self.storage.fingerprint("foo")
        path.write_bytes(b"{}")
        self.assertNotEqual(self.files("foo")[0].provenance, file.provenance)
        self.assertNotEqual(self.storage.fingerprint("foo"), before)
        self.settle()
        self.files("foo")
        settled = self.storage.fingerprint("foo")
        self.files("foo")
        self.assertEqual(self.storage.fingerprint("foo"), settled)

    def test_published_is_settled(self) -> None:
        """A published file is whole from the start: no need to look again, whatever its age."""
        self.publish(SDIST, b"bytes")
        directory = max((self.simple / name).stat().st_ctime_ns for name in ("", "foo"))
        self.now = lambda: directory + SETTLED_NS
        self.result(self.storage.project("foo"))
        before = self.storage.fingerprint("foo")
        self.result(self.storage.project("foo"))
        self.assertEqual(self.storage.fingerprint("foo"), before)

    def test_b276_clock(self) -> None:
        """A clock that jumps by years leaves fingerprints alone."""
        self.put(f"foo/{SDIST}")
        fingerprints = set()
        for years in (-10, 10):
            self.now = lambda years=years: time.time_ns() + years * 365 * 86400 * 1_000_000_000  # type: ignore[misc]
            self.result(self.storage.project("foo"))
            fingerprints.add(self.storage.fingerprint("foo"))
        self.assertEqual(len(fingerprints), 1)
