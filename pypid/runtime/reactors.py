"""The types of reactors. Only type checkers see these interfaces; a reactor need not declare them."""

from __future__ import annotations

from typing import cast

from twisted.internet.interfaces import (
    IReactorCore,
    IReactorFromThreads,
    IReactorPluggableNameResolver,
    IReactorProcess,
    IReactorSSL,
    IReactorTCP,
    IReactorTime,
    IReactorUNIX,
)

__all__ = ["IClientReactor", "IIndexReactor", "global_reactor"]


class IClientReactor(IReactorTCP, IReactorTime, IReactorPluggableNameResolver):
    """A reactor that keeps time, connects over TCP and looks names up.

    :class:`twisted.internet.endpoints.HostnameEndpoint` and :class:`twisted.web.client.Agent` need
    all three.
    """


class IIndexReactor(
    IClientReactor, IReactorCore, IReactorFromThreads, IReactorProcess, IReactorSSL, IReactorUNIX
):
    """The reactor of a daemon or a command, with threads, processes, TLS and UNIX sockets."""


def global_reactor() -> IIndexReactor:
    """Return the reactor of this process, which is installed by that."""
    from twisted.internet import reactor

    # For type checkers it is the module that installs the reactor and puts it in its own place.
    return cast(IIndexReactor, reactor)
