"""The built-in factories, registered in the same way as any plugin's.

Each imports its provider only when it makes one, so that a start loads only the providers it uses.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Generic, TypeVar

from attrs import frozen
from zope.interface import implementer

from pypid.errors import ConfigurationError
from pypid.interfaces import (
    IAccessPolicy,
    IAccessPolicyFactory,
    IAuthenticator,
    IAuthenticatorFactory,
    IContext,
    IStorage,
    IStorageFactory,
    IUpstream,
    IUpstreamFactory,
)

__all__ = [
    "anyone_access",
    "cred_authenticator",
    "directory_storage",
    "htpasswd_authenticator",
    "memory_storage",
    "no_upstream",
    "open_access",
    "private_access",
    "proxy_upstream",
    "redirect_upstream",
    "rules_access",
    "tokens_authenticator",
]


Provider = TypeVar("Provider")


@frozen
class _Factory(Generic[Provider]):
    prefix: str
    """The prefix of the factory's descriptions."""
    summary: str
    """One line for ``--help-<kind>``."""
    argument_format: str
    """The form of the argument after the colon; empty if there is none."""
    _make: Callable[[_Factory[Any], str, IContext], Provider]
    """Makes a provider from this factory, for messages, and the arguments of :meth:`from_description`."""

    def from_description(self, argument: str, context: IContext) -> Provider:
        """Return a new provider. :raises ConfigurationError: the argument is wrong."""
        return self._make(self, argument, context)


@implementer(IStorageFactory)
class _StorageFactory(_Factory[IStorage]):
    """Makes storages of one kind."""


@implementer(IAuthenticatorFactory)
class _AuthenticatorFactory(_Factory[IAuthenticator]):
    """Makes authenticators of one kind."""


@implementer(IAccessPolicyFactory)
class _AccessPolicyFactory(_Factory[IAccessPolicy]):
    """Makes access policies of one kind."""


@implementer(IUpstreamFactory)
class _UpstreamFactory(_Factory[IUpstream]):
    """Makes upstreams of one kind."""


def _make_directory(factory: _Factory[Any], argument: str, _context: IContext) -> IStorage:
    from pypid.storage.directory import DirectoryStorage

    return DirectoryStorage(_path(factory, argument))


def _make_memory(factory: _Factory[Any], argument: str, _context: IContext) -> IStorage:
    from pypid.storage.memory import MemoryStorage

    _refuse_argument(factory, argument)
    return MemoryStorage()


def _make_htpasswd(factory: _Factory[Any], argument: str, context: IContext) -> IAuthenticator:
    """Return an authenticator for ``FILE``, followed by ``:optional`` and ``:legacy=yes`` in any order."""
    from pypid.auth.htpasswd import HtpasswdAuthenticator

    first, *more = argument.split(":")
    options = set()
    while more and more[-1] in ("optional", "legacy=yes"):
        options.add(more.pop())
    if more and more[-1].startswith("legacy="):
        raise ConfigurationError("htpasswd: of legacy one may only say legacy=yes, or nothing")
    if "legacy=yes" in options and find_spec("passlib") is None:
        raise ConfigurationError("htpasswd: legacy=yes takes more: pip install 'pypid-server[legacy]'")
    return HtpasswdAuthenticator(
        _path(factory, ":".join([first, *more])),
        context.workers("passwords", 2),
        context.reactor,
        optional="optional" in options,
        legacy="legacy=yes" in options,
    )


def _make_tokens(factory: _Factory[Any], argument: str, context: IContext) -> IAuthenticator:
    from pypid.auth.tokens import TokenAuthenticator

    return TokenAuthenticator(_path(factory, argument), context.workers("tokens", 1), context.reactor)


def _make_cred(_factory: _Factory[Any], argument: str, _context: IContext) -> IAuthenticator:
    from pypid.auth.cred import CredAuthenticator, make_checker

    return CredAuthenticator(make_checker(argument))


def _make_open(factory: _Factory[Any], argument: str, _context: IContext) -> IAccessPolicy:
    from pypid.access.open import OpenAccess

    _refuse_argument(factory, argument)
    return OpenAccess()


def _make_private(factory: _Factory[Any], argument: str, _context: IContext) -> IAccessPolicy:
    from pypid.access.open import PrivateAccess

    _refuse_argument(factory, argument)
    return PrivateAccess()


def _make_anyone(factory: _Factory[Any], argument: str, _context: IContext) -> IAccessPolicy:
    from pypid.access.open import AnyoneAccess

    if argument != factory.prefix:  # "anyone:anyone" is for addresses that others can reach
        _refuse_argument(factory, argument)
    return AnyoneAccess()


def _make_rules(factory: _Factory[Any], argument: str, context: IContext) -> IAccessPolicy:
    from pypid.access.rules import RulesAccess

    return RulesAccess(_path(factory, argument), context.workers("rules", 1), context.reactor)


def _make_proxy(_factory: _Factory[Any], argument: str, context: IContext) -> IUpstream:
    from pypid.upstream.options import parse_description
    from pypid.upstream.proxy import ProxyUpstream

    return ProxyUpstream.make(parse_description(argument), context)


def _make_redirect(_factory: _Factory[Any], argument: str, _context: IContext) -> IUpstream:
    from pypid.upstream.options import parse_redirect
    from pypid.upstream.redirect import RedirectUpstream

    return RedirectUpstream(*parse_redirect(argument))


def _make_none(factory: _Factory[Any], argument: str, _context: IContext) -> IUpstream:
    from pypid.upstream.none import NoUpstream

    _refuse_argument(factory, argument)
    return NoUpstream()


def _path(factory: _Factory[Any], argument: str) -> Path:
    """Return the absolute path of ``argument``: the daemon changes its working directory later.

    :raises ConfigurationError: the argument is empty.
    """
    if not argument:
        raise ConfigurationError(f"{factory.prefix} needs a path: {factory.prefix}:{factory.argument_format}")
    return Path(argument).absolute()


def _refuse_argument(factory: _Factory[Any], argument: str) -> None:
    """Raise :exc:`ConfigurationError` if there is an argument, which would have no effect."""
    if argument:
        raise ConfigurationError(f"{factory.prefix} takes no argument")


directory_storage = _StorageFactory(
    "directory",
    "files in an ordinary directory tree, DIR/simple/<project>/<file>",
    "DIR",
    _make_directory,
)
memory_storage = _StorageFactory(
    "memory",
    "files in memory, gone when the daemon stops; for trying things out",
    "",
    _make_memory,
)
htpasswd_authenticator = _AuthenticatorFactory(
    "htpasswd",
    "users of a password file that Apache's htpasswd -B made; read again when it changes",
    "FILE[:optional][:legacy=yes]",
    _make_htpasswd,
)
tokens_authenticator = _AuthenticatorFactory(
    "tokens",
    "tokens that `pypid token create` made; the file need not be there yet",
    "FILE",
    _make_tokens,
)
cred_authenticator = _AuthenticatorFactory(
    "cred",
    "a credentials checker of Twisted's, such as file:/etc/pypid/passwords",
    "CHECKER",
    _make_cred,
)
open_access = _AccessPolicyFactory(
    "open",
    "anyone reads, users upload, owners delete, maintainers yank",
    "",
    _make_open,
)
private_access = _AccessPolicyFactory("private", "the same, but reading needs signing in", "", _make_private)
anyone_access = _AccessPolicyFactory(
    "anyone",
    "as open, but strangers upload, too; said twice, anyone:anyone, on all addresses",
    "",
    _make_anyone,
)
rules_access = _AccessPolicyFactory(
    "rules",
    "as a TOML file says, by project, user and group; read again when it changes",
    "FILE",
    _make_rules,
)
proxy_upstream = _UpstreamFactory(
    "proxy",
    "another index, whose pages and files are kept once they were asked for",
    "URL[:OPTION...]",
    _make_proxy,
)
redirect_upstream = _UpstreamFactory(
    "redirect",
    "clients are sent on to another index, URL/<project>/",
    "URL[:name=NAME]",
    _make_redirect,
)
no_upstream = _UpstreamFactory("none", "projects that are not here are not found", "", _make_none)
