"""The providers that descriptions name. A reload keeps those whose description and files are the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar

from attrs import define, field, frozen

from pypid.daemon.attestation_verifier import TRUSTED_ROOT, Verifier
from pypid.daemon.config import Config, check_names
from pypid.daemon.descriptions import base_of, located, versions_of_files
from pypid.daemon.plugin_loading import Plugins
from pypid.interfaces import (
    IAccessPolicy,
    IAccessPolicyFactory,
    IAuthenticator,
    IAuthenticatorFactory,
    IContext,
    IUpstream,
    IUpstreamFactory,
)
from pypid.runtime.watched_file import Version, version_of

__all__ = ["Made", "Providers", "make_providers"]

P = TypeVar("P")


@define(eq=False)
class Made(Generic[P]):
    """A provider, with all that tells whether it would be made in the same way again."""

    provider: P
    """The provider."""
    kind: object
    """The interface of its factory."""
    description: str
    """Its description."""
    versions: Mapping[Path, Version | None]
    """The versions of the files that the description names, as they were when it was made."""
    context: IContext
    """Its context, which has its pools."""
    is_open: bool = field(default=False, init=False)
    """Whether it has been opened, and not yet closed."""
    _is_stopped: bool = field(default=False, init=False)

    def is_of(self, kind: object, description: str, versions: Mapping[Path, Version | None]) -> bool:
        """Return whether a new provider would be like this one."""
        return (self.kind, self.description, self.versions) == (kind, description, versions)

    def open(self) -> None:
        """Start its pools, and open it. Blocks. :raises CannotStart: it cannot work."""
        _call(self.context, "start")
        provider: Any = self.provider
        provider.open()
        self.is_open = True

    def close(self) -> None:
        """Close it, if it is open. Its pools go on until :meth:`stop`."""
        if self.is_open:
            self.is_open = False
            provider: Any = self.provider
            provider.close()

    def stop(self) -> None:
        """Finish the work in its pools, and end their threads. Blocks; safe to call in another thread.

        Several generations may share the provider, and each may call this.
        """
        if not self._is_stopped:
            self._is_stopped = True
            _call(self.context, "stop")


@frozen
class Providers:
    """The providers of an index besides its storage."""

    authenticators: Sequence[Made[IAuthenticator]]
    """Who knows users, asked in order."""
    policy: Made[IAccessPolicy]
    """Who may do what."""
    upstreams: Sequence[Made[IUpstream]]
    """Other indexes, asked in order."""
    verifier: Made[Verifier] | None
    """Verifies attestations; ``None`` if they are not verified."""

    @property
    def parts(self) -> Iterator[object]:
        """Yield all providers, and their pools, for metrics."""
        for one in self:
            yield one.provider
            yield from getattr(one.context, "pools", ())

    def __iter__(self) -> Iterator[Made[Any]]:
        """Yield all of them, in the order in which they are opened."""
        yield from self.authenticators
        yield self.policy
        yield from self.upstreams
        if self.verifier is not None:
            yield self.verifier


def make_providers(
    config: Config, plugins: Plugins, new_context: Callable[[], IContext], kept: Sequence[Made[Any]] = ()
) -> Providers:
    """Return the providers of a configuration. New ones are not opened.

    :param new_context: returns the context of one provider.
    :param kept: providers in use. One of them is taken instead of a new one if its description is the same,
        and the files that it names have not changed.
    :raises ConfigurationError: a description is wrong; the message has its place.
    """

    def each(kind: Any, option: str, descriptions: Sequence[str]) -> list[Made[Any]]:
        found = []
        for number, text in enumerate(descriptions):
            versions = versions_of_files(text, base_of(config, option, number))
            same = [one for one in kept if one.is_of(kind, text, versions)]
            found.append(same[0] if same else new(kind, option, number, text, versions))
        return found

    def new(
        kind: Any, option: str, number: int, text: str, versions: Mapping[Path, Version | None]
    ) -> Made[Any]:
        context = new_context()
        provider = located(config, option, number, text, lambda text: plugins.make(kind, text, context))
        return Made(provider, kind, text, versions, context)

    authenticators = each(IAuthenticatorFactory, "auth", config.auth)
    [policy] = each(IAccessPolicyFactory, "access", [config.access])
    upstreams = each(IUpstreamFactory, "upstream", config.upstreams)
    check_names([upstream.provider for upstream in upstreams])
    return Providers(authenticators, policy, upstreams, _verifier(config, new_context, kept))


def _verifier(
    config: Config, new_context: Callable[[], IContext], kept: Sequence[Made[Any]]
) -> Made[Verifier] | None:
    if not config.signers:
        return None
    description = repr(config.signers)
    versions = {path: version_of(path) for path in [config.root / TRUSTED_ROOT]}
    for one in kept:
        if one.is_of(Verifier, description, versions):
            return one
    return Made(Verifier(config.signers, config.root), Verifier, description, versions, new_context())


def _call(context: IContext, name: str) -> None:
    """Start or stop the pools of a context, if it has some."""
    method = getattr(context, name, None)
    if method is not None:
        method()
