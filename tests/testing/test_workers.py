"""Tests for :mod:`pypid.testing.workers`: it finds everything that is left behind."""

import os
from fcntl import LOCK_EX, flock
from pathlib import Path

import pytest

from pypid.interfaces import IWorkers
from pypid.testing.workers import HeldWorkers, abandon, holdings


def test_holdings(tmp_path: Path) -> None:
    before = holdings(tmp_path)
    descriptor = os.open(tmp_path, os.O_RDONLY)
    flock(descriptor, LOCK_EX)
    (tmp_path / "left").touch()
    after = holdings(tmp_path)
    os.close(descriptor)
    assert (after.descriptors, after.locks) == (before.descriptors + 1, before.locks + 1)
    assert after.files - before.files == {str(tmp_path / "left")}
    assert holdings() == holdings(tmp_path / "missing")


def test_each_moment() -> None:
    workers, seen = HeldWorkers(), list[str]()

    async def two(workers: IWorkers) -> int:
        await workers.run(seen.append, "one")
        await workers.run(seen.append, "two")
        return len(seen)

    afters: list[int] = []
    assert abandon(workers, lambda: two(workers), lambda: afters.append(len(seen))) == 4
    assert seen == ["one", "one", "one", "two", "one", "two", "one", "two"]
    assert afters == [1, 2, 4, 6]
    assert workers.is_idle


def test_what_is_left_is_found(tmp_path: Path) -> None:
    workers, opened = HeldWorkers(), list[int]()

    def leak() -> int:
        opened.append(os.open(tmp_path, os.O_RDONLY))
        return opened[-1]

    async def ask() -> int:
        return await workers.run(leak)

    def after() -> None:
        assert holdings(tmp_path) == before

    before = holdings(tmp_path)
    with pytest.raises(AssertionError):
        abandon(workers, ask, after)
    for descriptor in opened:
        os.close(descriptor)


def test_a_failure_is_raised() -> None:
    workers = HeldWorkers()

    async def fail() -> None:
        await workers.run(int, "x")

    with pytest.raises(ValueError, match="invalid literal"):
        abandon(workers, fail, lambda: None)
