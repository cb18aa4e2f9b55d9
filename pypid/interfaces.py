"""The roles that parts of pypid play for each other, and that plugins may play instead.

Two promises hold for all of them. Methods that are ``async`` are called in the reactor's
thread and do not block it: what takes more than a few milliseconds goes to
:class:`IWorkers`. And errors are those of :mod:`pypid.errors`; anything else that escapes
is taken for a defect of the provider and becomes a bare "500" for that one request.

A plugin is an object that provides one of the ``I…Factory`` interfaces here, in a module
of the package :mod:`pypid.plugins`; see there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

from twisted.internet.interfaces import IConsumer
from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface

from pypid.model import (
    Action,
    Credentials,
    File,
    Principal,
    Project,
    Publication,
    Record,
    Redirect,
    StoredFile,
)

__all__ = [
    "IAccessPolicy",
    "IAccessPolicyFactory",
    "IAuthenticator",
    "IAuthenticatorFactory",
    "ICatalog",
    "IContent",
    "IContext",
    "IFactory",
    "IStaging",
    "IStorage",
    "IStorageFactory",
    "IUpstream",
    "IUpstreamFactory",
    "IWorkers",
]

T = TypeVar("T")


class IWorkers(Interface):
    """A bounded number of threads that run what would block the reactor.

    Calls above that number wait their turn. Cancelling the answer stops the waiting for
    it, not the call.
    """

    def run(function: Callable[..., T], *args: Any) -> Awaitable[T]:
        """Call ``function(*args)`` in one of the threads and answer what it returns or raises."""


class IContent(Interface):
    """The bytes of one file, opened for sending.

    It goes on to give the same bytes when the file is replaced or removed meanwhile. Whoever
    got it calls :meth:`close` exactly when done, also after an error.
    """

    length: int = Attribute("How many bytes there are.")
    modified_ns: int = Attribute("When they last changed, in nanoseconds since the epoch.")

    async def send_to(consumer: IConsumer, start: int, stop: int) -> None:
        """Write the bytes from offset ``start`` up to but not including ``stop``.

        Registers a producer with the consumer while it works, so that a slow consumer holds
        up the reading, and no more than a few hundred kilobytes wait in memory.

        :raises StorageUnavailable: the bytes cannot be read on. The consumer has got fewer
            than it was promised, and its connection is to be cut.
        """

    def close() -> None:
        """Let go of the file. Calling it again does nothing."""


class IStaging(Interface):
    """A file that is being received: whole or not, nobody sees it before it is published.

    :meth:`write` and :meth:`reader` block; they are called in a worker's thread, one call at
    a time. A staging ends with :meth:`publish` or :meth:`discard`. If the process dies
    first, the storage clears it away when it is next opened.
    """

    def write(data: bytes) -> None:
        """Append some bytes.

        :raises OutOfSpace: there is no room for them.
        :raises StorageUnavailable: they could not be written.
        """

    def reader() -> BinaryIO:
        """Open what was written so far for reading and seeking; the caller closes it."""

    async def publish(publication: Publication) -> Record:
        """Make the file visible under its name: all of it, durably, or not at all.

        When this returns, the bytes, the metadata and the record survive the death of the
        process and a power cut, and :meth:`IStorage.files` lists them. Once begun it goes on
        to its end even if the waiting for it is cancelled. Of several stagings that race for
        one name, in this process or another, one wins and the others get :exc:`FileExists`.

        :raises FileExists: the name is taken, in whatever mixture of cases; nothing changed.
        :raises OutOfSpace: there is no room; nothing changed.
        :raises StorageUnavailable: it could not be made durable; nothing is visible.
        """

    async def discard() -> None:
        """Forget the file. After :meth:`publish`, and when called again, this does nothing."""


class IStorage(Interface):
    """Keeps the distribution files of projects, and a small record beside each.

    The files are the truth: a provider need not have published a file itself to list it.
    Project names are always normalized ones; file names are bare names. Providers may be
    shared by several processes.
    """

    def open() -> None:
        """Get ready, and clear away what earlier processes left half done.

        Called once, after privileges were dropped and before the reactor serves; it may block.

        :raises CannotStart: it will not work here, with the reason.
        """

    def close() -> None:
        """Let go of everything. No other call follows."""

    def fingerprint(project: str | None) -> Hashable:
        """Give a value that differs whenever the list of files of ``project`` may have changed.

        With ``None`` the same for the list of projects. Called in the reactor's thread on
        each page request, so it may cost a ``stat`` and no more. When a change could go
        unseen, as within one tick of a file system's clock, it gives a value that was never
        given before.
        """

    async def projects() -> Sequence[str]:
        """List the normalized names of all projects, sorted."""

    async def files(project: str) -> Sequence[StoredFile] | None:
        """List a project's distribution files by name, or ``None`` if there is no such project.

        Only names that :func:`pypid.names.parse_filename` finds to be this project's are
        listed: no records, no metadata, no stray files, nothing that leads out of the storage.
        """

    async def content(project: str, filename: str) -> IContent:
        """Open a distribution file for sending.

        :raises NotFound: there is none of that name.
        :raises StorageUnavailable: there is, and it cannot be read.
        """

    async def read(project: str, filename: str, function: Callable[[BinaryIO], T]) -> T:
        """Call ``function`` in a worker's thread with a file opened for reading and seeking.

        Answers what it returns.

        :raises NotFound: there is no file of that name.
        :raises StorageUnavailable: there is, and it cannot be read.
        """

    async def metadata(project: str, filename: str) -> bytes | None:
        """Give the core metadata that was kept beside a file when it was published, or ``None``."""

    async def stage() -> IStaging:
        """Begin to receive a file.

        :raises OutOfSpace: there is no room.
        :raises StorageUnavailable: it cannot be written to.
        """


class ICatalog(Interface):
    """What pages show, derived from a storage; it may be thrown away and is made anew."""

    async def projects() -> Sequence[str]:
        """List the normalized names of all projects, sorted."""

    async def project(name: str) -> Project | None:
        """Give a project by normalized name, or ``None``.

        While nothing changed it is the very same object, at the cost of one
        :meth:`IStorage.fingerprint`.
        """

    def forget(name: str) -> None:
        """Look at a project anew when it is next asked for: a file was not as described."""


class IAuthenticator(Interface):
    """Knows users, or tokens, by their credentials."""

    def open() -> None:
        """Get ready; as :meth:`IStorage.open`. :raises CannotStart: with the reason."""

    def close() -> None:
        """Let go of everything. No other call follows."""

    async def authenticate(credentials: Credentials) -> Principal | None:
        """Give the principal whose credentials these are, or ``None``.

        Takes the same time for an unknown user as for a wrong password. Called with every
        request that has credentials, so providers remember successes for a while.

        :raises StorageUnavailable: it is too busy to tell; the client should try again.
        """


class IAccessPolicy(Interface):
    """Decides who may do what."""

    summary: str = Attribute("One line for the log at start: who may do what.")

    def permits(principal: Principal | None, action: Action, project: str | None) -> bool:
        """Tell whether ``principal`` may do ``action`` with ``project``.

        :param principal: who asks; ``None`` is anybody.
        :param project: a normalized name, whether it exists or not. ``None`` asks for the
            index as a whole; for an upload of which only the headers are known yet it
            asks whether there could be any project that it is permitted with.
        """


class IUpstream(Interface):
    """Another index, asked for projects that are not here."""

    name: str = Attribute("A short name for logs and directories, of ``a-z 0-9 - .``.")
    summary: str = Attribute("One line for the log at start: what is asked, and how.")

    def open() -> None:
        """Get ready; as :meth:`IStorage.open`. :raises CannotStart: with the reason."""

    def close() -> None:
        """Let go of everything. No other call follows."""

    async def project(name: str) -> Project | Redirect | None:
        """Give a project by normalized name, or where its page is, or ``None`` if it has none.

        :raises UpstreamFailed: it could not be asked, so nobody knows.
        """

    async def projects() -> Sequence[str]:
        """List the normalized names of projects that it offers; empty if it does not list any."""

    async def content(project: str, file: File) -> IContent | Redirect:
        """Open one of the files of :meth:`project`, or tell where it is.

        :raises NotFound: it is not there any more.
        :raises UpstreamFailed: it could not be fetched.
        """


class IContext(Interface):
    """What a factory may use to make its provider."""

    root: Path = Attribute("The daemon's root directory.")
    reactor: Any = Attribute("The reactor: time, processes, connections. Not to be used before the start.")

    def workers(name: str, threads: int) -> IWorkers:
        """Give a pool of at most so many threads, named for the log; it runs with the daemon."""


class IFactory(IPlugin):
    """What a plugin registers: makes a provider from a description ``prefix:argument``.

    Descriptions are made while options are parsed, maybe as root and before the daemon
    forks: nothing may be opened, started or read but what tells whether they are well formed.
    """

    prefix: str = Attribute(
        "What descriptions of this kind begin with, of ``a-z 0-9 -``; unique in its kind."
    )
    summary: str = Attribute("One line that says what it is, for ``--help-<kind>``.")
    argument_format: str = Attribute("What follows the colon, such as ``DIRECTORY``; empty if nothing does.")


class IStorageFactory(IFactory):
    """Makes storages, for ``--storage``."""

    def from_description(argument: str, context: IContext) -> IStorage:
        """Make one. :raises ConfigurationError: the argument is wrong, and how."""


class IAuthenticatorFactory(IFactory):
    """Makes authenticators, for ``--auth``."""

    def from_description(argument: str, context: IContext) -> IAuthenticator:
        """Make one. :raises ConfigurationError: the argument is wrong, and how."""


class IAccessPolicyFactory(IFactory):
    """Makes access policies, for ``--access``."""

    def from_description(argument: str, context: IContext) -> IAccessPolicy:
        """Make one. :raises ConfigurationError: the argument is wrong, and how."""


class IUpstreamFactory(IFactory):
    """Makes upstreams, for ``--upstream``."""

    def from_description(argument: str, context: IContext) -> IUpstream:
        """Make one. :raises ConfigurationError: the argument is wrong, and how."""
