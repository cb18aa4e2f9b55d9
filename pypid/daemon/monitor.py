"""Everything that tells others how the daemon is: readiness, metrics, and the file for ``pypid status``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import define, field
from twisted.internet.interfaces import IListeningPort, IStreamServerEndpoint
from twisted.logger import globalLogPublisher

from pypid.daemon.config import Config
from pypid.daemon.descriptions import make_listed_endpoint
from pypid.daemon.metrics import Metrics
from pypid.daemon.registration import Registration
from pypid.errors import CannotStart
from pypid.interfaces import IWorkers
from pypid.runtime.audit import AuditFile
from pypid.runtime.layout import Layout
from pypid.runtime.loop_delay import LoopDelay
from pypid.runtime.reactors import IIndexReactor
from pypid.runtime.readiness import Readiness
from pypid.web.http.tallies import Tallies
from pypid.web.metrics_site import MetricsSite

__all__ = ["Monitor"]


@define(eq=False)
class Monitor:
    """What monitoring asks, and what answers it."""

    readiness: Readiness
    """Whether clients should be sent here."""
    tallies: Tallies
    """The counts of everything that clients do."""
    metrics: Metrics
    """The text of all metrics."""
    endpoints: Sequence[tuple[str, IStreamServerEndpoint]]
    """Where only monitoring listens, with the descriptions."""
    site: MetricsSite
    """What answers there."""
    _registration: Registration
    _loop_delay: LoopDelay
    _trail: AuditFile | None
    """The file of audit lines, if there is one."""
    ports: list[IListeningPort] = field(factory=list, init=False)
    """Where it listens now."""

    @classmethod
    def make(
        cls,
        config: Config,
        readiness: Readiness,
        parts: Callable[[], Iterable[object]],
        workers: IWorkers,
        reactor: IIndexReactor,
    ) -> Monitor:
        """Return a monitor, which neither listens nor measures yet.

        :param parts: returns all parts of the daemon as it is now; those that are measured are asked.
        :param workers: threads that write the text of metrics.
        :raises ConfigurationError: the description of an endpoint is wrong.
        """
        tallies, delay = Tallies(), LoopDelay(reactor)
        metrics = Metrics(lambda: [*tallies.all, delay, *parts()], readiness, workers)
        return cls(
            readiness,
            tallies,
            metrics,
            [
                (text, make_listed_endpoint(config, "metrics", number, text, reactor))
                for number, text in enumerate(config.metrics)
            ],
            MetricsSite(metrics.text, readiness, config.realm, reactor),
            Registration(Layout(config.root).daemon),
            delay,
            AuditFile(config.audit_log) if config.audit_log is not None else None,
        )

    def start(self, ports: Sequence[IListeningPort]) -> None:
        """Begin to measure and to write audit lines, and write where the daemon listens. Blocks briefly.

        :param ports: where clients connect.
        :raises CannotStart: audit lines cannot be written.
        """
        if self._trail is not None:
            try:
                self._trail.open()
            except OSError as error:
                raise CannotStart(
                    f"pypid: --audit-log: cannot write to {self._trail.path}: {error.strerror}"
                ) from error
            globalLogPublisher.addObserver(self._trail)
        self._registration.write(ports)
        self._loop_delay.start()

    def stopping(self) -> None:
        """Say from now on that clients should be sent elsewhere."""
        self.readiness.is_stopping = True

    def stop(self) -> None:
        """End the measurements, and remove the file. Blocks briefly."""
        self._loop_delay.stop()
        self._registration.remove()
        if self._trail is not None:
            globalLogPublisher.removeObserver(self._trail)
            self._trail.close()
