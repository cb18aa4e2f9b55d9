"""The built-in factories, registered like those of anybody else.

Each imports its provider when it makes one, so a start loads only what it uses.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from attrs import frozen
from zope.interface import implementer

from pypid.errors import ConfigurationError
from pypid.interfaces import (
    IAccessPolicy,
    IAccessPolicyFactory,
    IAuthenticator,
    IAuthenticatorFactory,
    IContext,
    IFactory,
    IStorage,
    IStorageFactory,
    IUpstream,
    IUpstreamFactory,
)

__all__ = [
    "anyone_access",
    "directory_storage",
    "cred_authenticator",
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


@implementer(IStorageFactory)
@frozen
class DirectoryStorageFactory:
    """Makes ``directory:DIR``."""

    prefix: str = "directory"
    summary: str = "files in an ordinary directory tree, DIR/simple/<project>/<file>"
    argument_format: str = "DIR"

    def from_description(self, argument: str, context: IContext) -> IStorage:  # noqa: ARG002
        """Make a storage. :raises ConfigurationError: no directory is named."""
        from pypid.storage.directory import DirectoryStorage

        return DirectoryStorage(_path(self, argument))


@implementer(IStorageFactory)
@frozen
class MemoryStorageFactory:
    """Makes ``memory:``."""

    prefix: str = "memory"
    summary: str = "files in memory, gone when the daemon stops; for trying things out"
    argument_format: str = ""

    def from_description(self, argument: str, context: IContext) -> IStorage:  # noqa: ARG002
        """Make a storage. :raises ConfigurationError: there is an argument."""
        from pypid.storage.memory import MemoryStorage

        _no_argument(self, argument)
        return MemoryStorage()


@implementer(IAuthenticatorFactory)
@frozen
class HtpasswdAuthenticatorFactory:
    """Makes ``htpasswd:FILE``, with ``:optional`` and ``:legacy=yes`` in any order behind it."""

    prefix: str = "htpasswd"
    summary: str = "users of a password file that Apache's htpasswd -B made; read again when it changes"
    argument_format: str = "FILE[:optional][:legacy=yes]"

    def from_description(self, argument: str, context: IContext) -> IAuthenticator:
        """Make an authenticator. :raises ConfigurationError: no file is named, or a library is missing."""
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
            _path(self, ":".join([first, *more])),
            context.workers("passwords", 2),
            context.reactor,
            optional="optional" in options,
            legacy="legacy=yes" in options,
        )


@implementer(IAuthenticatorFactory)
@frozen
class TokensAuthenticatorFactory:
    """Makes ``tokens:FILE``."""

    prefix: str = "tokens"
    summary: str = "tokens that `pypid token create` made; the file need not be there yet"
    argument_format: str = "FILE"

    def from_description(self, argument: str, context: IContext) -> IAuthenticator:
        """Make an authenticator. :raises ConfigurationError: no file is named."""
        from pypid.auth.tokens import TokenAuthenticator

        return TokenAuthenticator(_path(self, argument), context.workers("tokens", 1), context.reactor)


@implementer(IAuthenticatorFactory)
@frozen
class CredAuthenticatorFactory:
    """Makes ``cred:CHECKER``."""

    prefix: str = "cred"
    summary: str = "a credentials checker of Twisted's, such as file:/etc/pypid/passwords"
    argument_format: str = "CHECKER"

    def from_description(self, argument: str, context: IContext) -> IAuthenticator:
        """Make an authenticator. :raises ConfigurationError: there is no such checker of passwords."""
        from pypid.auth.cred import CredAuthenticator, make_checker

        return CredAuthenticator(make_checker(argument), context.reactor)


@implementer(IAccessPolicyFactory)
@frozen
class OpenAccessFactory:
    """Makes ``open``."""

    prefix: str = "open"
    summary: str = "anyone reads, users upload, owners delete, maintainers yank"
    argument_format: str = ""

    def from_description(self, argument: str, context: IContext) -> IAccessPolicy:  # noqa: ARG002
        """Make a policy. :raises ConfigurationError: there is an argument."""
        from pypid.access.open import OpenAccess

        _no_argument(self, argument)
        return OpenAccess()


@implementer(IAccessPolicyFactory)
@frozen
class PrivateAccessFactory:
    """Makes ``private``."""

    prefix: str = "private"
    summary: str = "the same, but reading needs signing in"
    argument_format: str = ""

    def from_description(self, argument: str, context: IContext) -> IAccessPolicy:  # noqa: ARG002
        """Make a policy. :raises ConfigurationError: there is an argument."""
        from pypid.access.private import PrivateAccess

        _no_argument(self, argument)
        return PrivateAccess()


@implementer(IAccessPolicyFactory)
@frozen
class AnyoneAccessFactory:
    """Makes ``anyone``."""

    prefix: str = "anyone"
    summary: str = "as open, but strangers upload, too; said twice, anyone:anyone, on all addresses"
    argument_format: str = ""

    def from_description(self, argument: str, context: IContext) -> IAccessPolicy:  # noqa: ARG002
        """Make a policy. :raises ConfigurationError: the argument is another word."""
        from pypid.access.anyone import AnyoneAccess

        if argument != self.prefix:
            _no_argument(self, argument)
        return AnyoneAccess()


@implementer(IAccessPolicyFactory)
@frozen
class RulesAccessFactory:
    """Makes ``rules:FILE``."""

    prefix: str = "rules"
    summary: str = "as a TOML file says, by project, user and group; read again when it changes"
    argument_format: str = "FILE"

    def from_description(self, argument: str, context: IContext) -> IAccessPolicy:
        """Make a policy. :raises ConfigurationError: no file is named."""
        from pypid.access.rules import RulesAccess

        return RulesAccess(_path(self, argument), context.workers("rules", 1), context.reactor)


@implementer(IUpstreamFactory)
@frozen
class ProxyUpstreamFactory:
    """Makes ``proxy:URL``."""

    prefix: str = "proxy"
    summary: str = "another index, whose pages and files are kept once they were asked for"
    argument_format: str = "URL[:OPTION...]"

    def from_description(self, argument: str, context: IContext) -> IUpstream:
        """Make an upstream. :raises ConfigurationError: the URL or an option is wrong."""
        from pypid.upstream.options import parse_description
        from pypid.upstream.proxy import ProxyUpstream

        return ProxyUpstream.make(parse_description(argument), context)


@implementer(IUpstreamFactory)
@frozen
class RedirectUpstreamFactory:
    """Makes ``redirect:URL``."""

    prefix: str = "redirect"
    summary: str = "clients are sent on to another index, URL/<project>/"
    argument_format: str = "URL[:name=NAME]"

    def from_description(self, argument: str, context: IContext) -> IUpstream:  # noqa: ARG002
        """Make an upstream. :raises ConfigurationError: the URL, or what is behind it, is wrong."""
        from pypid.upstream.options import parse_redirect
        from pypid.upstream.redirect import RedirectUpstream

        return RedirectUpstream(*parse_redirect(argument))


@implementer(IUpstreamFactory)
@frozen
class NoUpstreamFactory:
    """Makes ``none``."""

    prefix: str = "none"
    summary: str = "projects that are not here are not found"
    argument_format: str = ""

    def from_description(self, argument: str, context: IContext) -> IUpstream:  # noqa: ARG002
        """Make an upstream. :raises ConfigurationError: there is an argument."""
        from pypid.upstream.none import NoUpstream

        _no_argument(self, argument)
        return NoUpstream()


directory_storage = DirectoryStorageFactory()
memory_storage = MemoryStorageFactory()
htpasswd_authenticator = HtpasswdAuthenticatorFactory()
tokens_authenticator = TokensAuthenticatorFactory()
cred_authenticator = CredAuthenticatorFactory()
open_access = OpenAccessFactory()
private_access = PrivateAccessFactory()
anyone_access = AnyoneAccessFactory()
rules_access = RulesAccessFactory()
proxy_upstream = ProxyUpstreamFactory()
redirect_upstream = RedirectUpstreamFactory()
no_upstream = NoUpstreamFactory()


def _path(factory: IFactory, argument: str) -> Path:
    """Give the path that an argument names; absolute, as the daemon goes to another directory."""
    if not argument:
        raise ConfigurationError(f"{factory.prefix} needs a path: {factory.prefix}:{factory.argument_format}")
    return Path(argument).absolute()


def _no_argument(factory: IFactory, argument: str) -> None:
    """Refuse an argument that would go unheeded."""
    if argument:
        raise ConfigurationError(f"{factory.prefix} takes no argument")
