"""The upstreams of an index, asked without a daemon, or beside the one that runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import timedelta

from attrs import evolve, frozen

from pypid.cli.open_index import IndexOptions, opened_catalog
from pypid.cli.run_reactor import Context
from pypid.daemon import shorthands
from pypid.daemon.config import check_names
from pypid.errors import ConfigurationError
from pypid.index.resolution import Resolver
from pypid.upstream.options import Settings, parse_description
from pypid.upstream.proxy import ProxyUpstream

__all__ = ["Upstreams", "opened_upstreams", "settings_of"]


@frozen
class Upstreams:
    """What is published here, and behind it the upstreams."""

    sources: Resolver
    """Says who has what; names that are taken here are not asked for."""
    proxies: Sequence[ProxyUpstream]
    """Those that are asked."""

    @property
    def fetched(self) -> int:
        """How many bytes of files were fetched since they were opened, and in all the time before."""
        return sum(proxy.files.counts.bytes_from_upstream for proxy in self.proxies)


@contextmanager
def opened_upstreams(
    index: IndexOptions, settings: Sequence[Settings], reserved: Sequence[str], context: Context
) -> Iterator[Upstreams]:
    """Open upstreams; none of them shows anything stale: whoever asks here waits for the answer.

    :param reserved: patterns of names that they are never asked for.
    :raises ConfigurationError: two have one name.
    :raises CannotStart: something cannot be opened.
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
    """Read the description of an upstream. :raises ConfigurationError: it is wrong, or keeps nothing."""
    prefix, _, argument = shorthands.upstream(description).partition(":")
    if prefix != "proxy":
        raise ConfigurationError(
            f"{description!r} has no cache; give an upstream URL or proxy:URL, as the daemon has it"
        )
    return parse_description(argument)
