"""Tests of the detection of changes in a tree."""

from __future__ import annotations

import os
import shutil
import time

from twisted.trial.unittest import SynchronousTestCase

from pypid.storage.change_detector import SETTLED_NS, ChangeDetector
from pypid.storage.projects import LONGEST, Projects
from pypid.storage.warn_once import WarnOnce
from pypid.testing.fakes import Synchronous
from pypid.testing.steps import scratch
from pypid.testing.trees import TreeSteps

SDIST = "foo-1.0.tar.gz"


class TestFingerprint(TreeSteps, Synchronous):
    """Fingerprints move with every change that a listing would show."""

    def test_a_file_becomes_a_directory(self) -> None:
        """It is a project at once, although the names in the directory are the same."""
        self.put("foo/foo-1.0.tar.gz")
        (self.simple / "bar").write_bytes(b"")
        self.assertEqual(self.projects(), ["foo"])
        (self.simple / "bar").unlink()
        self.put("bar/bar-1.0.tar.gz")
        self.assertEqual(self.projects(), ["bar", "foo"])

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

    def test_fault_a7_other_projects(self) -> None:
        """What other projects do leaves a fingerprint alone, from their coming to their going."""
        self.put(f"foo/{SDIST}")
        self.put("spelled/spelled-1.zip")
        self.put("Spelled/spelled-2.zip")
        last = max(path.stat().st_ctime_ns for path in self.simple.iterdir())
        self.now = lambda: last + SETTLED_NS  # what is done from now on has not settled
        self.result(self.storage.project("foo"))
        before = [self.storage.fingerprint(name) for name in ("foo", "spelled")]
        path = self.put("bar/bar-1.zip")
        for change in (
            lambda: self.put("bar/bar-2.zip"),
            lambda: self.put("Baz/baz-1.zip"),
            lambda: shutil.rmtree(path.parent),
            lambda: self.publish("new-1.0.tar.gz", b"bytes"),
        ):
            self.assertEqual([self.storage.fingerprint(name) for name in ("foo", "spelled")], before)
            change()
        self.result(self.storage.projects())
        self.assertEqual([self.storage.fingerprint(name) for name in ("foo", "spelled")], before)

    def test_fault_a7_what_is_not_here(self) -> None:
        """Nor does it move the fingerprint of what is not here, unless it is in another spelling."""
        self.put(f"foo/{SDIST}")
        self.settle()
        self.assertIsNone(self.result(self.storage.project("py-yaml")))
        before = self.storage.fingerprint("py-yaml")
        self.put("bar/bar-1.zip")
        self.assertEqual(self.storage.fingerprint("py-yaml"), before)
        self.put("Py.YAML/Py.YAML-1.zip")
        self.assertNotEqual(self.storage.fingerprint("py-yaml"), before)

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


class TestLongListing(SynchronousTestCase):
    """Where it takes long to list the projects, that is not done with each of them that comes."""

    def setUp(self) -> None:
        """Make a directory that takes half a second to list."""
        self.simple = scratch(self)
        self.passed = 0.0
        for name in ("foo", "Bar"):
            (self.simple / name).mkdir()
        notices = WarnOnce()
        self.projects = Projects(
            self.simple, ChangeDetector(lambda: time.time_ns() + 5 * SETTLED_NS), notices, self.seconds
        )
        self.assertEqual(self.projects.names(), ["bar", "foo"])

    def seconds(self) -> float:
        """Return the time, which advances with each call: twice in each listing, and more often outside."""
        self.passed += 0.05
        return self.passed

    def test_fault_a7_known(self) -> None:
        """The stamp of a project that is here is made without a listing, and stands still."""
        before = [self.projects.stamp(name) for name in ("foo", "bar")]
        names = self.projects.names()
        for number in range(100):
            (self.simple / f"new-{number}").mkdir()
            self.assertEqual([self.projects.stamp(name) for name in ("foo", "bar")], before)
        self.passed += LONGEST
        self.assertEqual([self.projects.stamp(name) for name in ("foo", "bar")], before)
        self.assertEqual(len(self.projects.names()), len(names) + 100)
        self.assertEqual([self.projects.stamp(name) for name in ("foo", "bar")], before)

    def test_fault_a7_a_listing_holds(self) -> None:
        """A listing is good for a moment, then for a while only what is certain is answered."""
        absent = self.projects.stamp("baz")
        (self.simple / "Baz").mkdir()
        self.assertEqual(self.projects.stamp("baz"), absent)
        self.assertEqual(list(self.projects.spellings("baz")), ["baz"])
        self.passed += LONGEST
        # Now nobody is told that it is not here; and who lists finds it.
        self.assertNotEqual(self.projects.stamp("baz"), absent)
        self.assertNotEqual(self.projects.stamp("baz"), self.projects.stamp("baz"))
        self.assertEqual(list(self.projects.spellings("baz")), ["baz", "Baz"])
        self.assertEqual(self.projects.stamp("baz"), self.projects.stamp("baz"))

    def test_fault_a7_another_spelling(self) -> None:
        """A directory in another spelling moves the stamp of a project that is here with the next listing."""
        before = self.projects.stamp("foo")
        (self.simple / "FOO").mkdir()
        self.passed += LONGEST
        self.assertEqual(self.projects.stamp("foo"), before)
        self.projects.names()
        self.assertNotEqual(self.projects.stamp("foo"), before)
        (self.simple / "foo").rmdir()
        self.assertNotEqual(self.projects.stamp("foo"), before)
        self.passed += LONGEST
        self.assertEqual(self.projects.names(), ["bar", "foo"])
        (self.simple / "FOO").rmdir()
        self.passed += LONGEST
        self.assertEqual(self.projects.names(), ["bar"])
