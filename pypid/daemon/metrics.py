"""All metrics of the daemon, in Prometheus' text format (version 0.0.4)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from attrs import define, frozen
from prometheus_client import ProcessCollector
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.exposition import generate_latest
from prometheus_client.registry import Collector
from twisted.logger import Logger

from pypid import __version__
from pypid.formats.readiness_report import Condition, ReadinessReport
from pypid.interfaces import IMeasured, IWorkers
from pypid.runtime.readiness import Readiness

__all__ = ["Metrics"]


@frozen
class _Families(Collector):
    """Families as one collector, which the library can write."""

    families: Sequence[Metric]

    def collect(self) -> Sequence[Metric]:
        """Return the families."""
        return self.families


@define(eq=False)
class Metrics:
    """Collects the metrics of all parts, and of the process."""

    _sources: Callable[[], Iterable[object]]
    """Returns all parts of the daemon as it is now; those that are measured are asked."""
    _readiness: Readiness
    _workers: IWorkers
    """Writes the text, and reads what the system tells about the process."""
    _log = Logger()

    async def text(self) -> bytes:
        """Return all metrics. Called in the reactor's thread."""
        families = list(_of_readiness(await self._readiness.report()))
        families.append(InfoMetricFamily("pypid", "The version of pypid.", {"version": __version__}))
        for source in self._sources():
            if IMeasured.providedBy(source):
                families += self._collected(source)
        joined = _joined(families)
        return await self._workers.run(_text, joined)

    def _collected(self, source: IMeasured) -> Sequence[Metric]:
        """Return the families of a part. A part that fails has none, and takes none from others."""
        try:
            return list(source.collect())
        except Exception:
            self._log.failure("Cannot collect the metrics of {source!r}", source=source)
            return ()


def _of_readiness(report: ReadinessReport) -> Iterable[Metric]:
    yield GaugeMetricFamily("pypid_ready", "1 if clients should be sent here, else 0.", int(report.is_ready))
    family = GaugeMetricFamily(
        "pypid_part_condition", "1 if a part works, 0.5 if it is degraded, 0 if it failed.", labels=["part"]
    )
    values = {Condition.GOOD: 1.0, Condition.DEGRADED: 0.5, Condition.FAILED: 0.0}
    for finding in report.findings:
        family.add_metric([finding.part], values[finding.condition])
    yield family


def _joined(families: Iterable[Metric]) -> Sequence[Metric]:
    """Return the families, with those of one name as one family, as the format demands."""
    found: dict[str, Metric] = {}
    for family in families:
        if family.name in found:
            found[family.name].samples.extend(family.samples)
        else:
            found[family.name] = family
    return list(found.values())


def _text(families: Sequence[Metric]) -> bytes:
    """Return the text of all families, and of those of the process. Blocks briefly: it reads ``/proc``."""
    return generate_latest(_Families([*families, *ProcessCollector(registry=None).collect()]))
