"""The opening of an index by the command, whether its daemon runs or not."""

from __future__ import annotations

import os
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from pypid.catalog.sqlite import SqliteCatalog
from pypid.daemon.assembly import default_storage, make_catalog, make_storage
from pypid.daemon.plugin_loading import load_plugins
from pypid.errors import CannotStart, ConfigurationError
from pypid.index.administration import ProjectAdministration
from pypid.interfaces import IContext, IWorkers
from pypid.runtime.layout import Layout
from pypid.runtime.workers import InlineWorkers

__all__ = ["IndexOptions", "acting_as_owner", "opened", "opened_catalog", "owned", "run"]

T = TypeVar("T")


@frozen
class IndexOptions:
    """The options of all verbs, which select the index."""

    root: Path | None = None
    """The root directory, if one was given."""
    storage: str | None = None
    """The description of the storage; ``None`` for the default."""

    @property
    def path(self) -> Path:
        """The root directory as an absolute path. :raises click.UsageError: none was given."""
        if self.root is None:
            raise click.UsageError("--root is missing; say which index it is, as in --root /var/pypi")
        return self.root.absolute()

    @property
    def layout(self) -> Layout:
        """The layout of the root directory. :raises click.UsageError: no root was given."""
        return Layout(self.path)

    @property
    def files(self) -> Path | None:
        """The directory of the projects; ``None`` if the storage is not a directory."""
        prefix, _, argument = (self.storage or default_storage(self.path)).partition(":")
        return Layout(Path(argument).absolute()).projects if prefix == "directory" else None


@implementer(IContext)
@frozen
class _Context:
    """The context of factories for a command that does one thing at a time."""

    root: Path

    @property
    def reactor(self) -> Any:
        """The reactor, which is not running."""
        from twisted.internet import reactor

        return reactor

    def workers(self, name: str, threads: int) -> IWorkers:  # noqa: ARG002
        """Return workers that call functions immediately."""
        return InlineWorkers()


@contextmanager
def opened_catalog(index: IndexOptions) -> Iterator[SqliteCatalog]:
    """Open the storage of an index and its catalog, and yield the catalog.

    :raises ConfigurationError: there is no such storage, or a command cannot see its content.
    :raises CannotStart: storage or catalog cannot be opened.
    """
    if (index.storage or "").partition(":")[0] == "memory":
        raise ConfigurationError("--storage memory: what is in the memory of a daemon no command can see")
    context = _Context(index.path)
    storage = make_storage(load_plugins(), index.storage or default_storage(index.path), context)
    catalog = make_catalog(storage, context, sweeping=False)
    with ExitStack() as stack:
        for provider in (storage, catalog):
            provider.open()
            stack.callback(provider.close)
        yield catalog


@contextmanager
def opened(index: IndexOptions) -> Iterator[ProjectAdministration]:
    """Open an index, and yield the administration of its projects.

    :raises click.UsageError: no root was given.
    :raises ConfigurationError: there is no such storage, or a command cannot see its content.
    :raises CannotStart: there is no index, or this user may not change it.
    """
    with owned(index), opened_catalog(index) as catalog:
        yield ProjectAdministration(catalog.storage, catalog, lambda: datetime.now(UTC))


@contextmanager
def owned(index: IndexOptions) -> Iterator[Path]:
    """Act as the owner of an index, and yield its root.

    :raises click.UsageError: no root was given.
    :raises CannotStart: there is no index.
    """
    root = index.path
    directory = index.files or root
    with ExitStack() as stack:
        try:
            stack.enter_context(acting_as_owner(directory))
        except (FileNotFoundError, NotADirectoryError):
            raise CannotStart(_no_index(index, directory)) from None
        except OSError as error:
            raise CannotStart(f"cannot use {root}: {error.strerror}") from error
        yield root


def _no_index(index: IndexOptions, directory: Path) -> str:
    """Return the message that there is no index, with a possible reason."""
    if index.files is None:
        return f"{directory} is no index: there is no such directory"
    hint = "" if index.storage else "; if the daemon has a --storage, give it here, too"
    return f"{directory.parent} is no index: there is no directory simple in it{hint}"


def run(coroutine: Coroutine[Deferred[Any], Any, T]) -> T:
    """Return or raise the outcome of a coroutine that never has to wait, as with inline workers."""
    outcome: list[Any] = []
    Deferred.fromCoroutine(coroutine).addBoth(outcome.append)
    [result] = outcome
    if isinstance(result, Failure):
        result.raiseException()
    value: T = result
    return value


@contextmanager
def acting_as_owner(directory: Path) -> Iterator[None]:
    """Let root act as the owner of a directory, so that the daemon may change all files created here."""
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
