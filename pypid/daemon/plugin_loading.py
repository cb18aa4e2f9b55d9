"""The loading of plugins, and the making of providers from descriptions ``prefix:argument``.

Descriptions work as in Twisted's ``strcred``: the text before the first colon selects the plugin,
and the plugin parses the rest.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import Any, overload

from attrs import frozen
from twisted.plugin import IPlugin
from twisted.python.modules import getModule
from zope.interface.exceptions import Invalid
from zope.interface.verify import verifyObject

from pypid import plugins
from pypid.errors import ConfigurationError, PluginError
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

__all__ = ["Plugins", "load_plugins"]

_KINDS = {
    IStorageFactory: ("storage", IStorage),
    IAuthenticatorFactory: ("authenticator", IAuthenticator),
    IAccessPolicyFactory: ("access policy", IAccessPolicy),
    IUpstreamFactory: ("upstream", IUpstream),
}
"""The noun and the interface of the providers that each kind of factory makes."""
_PREFIX = re.compile(r"[a-z0-9-]+")


@frozen
class _Plugin:
    """A registered factory."""

    factory: Any
    """The factory, which provides one of the ``I…Factory`` interfaces."""
    module: str
    """The name of its module."""
    attribute: str
    """Its name in that module."""

    @property
    def name(self) -> str:
        """Its full dotted name."""
        return f"{self.module}.{self.attribute}"

    @property
    def usage(self) -> str:
        """The form of its descriptions."""
        argument = self.factory.argument_format
        return f"{self.factory.prefix}:{argument}" if argument else str(self.factory.prefix)


@frozen
class Plugins:
    """The installed plugins."""

    _by_kind: Mapping[Any, Mapping[str, _Plugin]]

    @overload
    def make(self, kind: type[IStorageFactory], description: str, context: IContext) -> IStorage: ...
    @overload
    def make(
        self, kind: type[IAuthenticatorFactory], description: str, context: IContext
    ) -> IAuthenticator: ...
    @overload
    def make(
        self, kind: type[IAccessPolicyFactory], description: str, context: IContext
    ) -> IAccessPolicy: ...
    @overload
    def make(self, kind: type[IUpstreamFactory], description: str, context: IContext) -> IUpstream: ...

    def make(self, kind: Any, description: str, context: IContext) -> Any:
        """Return a new provider.

        :param kind: the interface of the factory.
        :param description: ``prefix:argument``; without an argument the colon may be missing.
        :raises ConfigurationError: no plugin of this kind has that prefix, or it refuses the argument.
        :raises PluginError: the plugin failed, or its provider does not verify.
        """
        prefix, _, argument = description.partition(":")
        plugin = self._by_kind[kind].get(prefix)
        if plugin is None:
            raise ConfigurationError(self._unknown(kind, prefix))
        try:
            provider = plugin.factory.from_description(argument, context)
        except ConfigurationError:
            raise
        except Exception as error:
            raise PluginError(f"the plugin {plugin.name} failed: {_reason(error)}") from error
        _verify(_KINDS[kind][1], provider, f"what the plugin {plugin.name} made")
        return provider

    def help(self, kind: type[IFactory]) -> str:
        """Return a line for each plugin of a kind: its form, its summary, and its module unless built in."""
        entries = sorted(self._by_kind[kind].values(), key=lambda plugin: plugin.usage)
        width = max((len(plugin.usage) for plugin in entries), default=0)
        return "\n".join(f"  {plugin.usage:{width}}  {_summary(plugin)}" for plugin in entries)

    def formats(self, kind: type[IFactory]) -> Mapping[str, str]:
        """Return the ``argument_format`` of each plugin of a kind, by its prefix."""
        return {prefix: plugin.factory.argument_format for prefix, plugin in self._by_kind[kind].items()}

    def _unknown(self, kind: Any, prefix: str) -> str:
        known = self._by_kind[kind]
        close = get_close_matches(prefix, known, n=1)
        hint = f'; did you mean "{close[0]}"?' if close else "."
        usages = ", ".join(sorted(plugin.usage for plugin in known.values()))
        return f"there is no {_KINDS[kind][0]} {prefix[:80]!a}{hint} There are: {usages}"


def load_plugins(package: ModuleType = plugins) -> Plugins:
    """Import all plugins and verify them.

    :raises PluginError: a plugin cannot be imported, does not verify, or has the prefix of another.
    """
    by_kind: dict[Any, dict[str, _Plugin]] = {kind: {} for kind in _KINDS}
    # getPlugins would log and skip a broken module, and write a cache beside it.
    for module in getModule(package.__name__).iterModules():
        for plugin in _plugins_in(module.name):
            known = by_kind[_kind(plugin)]
            other = known.setdefault(plugin.factory.prefix, plugin)
            if other.factory is not plugin.factory:
                raise PluginError(
                    f'{other.name} and {plugin.name} are plugins of one prefix, "{other.factory.prefix}"'
                )
    return Plugins(by_kind)


def _plugins_in(name: str) -> Iterator[_Plugin]:
    """Import a module, and yield its plugins."""
    try:
        module = importlib.import_module(name)
    except (Exception, SystemExit) as error:
        raise PluginError(f"the plugin module {name} cannot be imported: {_reason(error)}") from error
    for attribute, value in vars(module).items():
        if IPlugin.providedBy(value):
            yield _Plugin(value, name, attribute)


def _kind(plugin: _Plugin) -> Any:
    """Return the factory interface of a plugin. :raises PluginError: the plugin does not verify."""
    kind = next((kind for kind in _KINDS if kind.providedBy(plugin.factory)), None)
    if kind is None:
        names = ", ".join(kind.__name__ for kind in _KINDS)
        raise PluginError(f"the plugin {plugin.name} provides none of {names}")
    _verify(kind, plugin.factory, f"the plugin {plugin.name}")
    texts = (plugin.factory.prefix, plugin.factory.summary, plugin.factory.argument_format)
    if not all(isinstance(text, str) for text in texts) or _PREFIX.fullmatch(texts[0]) is None:
        raise PluginError(
            f"the plugin {plugin.name} needs a prefix of a-z 0-9 -, and texts for summary and argument_format"
        )
    return kind


def _verify(interface: Any, provider: object, name: str) -> None:
    try:
        verifyObject(interface, provider)
    except Invalid as error:
        _, _, violations = str(error).partition(f"{interface.__name__}:")
        reason = " ".join((violations or str(error)).split())
        raise PluginError(f"{name} does not provide {interface.__name__}: {reason}") from error


def _reason(error: BaseException) -> str:
    """Return type and message of an error on one line."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def _summary(plugin: _Plugin) -> str:
    """Return a plugin's summary, followed by its module unless it is built in."""
    builtin = plugin.module == f"{plugins.__name__}.builtin"
    return plugin.factory.summary if builtin else f"{plugin.factory.summary} ({plugin.module})"
