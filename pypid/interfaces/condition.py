"""What any provider may tell about its own condition, besides its role: its troubles, and its numbers."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import Metric
from zope.interface import Interface

__all__ = ["IDiskSpace", "IMeasured", "ITroubled"]


class ITroubled(Interface):
    """A provider that knows whether it works, and without which the daemon can still serve its clients."""

    def trouble() -> str | None:
        """Return one line about what is wrong now, or ``None`` if nothing is known to be wrong.

        Strangers may read it, so it has neither paths nor secrets. Called in the reactor's thread; it returns
        at once, from what is known.
        """


class IMeasured(Interface):
    """A provider that counts what it does."""

    def collect() -> Iterable[Metric]:
        """Return families of metrics, such as ``prometheus_client.core.CounterMetricFamily``.

        Families of the same name, from several providers, are joined into one. Names begin with ``pypid_``
        and follow Prometheus' conventions. Labels have few values, and none that a client can choose. Called
        in the reactor's thread; it returns at once, from what is known.
        """


class IDiskSpace(Interface):
    """A storage on a disk that may become full."""

    def space() -> tuple[int, int]:
        """Return the size of the disk, and the room that is left on it, in bytes.

        Called in a worker's thread; it may block.

        :raises StorageUnavailable: the disk does not answer.
        """
