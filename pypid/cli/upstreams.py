"""The opening of upstreams by the command, whether the daemon runs or not."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from attrs import evolve, frozen

from pypid.cli.open_index import IndexOptions, opened_catalog
from pypid.cli.run_reactor import Context
from pypid.daemon.config import check_names
from pypid.daemon.configuration import shorthands
from pypid.errors import ConfigurationError
from pypid.index.resolution import Resolver
from pypid.upstream.options import Settings, parse_description
from pypid.upstream.proxy import ProxyUpstream

__all__ = ["Upstreams", "opened_upstreams", "settings_of"]


@frozen
class Upstreams:
    """The opened upstreams, behind the local projects."""

    resolver: Resolver
    """Resolves projects; local and reserved names are not asked for upstream."""
    proxies: Sequence[ProxyUpstream]
    """The upstreams, in order."""

    @property
    def fetched(self) -> int:
        """The bytes of files fetched since the caches were created."""
        return sum(proxy.files.counts.bytes_from_upstream for proxy in self.proxies)


@contextmanager
def opened_upstreams(
    index: IndexOptions, settings: Sequence[Settings], reserved: Sequence[str], context: Context
) -> Iterator[Upstreams]:
    """Open upstreams, and yield them. They serve nothing stale: a command waits for the answer.

    :param reserved: patterns of names that are never asked for upstream.
    :raises ConfigurationError: two upstreams share a name.
    :raises CannotStart: an upstream or the catalog cannot be opened.
    """
    proxies = [ProxyUpstream.make(evolve(one, max_stale=timedelta(0)), context) for one in settings]
    check_names(proxies)
    with ExitStack() as stack:
        catalog = stack.enter_context(opened_catalog(index))
        for proxy in proxies:
            proxy.open()
            stack.callback(proxy.close)
        yield Upstreams(Resolver(catalog, proxies, reserved), proxies)


def settings_of(description: str) -> Settings:
    """Parse the description of an upstream.

    :raises ConfigurationError: the description is wrong, or the upstream has no cache.
    """
    prefix, _, argument = shorthands.upstream(description).partition(":")
    if prefix != "proxy":
        raise ConfigurationError(
            f"{description!r} has no cache; give an upstream URL or proxy:URL, as the daemon has it"
        )
    return parse_description(argument)
