"""What plugins register: makers of providers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.plugin import IPlugin
from zope.interface import Attribute, Interface

from pypid.interfaces.access import IAccessPolicy, IAuthenticator
from pypid.interfaces.storage import IStorage
from pypid.interfaces.upstream import IUpstream
from pypid.interfaces.workers import IWorkers

__all__ = [
    "IAccessPolicyFactory",
    "IAuthenticatorFactory",
    "IContext",
    "IFactory",
    "IStorageFactory",
    "IUpstreamFactory",
]


class IContext(Interface):
    """What a factory may use to make its provider."""

    root: Path = Attribute("The daemon's root directory.")
    reactor: Any = Attribute("The reactor: time, processes, connections. Not to be used before the start.")

    def workers(name: str, threads: int) -> IWorkers:
        """Give a pool of at most so many threads, named for the log; it runs with the daemon."""


class IFactory(IPlugin, Interface):
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
