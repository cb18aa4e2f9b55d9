"""The counters of one upstream as metrics."""

from __future__ import annotations

from collections.abc import Iterable

from attrs import asdict
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from pypid.upstream.counters import FileCounts, PageCounts, RequestCounts

__all__ = ["cache_metrics"]


def cache_metrics(
    name: str, requests: RequestCounts, pages: PageCounts, files: FileCounts, size: int | None, max_size: int
) -> Iterable[Metric]:
    """Return the metrics of an upstream.

    :param name: the name of the upstream.
    :param size: the bytes that its cache takes; ``None`` if that is not known yet.
    :param max_size: the most bytes that its cache may take.
    """
    yield _counter("requests", "Requests to an upstream, by outcome.", name, "outcome", asdict(requests))
    yield _counter("pages", "Requests for pages of an upstream, by outcome.", name, "outcome", asdict(pages))
    outcomes = {"hits": files.hits, "misses": files.misses, "refused": files.refused}
    yield _counter("files", "Requests for files of an upstream, by outcome.", name, "outcome", outcomes)
    downloads = {"begun": files.downloads, "failed": files.failures}
    yield _counter("downloads", "Downloads of files from an upstream.", name, "state", downloads)
    sources = {"cache": files.bytes_from_cache, "upstream": files.bytes_from_upstream}
    yield _counter("file_bytes", "Bytes of an upstream's files, by their source.", name, "source", sources)
    evictions = CounterMetricFamily(
        "pypid_upstream_cache_evictions", "Files and pages removed to make room.", labels=["upstream"]
    )
    evictions.add_metric([name], files.evictions)
    yield evictions
    sizes = {"pypid_upstream_cache_limit_bytes": max_size, "pypid_upstream_cache_bytes": size}
    for metric, value in sizes.items():
        family = GaugeMetricFamily(metric, "Size of an upstream's cache, and its limit.", labels=["upstream"])
        if value is not None:
            family.add_metric([name], value)
        yield family


def _counter(what: str, summary: str, name: str, label: str, values: dict[str, int]) -> CounterMetricFamily:
    family = CounterMetricFamily(f"pypid_upstream_{what}", summary, labels=["upstream", label])
    for value, number in values.items():
        family.add_metric([name, value], number)
    return family
