"""The endpoints to listen on, whose TLS certificates can be replaced while the daemon runs.

``ssl:`` endpoints of Twisted read their files when they are made. They get a reactor that notes the context
made of the files, so that a later one can take its place. Existing connections go on with theirs.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from attrs import define, field
from twisted.internet.interfaces import IOpenSSLContextFactory, IStreamServerEndpoint
from twisted.internet.protocol import Factory
from zope.interface import implementer

from pypid.daemon.config import Config
from pypid.daemon.descriptions import base_of, make_endpoint, versions_of_files
from pypid.errors import ConfigurationError
from pypid.runtime.reactors import IIndexReactor
from pypid.runtime.watched_file import Version

__all__ = ["Endpoints"]


@implementer(IOpenSSLContextFactory)
@define(eq=False)
class _Replaceable:
    """A context factory that stands for another one."""

    current: Any
    """The context factory that is in use."""

    def getContext(self) -> Any:
        """Return the context of a new connection."""
        return self.current.getContext()


@define(eq=False)
class Endpoints:
    """The endpoints of a daemon."""

    _config: Config
    """The configuration at the start."""
    _reactor: IIndexReactor
    _files: list[Mapping[Path, Version | None]] = field(factory=list, init=False)
    """The versions of the files that each endpoint has read."""
    _contexts: dict[int, _Replaceable] = field(factory=dict, init=False)
    """The contexts of those that use TLS, by their numbers."""

    def make(self) -> list[tuple[str, IStreamServerEndpoint]]:
        """Return the description of each endpoint, and the endpoint. None listens yet.

        :raises ConfigurationError: a description is wrong, or a file with a certificate.
        """
        self._files = [self._versions(number) for number in range(len(self._config.listen))]
        return [
            (text, make_endpoint(self._config, number, self._with_tls(self._noting(number))))
            for number, text in enumerate(self._config.listen)
        ]

    def read_again(self) -> Callable[[], bool]:
        """Read the certificates that have changed on the disk. Blocks briefly.

        :returns: a function that puts them into use, and returns whether there are any.
        :raises ConfigurationError: a certificate or key is wrong, or cannot be read.
        """
        found: dict[int, tuple[Any, Mapping[Path, Version | None]]] = {}
        for number in self._contexts:
            versions = self._versions(number)
            if versions != self._files[number]:
                found[number] = self._read(number), versions

        def use() -> bool:
            for number, (context, versions) in found.items():
                self._contexts[number].current = context
                self._files[number] = versions
            return bool(found)

        return use

    def _read(self, number: int) -> Any:
        """Return the new context of an endpoint, which is made anew for that and does not listen."""
        contexts: list[Any] = []

        def note(context: Any, _listen: object) -> None:
            contexts.append(context)

        endpoint = make_endpoint(self._config, number, self._with_tls(note))
        endpoint.listen(Factory())
        try:
            [context] = contexts
            context.getContext()  # the key may not be the one of the certificate
        except Exception as error:
            reason = " ".join(str(error).split())
            raise ConfigurationError(
                f"--listen: the TLS files of {self._config.listen[number]}: {reason}"
            ) from error
        return context

    def _with_tls(self, listen: Callable[[Any, Callable[[Any], Any]], Any]) -> IIndexReactor:
        """Return the reactor, except that ``listen`` is called to listen with TLS."""
        # It has all the other methods by __getattr__, which type checkers do not follow.
        return cast(IIndexReactor, _TlsReactor(self._reactor, listen))

    def _noting(self, number: int) -> Callable[[Any, Callable[[Any], Any]], Any]:
        """Return the function that listens with TLS on an endpoint, and notes its context."""

        def listen(context: Any, listen_with: Callable[[Any], Any]) -> Any:
            replaceable = _Replaceable(context)
            port = listen_with(replaceable)
            self._contexts[number] = replaceable
            return port

        return listen

    def _versions(self, number: int) -> Mapping[Path, Version | None]:
        return versions_of_files(self._config.listen[number], base_of(self._config, "listen", number))


class _TlsReactor:
    """A reactor, except for what it does to listen with TLS."""

    def __init__(self, reactor: IIndexReactor, listen: Callable[[Any, Callable[[Any], Any]], Any]) -> None:
        self._reactor = reactor
        self._listen = listen

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)

    def listenSSL(
        self,
        port: int,
        factory: Any,
        contextFactory: Any,  # noqa: N803
        backlog: int = 50,
        interface: str = "",
    ) -> Any:
        """Pass the context factory, and a function that listens with one, to the function of this reactor."""

        def listen_with(context: Any) -> Any:
            return self._reactor.listenSSL(port, factory, context, backlog, interface)

        return self._listen(contextFactory, listen_with)
