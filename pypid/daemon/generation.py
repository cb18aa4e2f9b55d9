"""The generation of one configuration: its providers, index and routes. A reload makes the next one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any, BinaryIO

from attrs import define, frozen

from pypid.daemon.config import Config, is_for_this_machine
from pypid.daemon.monitor import Monitor
from pypid.daemon.plugin_loading import Plugins
from pypid.daemon.pools import PoolContext
from pypid.daemon.providers import Made, Providers, make_providers
from pypid.daemon.readiness_checks import readiness_checks
from pypid.errors import PypidError
from pypid.index.publishing import Index
from pypid.interfaces import ICatalog, IWorkers
from pypid.names import Filename
from pypid.runtime.command import command_line
from pypid.runtime.reactors import IIndexReactor
from pypid.runtime.readiness import CheckPart
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.upload import CheckedContent, UploadRules
from pypid.upload.form import UploadForm
from pypid.web.permissions.authorization import Authorization
from pypid.web.served_index import ServedIndex
from pypid.web.site import make_served_index

__all__ = ["Foundation", "Generation"]


@frozen
class Foundation:
    """What lives as long as the daemon, whatever the configuration becomes."""

    plugins: Plugins
    """The installed plugins."""
    reactor: IIndexReactor
    """The reactor."""
    storage: ThreadedStorage
    """The storage."""
    catalog: ICatalog
    """The catalog."""
    pages: IWorkers
    """Threads that render long pages and lists, and answer the old protocols."""
    checks: IWorkers
    """Threads that check uploads."""
    uploads: IWorkers
    """Threads that parse uploads and write them to the disk."""
    monitor: Monitor
    """Tells others how the daemon is."""
    check: Callable[[BinaryIO, UploadForm, Filename, UploadRules], CheckedContent]
    """Checks the archive of an upload, in a process of its own."""


@define(eq=False)
class Generation:
    """One configuration, its providers, and what answers requests with them."""

    config: Config
    """The configuration."""
    providers: Providers
    """The providers."""
    authorization: Authorization
    """Who asks, and what they may do."""
    checks: Mapping[str, CheckPart]
    """The checks of ``/+ready``, by the parts."""
    served: ServedIndex
    """What answers requests."""

    @classmethod
    def make(cls, config: Config, base: Foundation, before: Generation | None = None) -> Generation:
        """Return a new generation, whose new providers are not opened.

        :param before: the generation in use. Its providers are taken over as far as they are the same, and
            what it knows of wrong and right passwords.
        :raises ConfigurationError: a description is wrong.
        """
        kept = list(before.providers) if before is not None else []
        providers = make_providers(config, base.plugins, lambda: PoolContext(config.root, base.reactor), kept)
        verifier = providers.verifier
        index = Index(
            storage=base.storage,
            catalog=base.catalog,
            upstreams=[upstream.provider for upstream in providers.upstreams],
            workers=base.pages,
            now=lambda: datetime.fromtimestamp(base.reactor.seconds(), UTC),
            reserved=config.reserved,
            rules=config.uploads,
            verify=verifier.provider.verify if verifier is not None else None,
            checks=base.checks,
            check=base.check,
        )
        authorization = _authorization(config, providers, base, before)
        checks = readiness_checks(config.root, base.storage, base.catalog, index.upstreams)
        served = make_served_index(
            index,
            authorization,
            base.uploads,
            max_upload=config.max_upload,
            public_url=config.public_url,
            realm=config.realm,
            reactor=base.reactor,
            keep_alive=config.keep_alive,
            proxies=config.proxies,
            readiness=base.monitor.readiness,
            tallies=base.monitor.tallies,
            metrics=base.monitor.metrics.text,
            hosts=config.hosts,
            offload=config.offload,
        )
        return cls(config, providers, authorization, checks, served)

    def open(self) -> None:
        """Open the providers that are not open yet. Blocks.

        :raises CannotStart: one of them cannot work. Those that were opened here are closed again.
        """
        opened: list[Made[Any]] = []
        try:
            for one in self.providers:
                if not one.is_open:
                    opened.append(one)
                    one.open()
        except PypidError:
            for one in reversed(opened):
                one.close()
            raise


def _authorization(
    config: Config, providers: Providers, base: Foundation, before: Generation | None
) -> Authorization:
    authenticators = [one.provider for one in providers.authenticators]
    policy = providers.policy.provider
    # Pages that others can reach must not show paths of this machine; the log may.
    is_local = config.public_url is None and is_for_this_machine(config.listen)
    command = command_line("--root", config.root) if is_local else ""
    if before is None:
        return Authorization(authenticators, policy, command=command, tally=base.monitor.tallies.sign_ins)
    return before.authorization.succeeded_by(authenticators, policy, command)
