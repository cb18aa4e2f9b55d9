"""Tests of disks that are full or broken, and of processes that die, at each operation of a publish."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Sequence
from errno import EACCES, EDQUOT, EIO, ENOSPC, EROFS, ESTALE
from pathlib import Path
from typing import Any

import pytest
from twisted.logger import capturedLogs

from pypid.errors import OutOfSpace, PypidError, StorageRefused, StorageUnavailable
from pypid.interfaces import IStorage
from pypid.names import Sidecar
from pypid.storage.directory import DirectoryStorage
from pypid.storage.operations import Operations
from pypid.testing.fakes import Synchronous
from pypid.testing.inline import InlineStaged, InlineStorage
from pypid.testing.steps import StorageSteps, now, publication, scratch

SDIST = "foo-1.0.tar.gz"
DATA = b"sdist" * 1000
SIDECARS = (b"Name: foo", b"signature", b"provenance")
LINKS = 2 + len(SIDECARS)
"""So many links a publish makes: record, sidecar files and archive; with the last it is done."""

Rule = Callable[[int, str], BaseException | None]
"""Returns the error of the operation with that number and name; ``None`` if it succeeds."""


class Died(BaseException):
    """The process is no more."""


class Faulty(Operations):
    """Operations that fail, when armed, by a rule."""

    def __init__(self) -> None:
        self.rule: Rule | None = None
        self.names: list[str] = []

    def __getattribute__(self, name: str) -> Any:
        operation = super().__getattribute__(name)
        if name not in vars(Operations) or name.startswith("_"):
            return operation

        def run(*args: Any) -> Any:
            if self.rule is not None:
                self.names.append(name)
                if (error := self.rule(len(self.names) - 1, name)) is not None:
                    raise error
            return operation(*args)

        return run


class Faults(StorageSteps):
    """Publishes one file with faults."""

    def make_storage(self) -> IStorage:
        self.root = scratch(self)
        self.faulty = Faulty()
        return DirectoryStorage(self.root, self.faulty)

    def tree(self) -> Sequence[str]:
        """Return the paths of all there is, but for what processes hold to stage in."""
        paths = [path.relative_to(self.root) for path in self.root.rglob("*")]
        return sorted(str(path) for path in paths if path.parent != Path(".pypid/staging"))

    def publish_with(self, rule: Rule) -> tuple[BaseException | None, Sequence[str]]:
        """Publish under a rule. Give the error, and the names of the operations."""
        self.faulty.names = []
        self.faulty.rule = rule
        staging: InlineStaged | None = None
        try:
            staging = now(self.storage.stage())
            staging.write(DATA)
            now(staging.publish(publication(SDIST, DATA, *SIDECARS)))
        except (PypidError, Died) as error:
            return error, self.faulty.names
        finally:
            self.faulty.rule = None
            if staging is not None:
                self.result(staging.discard())
        return None, self.faulty.names

    def assert_whole(self) -> None:
        """Check that the file is there with all that belongs to it."""
        self.assertEqual(self.bytes_of("foo", SDIST), DATA)
        self.assertEqual(self.kept(), list(SIDECARS))
        [file] = self.files("foo")
        self.assertTrue(file.untouched)

    def kept(self) -> list[bytes | None]:
        """Return what is kept beside the file."""
        return [self.sidecar("foo", SDIST, sidecar) for sidecar in Sidecar]

    def fail_at_each(self, make_rule: Callable[[int], Rule]) -> list[tuple[str, BaseException | None]]:
        """Publish with a fault at each operation in turn; see that it is all or nothing each time."""
        faults = []
        shutil.rmtree(self.simple / "foo", ignore_errors=True)
        count = len(self.publish_with(lambda number, name: None)[1])
        for number in range(count):
            shutil.rmtree(self.simple / "foo", ignore_errors=True)
            before = self.tree()
            error, names = self.publish_with(make_rule(number))
            faults.append((names[number], error))
            if error is None:
                self.assert_whole()
            else:
                self.assertNotIn("\n", str(error))
                self.assertEqual(self.tree(), before)
                # And it heals by itself.
                self.publish(SDIST, DATA, *SIDECARS)
                self.assert_whole()
            self.clear_staging()
        return faults

    def clear_staging(self) -> None:
        """Remove what could not be removed after a publish."""
        for path in self.root.glob(".pypid/staging/*/*"):
            path.unlink()

    @property
    def simple(self) -> Path:
        return self.root / "simple"


def once(code: int, number: int) -> Rule:
    """Fail with one operation."""
    return lambda at, name: OSError(code, os.strerror(code)) if at == number else None


def from_then_on(code: int, number: int, *names: str) -> Rule:
    """Fail with an operation, and with all later ones of those names."""
    return lambda at, name: (
        OSError(code, os.strerror(code)) if at == number or (at > number and name in names) else None
    )


class TestFaults(Faults, Synchronous):
    """A publish is all or nothing, whatever fails (T67-T69, B269)."""

    def test_t67_full(self) -> None:
        """A disk that is full, at any point, leaves nothing and says so."""
        for code in (ENOSPC, EDQUOT):
            faults = self.fail_at_each(lambda number, code=code: once(code, number))  # type: ignore[misc]
            failed = [(name, error) for name, error in faults if error is not None]
            self.assertGreater(len(failed), 15)
            for _, error in failed:
                self.assertIsInstance(error, OutOfSpace)
            # What is left over in staging after the commit is no reason to fail.
            self.assertEqual({name for name, error in faults if error is None}, {"unlink"})

    def test_t67_stays_full(self) -> None:
        """So does a disk that stays full while the publish is being undone."""
        self.fail_at_each(lambda n: from_then_on(ENOSPC, n, "create", "write", "mkdir", "link", "sync"))

    def test_t69_broken(self) -> None:
        """A disk that fails in other ways leaves nothing as well; trying later may help."""
        for code in (EIO, ESTALE):
            for _, error in self.fail_at_each(lambda number, code=code: once(code, number)):  # type: ignore[misc]
                if error is not None:
                    self.assertIs(type(error), StorageUnavailable)
                    self.assertIn("now; try again later", str(error))

    @pytest.mark.slow
    def test_fault_b3_not_permitted(self) -> None:
        """What is not permitted is told as that, and not as something that may work later."""
        for code, reason in ((EACCES, "permission denied"), (EROFS, "read-only file system")):
            with capturedLogs() as logs:
                faults = self.fail_at_each(lambda number, code=code: once(code, number))  # type: ignore[misc]
            refused = [error for _, error in faults if error is not None]
            self.assertGreater(len(refused), 15)
            for error in refused:
                self.assertIsInstance(error, StorageRefused)
                self.assertIn(f": {reason}; to send it again is in vain until", str(error))
            said = [log["log_format"].format(**log) for log in logs]
            remedy = "; it must belong to the user " if code == EACCES else "; the file system is mounted"
            self.assertTrue(all(remedy in line for line in said if line.startswith("The storage")), said)

    def test_t69_broken_for_good(self) -> None:
        """A disk that fails from some point on, in all ways, never shows a half; a restart clears it."""
        count = len(self.publish_with(lambda number, name: None)[1])
        for number in range(count):
            shutil.rmtree(self.simple / "foo", ignore_errors=True)
            error, names = self.publish_with(from_then_on(EIO, number, *vars(Operations)))
            committed = names[:number].count("link") == LINKS
            self.restart()
            if error is None or committed:
                self.assert_whole()
            else:
                self.assertEqual(self.tree(), [".pypid", ".pypid/staging", "simple"])

    def test_t69_broken_while_undone(self) -> None:
        """What could not be undone after a failure is undone by a restart."""
        count = len(self.publish_with(lambda number, name: None)[1])
        for number in range(count):
            shutil.rmtree(self.simple / "foo", ignore_errors=True)
            failures = iter([OSError(EIO, "first"), OSError(EIO, "second")])

            def rule(at: int, name: str, number: int = number, failures: Any = failures) -> Any:
                return next(failures, None) if at == number or (at > number and name == "unlink") else None

            error, _ = self.publish_with(rule)
            self.restart()
            if error is None or self.names("foo"):
                self.assert_whole()
            else:
                self.assertEqual(self.tree(), [".pypid", ".pypid/staging", "simple"])

    def test_death_while_undone(self) -> None:
        """A process that dies while it undoes a publish leaves no half of it either."""
        for later in range(1, 12):
            shutil.rmtree(self.simple / "foo", ignore_errors=True)
            _, names = self.publish_with(lambda number, name: None)
            last = max(at for at, name in enumerate(names) if name == "sync")
            shutil.rmtree(self.simple / "foo", ignore_errors=True)

            def rule(at: int, name: str, later: int = later, last: int = last) -> Any:
                if at == last:
                    return OSError(EIO, "Input/output error")
                return Died() if at >= last + later else None

            self.publish_with(rule)
            self.restart()
            if self.names("foo"):
                self.assert_whole()
            else:
                self.assertEqual(self.tree(), [".pypid", ".pypid/staging", "simple"])

    def test_t69_failed_fsync(self) -> None:
        """After an fsync of the file that failed, it is not tried again, and nothing is published."""
        error, names = self.publish_with(
            lambda number, name: OSError(EIO, "Input/output error") if name == "sync" else None
        )
        self.assertIsInstance(error, StorageUnavailable)
        self.assertEqual(names, ["create", "write", "sync", "unlink"])

    def test_b268_death(self) -> None:
        """A process that dies before any operation leaves what the next one makes whole or nothing of."""
        count = len(self.publish_with(lambda number, name: None)[1])
        for number in range(count):
            shutil.rmtree(self.simple / "foo", ignore_errors=True)
            error, names = self.publish_with(
                lambda at, name, number=number: Died() if at >= number else None  # type: ignore[misc]
            )
            self.assertIsInstance(error, Died)
            committed = names[:number].count("link") == LINKS
            self.restart()
            if committed:
                self.assert_whole()
            else:
                self.assertEqual(self.tree(), [".pypid", ".pypid/staging", "simple"])

    def test_death_of_a_rival(self) -> None:
        """What a process left that died is no hindrance for others, nor do they lose by its sweeping."""
        self.publish_with(lambda number, name: None)
        count = len(self.faulty.names)
        for number in range(count):
            shutil.rmtree(self.simple / "foo", ignore_errors=True)
            self.publish_with(lambda at, name, number=number: Died() if at >= number else None)  # type: ignore[misc]
            rival = InlineStorage(DirectoryStorage(self.root))
            rival.open()
            staging = self.result(rival.stage())
            staging.write(b"rival")
            with contextlib.suppress(PypidError):
                now(staging.publish(publication(SDIST, b"rival", b"Name: rival")))
            self.restart()
            rival.close()
            if self.bytes_of("foo", SDIST) == b"rival":
                self.assertEqual(self.kept(), [b"Name: rival", None, None])
                self.assertTrue(self.files("foo")[0].untouched)
            else:
                self.assert_whole()

    def restart(self) -> None:
        """End the process without a word, and start another one."""
        os.close(self.storage.blocking._area.directory)  # type: ignore[attr-defined]
        self.storage.blocking._area.directory = -1  # type: ignore[attr-defined]
        self.faulty = Faulty()
        self.storage = InlineStorage(DirectoryStorage(self.root, self.faulty))
        self.storage.open()
        self.addCleanup(self.storage.close)
