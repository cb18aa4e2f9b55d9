"""The summary in the log at start: what the daemon serves, to whom, and how to use it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from attrs import define, field
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IListeningPort, IReactorCore
from twisted.logger import Logger

from pypid import __version__
from pypid.daemon.assembly import default_storage
from pypid.daemon.config import Config
from pypid.errors import PypidError
from pypid.interfaces import IAccessPolicy, IAuthenticator, ICatalog, IUpstream
from pypid.model import Action
from pypid.runtime.command import command_line
from pypid.runtime.layout import Layout
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.web.routes.home_page import local_url

__all__ = ["Announcement"]

_log = Logger(namespace="pypid")


@define(eq=False)
class Announcement:
    """Writes a few lines to the log at start, and more once projects and files have been counted."""

    _config: Config
    _storage: ThreadedStorage
    _catalog: ICatalog
    _policy: IAccessPolicy
    _authenticators: Sequence[IAuthenticator]
    _upstreams: Sequence[IUpstream]
    _reactor: IReactorCore
    _is_new: bool = field(default=False, init=False)
    _counting: Deferred[None] | None = field(default=None, init=False)

    def check_root(self) -> None:
        """Check whether the root holds an index already, before the storage creates one."""
        layout, root = Layout(self._config.root), self._config.root
        # The content of any other storage cannot be seen from here.
        is_usual = self._config.storage == default_storage(root)
        self._is_new = is_usual and not (layout.projects.exists() or layout.state.exists())

    def log(self, ports: Sequence[IListeningPort]) -> None:
        """Log what is known at once, and start counting.

        :param ports: the ports that the daemon listens on.
        """
        config = self._config
        _log.info("pypid {version} serves {root}", version=__version__, root=str(config.root))
        if self._is_new:
            _log.info(
                "  projects none: {root} held no index until now; if that is a surprise, look at --root",
                root=str(config.root),
            )
        _log.info("  access   {access}", access=self._policy.summary)
        self._log_upstreams()
        self._log_users()
        for url in self.urls(ports):
            _log.info("  open     {url}", url=url)
            _log.info("  install  pip install --index-url {url}simple/ NAME", url=url)
            _log.info("  upload   twine upload --repository-url {url}legacy/ dist/*", url=url)
        self._reactor.callWhenRunning(self._start_counting)

    def urls(self, ports: Sequence[IListeningPort]) -> Sequence[str]:
        """Return the addresses under which the daemon answers, each with a slash at its end.

        :param ports: the ports that the daemon listens on.
        """
        if self._config.public_url:
            return [self._config.public_url]
        return list(dict.fromkeys(local_url(port.getHost(), False) for port in ports))

    def stop(self) -> None:
        """Stop counting."""
        if self._counting is not None:
            self._counting.cancel()

    def _log_upstreams(self) -> None:
        for upstream in self._upstreams:
            _log.info("  upstream {summary}", summary=upstream.summary)
            if upstream.merged:
                _log.info(
                    "  merged   its files are added to what is published here of {names}",
                    names=", ".join(sorted(upstream.merged)),
                )
        if self._config.reserved:
            names = ", ".join(self._config.reserved)
            _log.info("  reserved {names}: never asked for upstream", names=names)
        elif any(upstream.name != "none" for upstream in self._upstreams):
            _log.info(
                "  reserved no names: what is not published here is asked for upstream, private names"
                " too; keep yours back with --reserve 'acme-*'"
            )

    def _log_users(self) -> None:
        for summary in [getattr(one, "summary", "") for one in self._authenticators]:
            if summary:
                _log.info("  users    {summary}", summary=summary)
        if any(authenticator.is_usable() for authenticator in self._authenticators):
            return
        if self._policy.permits(None, Action.UPLOAD, None, frozenset()):
            _log.info("  users    none, and uploads need none")
            return
        command = command_line("--root", self._config.root, "user", "add", "NAME")
        _log.info("  users    none yet: make one with `{command}`", command=command)

    def _start_counting(self) -> None:
        self._counting = Deferred.fromCoroutine(self._count())
        self._counting.addErrback(lambda failure: _log.failure("Cannot count projects", failure))

    async def _count(self) -> None:
        """Log the number of projects and files, and the misplaced archives.

        A failure is not logged here: the catalog or the storage has done that.
        """
        with suppress(PypidError, CancelledError):
            if not self._is_new:
                projects, files = await self._catalog.count()
                what = f"{projects:,}, with {files:,} file{'' if files == 1 else 's'}"
                counts = what if projects else "none yet"
                _log.info("  projects {counts}, in {root}", counts=counts, root=str(self._config.root))
            for line in await self._storage.run(lambda storage: storage.misplaced()):
                _log.warn("{line}", line=line)
