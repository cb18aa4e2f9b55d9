"""Tests for :mod:`pypid.storage.visits`, and for what a visit to a directory sees."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from pypid.interfaces import IStorage
from pypid.model import StoredProject
from pypid.storage.visits import AtOnce, outcome_of
from pypid.testing.fakes import Synchronous
from pypid.testing.trees import TreeSteps


async def double(number: int) -> int:
    return 2 * await AtOnce().run(int, str(number))


def test_the_outcome_of_what_does_not_wait() -> None:
    assert outcome_of(double(2)) == 4
    with pytest.raises(ValueError, match="'x'"):
        outcome_of(AtOnce().run(int, "x"))


def test_what_waits_is_a_defect() -> None:
    with pytest.raises(RuntimeError):
        outcome_of(asyncio.sleep(0))


class VisitTests(TreeSteps, Synchronous):
    """A directory tree, of which all was changed just now."""

    def test_directories_are_those_that_there_were(self) -> None:
        """They are listed once; what came later moves the fingerprint."""
        self.put("foo/foo-1.0.tar.gz")

        async def ask(storage: IStorage) -> tuple[Sequence[str], StoredProject | None]:
            self.put("Foo/foo-2.0.tar.gz")
            return await storage.projects(), await storage.project("foo")

        before = self.storage.fingerprint("foo")
        names, project = self.result(self.storage.visit(ask))
        assert project is not None
        self.assertEqual((names, [file.filename for file in project.files]), (["foo"], ["foo-1.0.tar.gz"]))
        self.assertNotEqual(self.storage.fingerprint("foo"), before)
        later = self.result(self.storage.project("foo"))
        assert later is not None
        self.assertEqual(len(later.files), 2)

    def test_a_file_becomes_a_directory(self) -> None:
        """It is a project at once, although the names in the directory are the same."""
        self.put("foo/foo-1.0.tar.gz")
        (self.simple / "bar").write_bytes(b"")
        self.assertEqual(self.projects(), ["foo"])
        (self.simple / "bar").unlink()
        (self.simple / "bar").mkdir()
        self.assertEqual(self.projects(), ["bar", "foo"])
