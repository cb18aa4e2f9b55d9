"""The daemon, which is assembled here, and started and stopped in the right order."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from attrs import define, field
from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.python.failure import Failure
from twisted.web.server import Site
from zope.interface import implementer

from pypid.daemon.announcement import Announcement
from pypid.daemon.assembly import make_catalog, make_storage
from pypid.daemon.attestation_verifier import Verifier
from pypid.daemon.config import Config, is_for_this_machine
from pypid.daemon.monitor import Monitor
from pypid.daemon.plugin_loading import Plugins
from pypid.daemon.providers import located, make_endpoint, make_providers
from pypid.daemon.readiness_checks import readiness_checks
from pypid.daemon.service_manager import ServiceManager
from pypid.daemon.stop_signals import StopSignals
from pypid.errors import CannotStart
from pypid.index.publishing import Index
from pypid.interfaces import (
    IAccessPolicy,
    IAuthenticator,
    ICatalog,
    IContext,
    IUpstream,
    IWorkers,
)
from pypid.runtime.command import command_line
from pypid.runtime.reactors import IIndexReactor
from pypid.runtime.readiness import Readiness
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.runtime.worker_processes import WorkerProcesses
from pypid.runtime.workers import Workers
from pypid.upload import check_content
from pypid.web.permissions.authorization import Authorization
from pypid.web.site import IndexSite, make_site

__all__ = ["Daemon", "make_daemon"]

_Provider = ThreadedStorage | ICatalog | IAuthenticator | IAccessPolicy | IUpstream | Verifier

PATIENCE = 30
"""How long requests under way may take to end when the daemon stops, in seconds."""
PAGES = 4
"""Threads that render long pages and lists, and answer the old protocols."""
UPLOADS = 8
"""Threads that parse uploads and write them to the disk, for which they mostly wait."""
CHECKS = 2
"""Threads that check uploads. Each has a process for the archives, which yields to readers."""

_LISTEN_HINTS = {
    errno.EADDRINUSE: "; another program has it: choose another port, as in --port 8081, or end that one",
    errno.EACCES: "; a port below 1024 is root's: start as root with twistd --uid, or let systemd hold it",
    errno.EADDRNOTAVAIL: "; this machine has no such address: 0.0.0.0 stands for all that it has",
}


@implementer(IContext)
@define
class _Context:
    """The context of the factories, with the pools that they asked for."""

    root: Path
    reactor: IIndexReactor
    pools: list[Workers] = field(factory=list)

    def workers(self, name: str, threads: int) -> IWorkers:
        """Return a new pool, which the daemon starts and stops."""
        pool = Workers(self.reactor, name, threads)
        self.pools.append(pool)
        return pool


class Daemon(Service):
    """The service: it listens, serves, and lets requests end before it stops."""

    def __init__(
        self,
        site: IndexSite,
        endpoints: Sequence[tuple[str, IStreamServerEndpoint]],
        providers: Sequence[_Provider],
        pools: Sequence[Workers | WorkerProcesses],
        announcement: Announcement,
        manager: ServiceManager,
        reactor: IIndexReactor,
        monitor: Monitor,
    ) -> None:
        self._site = site
        self._endpoints = endpoints
        self._providers = providers
        self._pools = pools
        self._announcement = announcement
        self._monitor = monitor
        self._manager = manager
        self._reactor = reactor
        self._signals = StopSignals(reactor, site.give_up)
        self._ports: list[IListeningPort] | None = None

    def privilegedStartService(self) -> None:
        """Listen while the process may still bind ports below 1024. No request is answered yet."""
        super().privilegedStartService()
        self._ports = []
        for description, endpoint in self._endpoints:
            self._ports.append(self._listen(description, endpoint, self._site))
        for description, endpoint in self._monitor.endpoints:
            self._monitor.ports.append(self._listen(description, endpoint, self._monitor.site))

    def startService(self) -> None:
        """Open the providers; the process runs as the daemon's own user from now on."""
        super().startService()
        for pool in self._pools:
            pool.startService()
        self._announcement.check_root()
        try:
            for provider in self._providers:
                provider.open()
        except CannotStart as error:
            raise CannotStart(f"pypid: {error}") from error
        if self._ports is None:
            self.privilegedStartService()
        self._announcement.log(self._ports or [])
        self._monitor.start(self._ports or [])
        self._reactor.callWhenRunning(self._running)
        # The objects made so far stay for good; if the collector scanned them again, it would delay requests.
        gc.collect()
        gc.freeze()

    def _running(self) -> None:
        """Take over the signals, and tell the service manager that requests are answered."""
        if self.running:
            self._signals.install()
            self._manager.ready(f"serving {', '.join(self._announcement.urls(self._ports or []))}")

    def stopService(self) -> Deferred[None]:
        """Stop listening, let requests under way end, and close everything."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._monitor.stopping()
        self._manager.stopping("waiting for requests to end")
        self._announcement.stop()
        for port in self._ports or []:
            await _settled(port.stopListening())
        await self._site.drain(PATIENCE)
        self._monitor.stop()
        for port in self._monitor.ports:
            await _settled(port.stopListening())
        for provider in reversed(self._providers):
            provider.close()
        for pool in reversed(self._pools):
            pool.stopService()
        self._signals.uninstall()
        self._manager.close()

    def _listen(self, description: str, endpoint: IStreamServerEndpoint, site: Site) -> IListeningPort:
        """Listen on an endpoint. :raises CannotStart: it is in use, or not permitted."""
        ports: list[IListeningPort] = []
        failures: list[Failure] = []
        endpoint.listen(site).addCallbacks(ports.append, failures.append)
        for failure in failures:
            error = failure.value
            cause = error.socketError if isinstance(error, CannotListenError) else error
            reason = getattr(cause, "strerror", None) or str(cause)
            hint = _LISTEN_HINTS.get(getattr(cause, "errno", None) or 0, "")
            # The reason comes first, because a daemonized twistd shows only the first hundred bytes.
            raise CannotStart(f"pypid: cannot listen: {reason} ({description}){hint}")
        [port] = ports
        return port


async def _settled(outcome: Any) -> None:
    if isinstance(outcome, Deferred):
        await outcome


def make_daemon(config: Config, plugins: Plugins, reactor: IIndexReactor) -> Daemon:
    """Return a new daemon. Nothing is opened or started yet, and no port is bound.

    :raises ConfigurationError: a description is wrong.
    """
    context = _Context(config.root, reactor)
    storage = located(config, "storage", 0, config.storage, lambda text: make_storage(plugins, text, context))
    made = make_providers(config, plugins, context)
    authenticators, policy, upstreams = made.authenticators, made.policy, made.upstreams
    catalog = make_catalog(storage, context, sweeping=True)
    processes = WorkerProcesses(reactor)
    verifier = Verifier(config.signers, config.root) if config.signers else None
    index = Index(
        storage=storage,
        catalog=catalog,
        upstreams=upstreams,
        workers=context.workers("pages", PAGES),
        now=lambda: datetime.fromtimestamp(reactor.seconds(), UTC),
        reserved=config.reserved,
        rules=config.uploads,
        verify=verifier.verify if verifier is not None else None,
        checks=context.workers("checks", CHECKS),
        check=partial(processes.call, check_content),
    )
    # Pages that others can reach must not show paths of this machine; the log may.
    is_local = config.public_url is None and is_for_this_machine(config.listen)
    command = command_line("--root", config.root) if is_local else ""
    readiness = Readiness(readiness_checks(config.root, storage, catalog, upstreams), reactor)
    monitor = Monitor.make(
        config,
        readiness,
        lambda: [storage.blocking, *providers, *context.pools],
        context.workers("metrics", 1),
        reactor,
    )
    authorization = Authorization(authenticators, policy, command=command, tally=monitor.tallies.sign_ins)
    site = make_site(
        index,
        authorization,
        context.workers("uploads", UPLOADS),
        max_upload=config.max_upload,
        public_url=config.public_url,
        realm=config.realm,
        keep_alive=config.keep_alive,
        proxies=config.proxies,
        hosts=config.hosts,
        offload=config.offload,
        limits=config.limits,
        reactor=reactor,
        readiness=readiness,
        tallies=monitor.tallies,
        metrics=monitor.metrics.text,
        log_format=config.log_format,
    )

    manager = ServiceManager.of(os.environ, reactor)
    announcement = Announcement(config, storage, catalog, policy, authenticators, upstreams, reactor)
    endpoints = [(text, make_endpoint(config, number, reactor)) for number, text in enumerate(config.listen)]
    providers: list[_Provider] = [storage, catalog, *authenticators, policy, *upstreams]
    if verifier is not None:
        providers.append(verifier)
    pools: list[Workers | WorkerProcesses] = [processes, *context.pools]
    return Daemon(site, endpoints, providers, pools, announcement, manager, reactor, monitor)
