"""The factories that plugins register, and the context that a factory gets."""

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
    """The parts of the daemon that a factory may use to make its provider; used in the reactor's thread."""

    root: Path = Attribute("The daemon's root directory.")
    # Any: the reactor provides many interfaces, and each provider needs others of them.
    reactor: Any = Attribute("The reactor: time, processes, connections. Not to be used before the start.")

    def workers(name: str, threads: int) -> IWorkers:
        """Return a pool of at most ``threads`` threads, which starts and stops with the daemon.

        :param name: the name of the pool in the log.
        """


class IFactory(IPlugin, Interface):
    """Makes a provider from a description ``prefix:argument``; plugins register such factories.

    Providers are made in the main thread while options are parsed, maybe as root and before the daemon
    forks. A factory opens, starts and reads nothing except to find whether the description is well formed.
    """

    prefix: str = Attribute(
        "The first part of a description, of ``a-z 0-9 -``; unique among factories of its kind."
    )
    summary: str = Attribute("One line about the provider, for ``--help-<kind>``.")
    argument_format: str = Attribute("The form of the argument, such as ``DIRECTORY``; may be empty.")


class IStorageFactory(IFactory):
    """Makes storages, for ``--storage``."""

    def from_description(argument: str, context: IContext) -> IStorage:
        """Return a storage. It may not block.

        :raises ConfigurationError: the argument is wrong; the message says how.
        """


class IAuthenticatorFactory(IFactory):
    """Makes authenticators, for ``--auth``."""

    def from_description(argument: str, context: IContext) -> IAuthenticator:
        """Return an authenticator. It may not block.

        :raises ConfigurationError: the argument is wrong; the message says how.
        """


class IAccessPolicyFactory(IFactory):
    """Makes access policies, for ``--access``."""

    def from_description(argument: str, context: IContext) -> IAccessPolicy:
        """Return an access policy. It may not block.

        :raises ConfigurationError: the argument is wrong; the message says how.
        """


class IUpstreamFactory(IFactory):
    """Makes upstreams, for ``--upstream``."""

    def from_description(argument: str, context: IContext) -> IUpstream:
        """Return an upstream. It may not block.

        :raises ConfigurationError: the argument is wrong; the message says how.
        """
