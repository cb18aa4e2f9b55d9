"""An index opened without a daemon, or beside the one that runs."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from pypid.catalog.sqlite import SqliteCatalog
from pypid.changes import Changes
from pypid.errors import CannotStart
from pypid.storage.directory import DirectoryStorage
from pypid.threaded_storage import ThreadedStorage
from pypid.workers import InlineWorkers

__all__ = ["acting_as_owner", "opened", "owned", "root_of", "run"]

T = TypeVar("T")


@contextmanager
def opened(root: Path | None) -> Iterator[Changes]:
    """Open the index of a root, to change what is published in it.

    :raises click.UsageError: no root is given.
    :raises CannotStart: there is no index, or none that this user may change.
    """
    with ExitStack() as stack:
        root = stack.enter_context(owned(root))
        workers = InlineWorkers()
        storage = ThreadedStorage(DirectoryStorage(root), workers, workers)
        catalog = SqliteCatalog(storage, root / ".pypid" / "catalog.sqlite", workers)
        for provider in (storage, catalog):
            provider.open()
            stack.callback(provider.close)
        yield Changes(storage, catalog, lambda: datetime.now(UTC))


@contextmanager
def owned(root: Path | None) -> Iterator[Path]:
    """Act as the owner of an index, and give its root.

    :raises click.UsageError: no root is given.
    :raises CannotStart: there is no index.
    """
    root = root_of(root)
    with ExitStack() as stack:
        try:
            stack.enter_context(acting_as_owner(root / "simple"))
        except (FileNotFoundError, NotADirectoryError):
            raise CannotStart(f"{root} is no index: there is no directory simple in it") from None
        except OSError as error:
            raise CannotStart(f"cannot use {root}: {error.strerror}") from error
        yield root


def root_of(root: Path | None) -> Path:
    """Give the root that was named. :raises click.UsageError: none was."""
    if root is None:
        raise click.UsageError("--root is missing; say which index it is, as in --root /var/pypi")
    return root.absolute()


def run(coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
    """Run a coroutine to its end, here and now: with inline workers there is nothing to wait for."""
    outcome: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(outcome.append)
    [result] = outcome
    if isinstance(result, Failure):
        result.raiseException()
    value: T = result
    return value


@contextmanager
def acting_as_owner(directory: Path) -> Iterator[None]:
    """Let root act as the owner of a directory, lest the daemon meet files that it may not change."""
    owner = directory.stat()
    if os.geteuid() != 0 or owner.st_uid == 0:
        yield
        return
    groups, group = os.getgroups(), os.getegid()
    os.setgroups([])
    os.setegid(owner.st_gid)
    os.seteuid(owner.st_uid)
    try:
        yield
    finally:
        os.seteuid(0)
        os.setegid(group)
        os.setgroups(groups)
