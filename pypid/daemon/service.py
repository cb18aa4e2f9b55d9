"""The daemon, which is assembled here, and started and stopped in the right order."""

from __future__ import annotations

import errno
import gc
import os
from collections.abc import Sequence
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.python.failure import Failure
from twisted.web.server import Site

from pypid.daemon.announcement import Announcement
from pypid.daemon.assembly import make_catalog, make_storage
from pypid.daemon.config import Config
from pypid.daemon.configuration.source import ConfigurationSource, Flags
from pypid.daemon.control import Control
from pypid.daemon.descriptions import located
from pypid.daemon.generation import Foundation, Generation
from pypid.daemon.hangup import Hangup
from pypid.daemon.monitor import Monitor
from pypid.daemon.plugin_loading import Plugins
from pypid.daemon.pools import PoolContext
from pypid.daemon.reload import Reload
from pypid.daemon.service_manager import ServiceManager
from pypid.daemon.stop_signals import StopSignals
from pypid.daemon.tls import Endpoints
from pypid.errors import CannotStart
from pypid.runtime.layout import Layout
from pypid.runtime.reactors import IIndexReactor
from pypid.runtime.readiness import Readiness
from pypid.runtime.worker_processes import WorkerProcesses
from pypid.upload import check_content
from pypid.web.site import IndexSite

__all__ = ["Daemon", "make_daemon"]

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


class Daemon(Service):
    """The service: it listens, serves, and lets requests end before it stops."""

    def __init__(
        self,
        site: IndexSite,
        endpoints: Sequence[tuple[str, IStreamServerEndpoint]],
        base: Foundation,
        context: PoolContext,
        reload: Reload,
        announcement: Announcement,
        manager: ServiceManager,
    ) -> None:
        self.reload = reload
        self._manager = manager
        self._monitor = base.monitor
        self._signals = StopSignals(context.reactor, site.give_up)
        self._site = site
        self._endpoints = endpoints
        self._base = base
        self._context = context
        self._announcement = announcement
        self._ports: list[IListeningPort] | None = None
        directory = Layout(context.root).control
        self._control = Control(directory, {"reload": self._read_again}, context.reactor)
        self._hangup = Hangup(self._read_again, context.reactor)

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
        self._context.start()
        self._announcement.check_root()
        try:
            self._base.storage.open()
            self._base.catalog.open()
            self.reload.current.open()
        except CannotStart as error:
            raise CannotStart(f"pypid: {error}") from error
        if self._ports is None:
            self.privilegedStartService()
        self._announcement.log(self._ports or [])
        self._monitor.start(self._ports or [])
        self._control.start()
        self._context.reactor.callWhenRunning(self._running)
        # The objects made so far stay for good; if the collector scanned them again, it would delay requests.
        gc.collect()
        gc.freeze()

    def _running(self) -> None:
        """Take over the signals, and tell the service manager that requests are answered."""
        if self.running:
            self._signals.install()
            self._hangup.start()
            self._manager.ready(self._status)

    @property
    def _status(self) -> str:
        """One line for the service manager."""
        return f"serving {', '.join(self._announcement.urls(self._ports or []))}"

    def stopService(self) -> Deferred[None]:
        """Stop listening, let requests under way end, and close everything."""
        super().stopService()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        self._monitor.stopping()
        self.reload.refuse()
        self._manager.stopping("waiting for requests to end")
        self._announcement.stop()
        self._hangup.stop()
        await self._control.stop()
        for port in self._ports or []:
            await _settled(port.stopListening())
        await self._site.drain(PATIENCE)
        self._monitor.stop()
        for port in self._monitor.ports:
            await _settled(port.stopListening())
        self.reload.stop()
        self._base.catalog.close()
        self._base.storage.close()
        self._context.stop()
        self._signals.uninstall()
        self._manager.close()

    async def _read_again(self) -> tuple[bool, Sequence[str]]:
        """Read the configuration again; return whether it is in use, and what has changed or is wrong."""
        self._manager.reloading()
        result = await self.reload.run()
        self._manager.ready(self._status)
        return result.is_done, result.lines

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


def make_daemon(flags: Flags, config: Config, plugins: Plugins, reactor: IIndexReactor) -> Daemon:
    """Return a new daemon. Nothing is opened or started yet, and no port is bound.

    :param flags: the command line, from which a reload begins.
    :param config: the configuration that was read from there.
    :raises ConfigurationError: a description is wrong.
    """
    context = PoolContext(config.root, reactor)
    processes = context.add(WorkerProcesses(reactor))
    storage = located(config, "storage", 0, config.storage, lambda text: make_storage(plugins, text, context))
    catalog = make_catalog(storage, context, sweeping=True, processes=processes)
    readiness = Readiness({}, reactor)

    def parts() -> list[object]:
        # Only those in use: a metric of two upstreams of one name would be there twice.
        return [storage.blocking, storage, catalog, *context.pools, *reload.current.providers.parts]

    monitor = Monitor.make(config, readiness, parts, context.workers("metrics", 1), reactor)
    base = Foundation(
        plugins,
        reactor,
        storage,
        catalog,
        monitor=monitor,
        pages=context.workers("pages", PAGES),
        checks=context.workers("checks", CHECKS),
        uploads=context.workers("uploads", UPLOADS),
        check=partial(processes.call, check_content),
    )
    first = Generation.make(config, base)
    readiness.replace(first.checks)
    site = IndexSite(first.served, reactor, monitor.tallies, config.limits, config.log_format)
    endpoints = Endpoints(config, reactor)
    source = ConfigurationSource(flags.as_understood(), config.file, plugins, base.pages, reactor)
    announcement = Announcement(
        config,
        storage,
        base.catalog,
        first.providers.policy.provider,
        [one.provider for one in first.providers.authenticators],
        [one.provider for one in first.providers.upstreams],
        reactor,
    )
    listening = endpoints.make()
    reload = Reload(source, base, site, endpoints, first)
    manager = ServiceManager.of(os.environ, reactor)
    return Daemon(site, listening, base, context, reload, announcement, manager)
