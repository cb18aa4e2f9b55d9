"""Tests on real disks that are full, read-only, or the wrong one."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from unittest import SkipTest

from twisted.internet.defer import Deferred

from pypid.errors import CannotStart, OutOfSpace, StorageUnavailable
from pypid.interfaces import IStorage
from pypid.storage.directory import DirectoryStorage
from pypid.testing.fakes import Synchronous
from pypid.testing.steps import StorageSteps, publication


class SmallDisk(StorageSteps):
    """Has its root on a file system of its own."""

    options = "size=1m"

    def make_storage(self) -> IStorage:
        if os.getuid() != 0:
            raise SkipTest("needs root, to mount a small tmpfs")
        self.root = Path(mkdtemp())
        self.addCleanup(self.root.rmdir)
        command = ["mount", "-t", "tmpfs", "-o", self.options, "tmpfs", str(self.root)]
        mounted = subprocess.run(command, capture_output=True, text=True)
        if mounted.returncode != 0:
            raise SkipTest(f"needs the right to mount a tmpfs (CAP_SYS_ADMIN): {mounted.stderr}")
        self.addCleanup(subprocess.run, ["umount", "-l", str(self.root)], check=True)
        return DirectoryStorage(self.root)


class FullDisk(SmallDisk):
    """Fills its disk."""

    size: int
    """How many bytes each file has."""
    numbers = iter(range(200))

    async def publish_next(self) -> None:
        """Publish one more file, as the index does."""
        staging = await self.storage.stage()
        try:
            data = b"x" * self.size
            staging.write(data)
            await staging.publish(publication(f"foo-{next(self.numbers)}.zip", data, b"Name: foo"))
        finally:
            await staging.discard()

    def publish_until_full(self) -> int:
        """Publish files until one is refused; return how many were published."""
        published = 0
        refusals: list[OutOfSpace] = []
        while not refusals:
            publishing = Deferred.fromCoroutine(self.publish_next())
            publishing.addErrback(lambda failure: refusals.append(failure.trap(OutOfSpace)))
            published += not refusals
        return published

    def test_full(self) -> None:
        """Uploads are refused and leave nothing; reading goes on; it heals by itself."""
        published = self.publish_until_full()
        self.assertGreaterEqual(published, 5)
        self.assertEqual(self.publish_until_full(), 0)
        self.assertEqual(len(self.files("foo")), published)
        self.assertEqual(self.bytes_of("foo", "foo-0.zip"), b"x" * self.size)
        self.assertEqual(list(self.root.glob(".pypid/staging/*/*")), [])
        self.assertEqual(len(list((self.root / "simple" / "foo").iterdir())), 3 * published)
        for path in (self.root / "simple" / "foo").glob("*foo-0.zip*"):
            path.unlink()
        self.assertEqual(self.publish_until_full(), 1)


class TestOutOfBytes(FullDisk, Synchronous):
    """T67, B270: no room for more bytes."""

    size = 100_000
    numbers = iter(range(200))


class TestOutOfInodes(FullDisk, Synchronous):
    """T68, B271: no room for more files."""

    options = "size=64m,nr_inodes=40"
    size = 10
    numbers = iter(range(200))


class TestMounts(SmallDisk, Synchronous):
    """Disks that are not as they were, or should be."""

    def refusal(self) -> str:
        with self.assertRaises(CannotStart) as caught:
            DirectoryStorage(self.root).open()
        return str(caught.exception)

    def test_other_file_system(self) -> None:
        """Staging that is a mount of its own is refused."""
        staging = str(self.root / ".pypid" / "staging")
        # A bind mount has the same device number; links across it fail all the same.
        subprocess.run(["mount", "--bind", staging, staging], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", staging], check=True)
        self.assertIn("must be on one file system", self.refusal())

    def test_b273_read_only(self) -> None:
        """A disk that becomes read-only goes on serving, and takes uploads when it is mended."""
        self.publish("foo-1.0.tar.gz", b"bytes")
        subprocess.run(["mount", "-o", "remount,ro", str(self.root)], check=True)
        self.failure(self.storage.stage(), StorageUnavailable)
        self.assertEqual(self.bytes_of("foo", "foo-1.0.tar.gz"), b"bytes")
        self.assertIn("cannot write to", self.refusal())
        subprocess.run(["mount", "-o", "remount,rw", str(self.root)], check=True)
        self.publish("foo-2.0.tar.gz", b"bytes")
