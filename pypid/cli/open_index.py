"""The opening of an index by the command, whether its daemon runs or not."""

from __future__ import annotations

import getpass
import os
import re
import time
from collections.abc import Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import frozen
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import implementer

from pypid.catalog.sqlite import SqliteCatalog
from pypid.daemon.assembly import default_storage, make_catalog, make_storage
from pypid.daemon.configuration.settings import Settings, gather
from pypid.daemon.plugin_loading import load_plugins
from pypid.errors import CannotStart, ConfigurationError
from pypid.index.administration import ProjectAdministration
from pypid.interfaces import IContext, IWorkers
from pypid.runtime.audit import AuditFile
from pypid.runtime.layout import Layout
from pypid.runtime.reactors import IIndexReactor, global_reactor
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.runtime.workers import InlineWorkers

__all__ = [
    "CommandContext",
    "IndexOptions",
    "acting_as_owner",
    "note_change",
    "opened",
    "opened_catalog",
    "owned",
    "run",
    "storage_of",
]

T = TypeVar("T")


@frozen
class IndexOptions:
    """The options of all verbs, which select the index, and the configuration that they lead to."""

    root: Path | None = None
    """The root directory, if one was given."""
    storage: str | None = None
    """The description of the storage, if one was given."""
    config: Path | None = None
    """The configuration file, if one was given."""

    @property
    def flags(self) -> list[tuple[str, str]]:
        """The options that were given, as flags of the daemon."""
        given = (("root", self.root), ("storage", self.storage), ("config", self.config))
        return [(name, str(value)) for name, value in given if value is not None]

    @cached_property
    def settings(self) -> Settings:
        """The settings that the daemon has without flags of its own. Reads the file at first use.

        :raises ConfigurationError: a variable or the configuration file is wrong.
        """
        return gather(self.flags, os.environ)

    @property
    def path(self) -> Path:
        """The root directory as an absolute path. :raises click.UsageError: none was given."""
        named = self.root or os.environ.get("PYPID_ROOT")
        if named:  # a file with a mistake does not matter then
            return Path(named).absolute()
        if self.settings.root is None:
            raise click.UsageError("--root is missing; say which index it is, as in --root /var/pypi")
        return self.settings.root

    @property
    def layout(self) -> Layout:
        """The layout of the root directory. :raises click.UsageError: no root was given."""
        return Layout(self.path)

    @property
    def storage_description(self) -> str:
        """The description of the storage. :raises click.UsageError: no root was given."""
        return str(self.settings.one("storage") or default_storage(self.path))

    @property
    def files(self) -> Path | None:
        """The directory of the projects; ``None`` if the storage is not a directory."""
        prefix, _, argument = self.storage_description.partition(":")
        return Layout(self._absolute("storage", argument)).projects if prefix == "directory" else None

    @property
    def users(self) -> Path:
        """The password file: the first that ``auth`` names. :raises click.UsageError: no root was given."""
        return self._first("htpasswd") or self.layout.users

    @property
    def tokens(self) -> Path:
        """The file of tokens: the first that ``auth`` names. :raises click.UsageError: no root was given."""
        return self._first("tokens") or self.layout.tokens

    def _first(self, prefix: str) -> Path | None:
        """Return the file of the first authenticator of a kind."""
        for description in self.settings.all("auth"):
            kind, _, argument = description.partition(":")
            if kind == prefix:
                return self._absolute("auth", re.sub(r"(:optional|:legacy=yes)+$", "", argument))
        return None

    def _absolute(self, option: str, path: str) -> Path:
        """Return an absolute path. A relative one in the configuration file is relative to its directory."""
        return (self.settings.texts(option)[-1].base or Path.cwd()) / path


@implementer(IContext)
@frozen
class CommandContext:
    """The context of factories for a command that does one thing at a time."""

    root: Path

    @property
    def reactor(self) -> IIndexReactor:
        """The reactor, which is not running."""
        return global_reactor()

    def workers(self, name: str, threads: int) -> IWorkers:  # noqa: ARG002
        """Return workers that call functions immediately."""
        return InlineWorkers()


def storage_of(index: IndexOptions, context: IContext) -> ThreadedStorage:
    """Return the storage of an index, not opened yet.

    :raises ConfigurationError: there is no such storage, or a command cannot see its content.
    """
    description = index.storage_description
    if description.partition(":")[0] == "memory":
        raise ConfigurationError("--storage memory: what is in the memory of a daemon no command can see")
    return make_storage(load_plugins(), description, context)


@contextmanager
def opened_catalog(index: IndexOptions) -> Iterator[SqliteCatalog]:
    """Open the storage of an index and its catalog, and yield the catalog.

    :raises ConfigurationError: there is no such storage, or a command cannot see its content.
    :raises CannotStart: storage or catalog cannot be opened.
    """
    context = CommandContext(index.path)
    storage = storage_of(index, context)
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
    is_given = index.storage_description != default_storage(index.path)
    hint = "" if is_given else "; if the daemon has a --storage, give it here, too"
    return f"{directory.parent} is no index: there is no directory simple in it{hint}"


def note_change(index: IndexOptions, message: str, *, action: str, **details: str) -> None:
    """Write an audit line about a change by the command, if the configuration has a file for them.

    A failure is told, and does not undo the change.
    """
    path: Path | None = index.settings.one("audit-log")
    if path is None:
        return
    try:
        who = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        who = str(os.getuid())
    trail = AuditFile(path)
    try:
        with acting_as_owner(index.path):
            trail.open()
            facts = {"action": action, "who": who, "by": "command", **details}
            trail({"log_time": time.time(), "message": message, "audit": facts})
            trail.close()
    except OSError as error:
        click.echo(f"note: it is not in {path}: {error.strerror}", err=True)


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
