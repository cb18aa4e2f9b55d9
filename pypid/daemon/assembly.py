"""The storage and the catalog, assembled from their descriptions for the daemon and the command alike."""

from __future__ import annotations

from pathlib import Path

from pypid.catalog.sqlite import SqliteCatalog
from pypid.daemon.plugin_loading import Plugins
from pypid.interfaces import IContext, IStorageFactory
from pypid.runtime.layout import Layout
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.runtime.worker_processes import WorkerProcesses

__all__ = ["default_storage", "make_catalog", "make_storage"]

READERS = 8
"""Threads that list projects, and open and read files of the storage."""
CHANGERS = 8
"""Threads that stage and publish files and change records; they may wait for each other's locks."""
SCANNERS = 2
"""Threads that read many small files at a time. They compute more than they wait, so a few are best."""
HASHERS = 2
"""Threads that read large files from end to end, when the files or the catalog are new."""


def default_storage(root: Path) -> str:
    """Return the description of the default storage of an index."""
    return f"directory:{root}"


def make_storage(plugins: Plugins, description: str, context: IContext) -> ThreadedStorage:
    """Return a new storage, not opened yet.

    :raises ConfigurationError: the description is wrong.
    """
    return ThreadedStorage(
        plugins.make(IStorageFactory, description, context),
        reading=context.workers("reading", READERS),
        changing=context.workers("changing", CHANGERS),
        scanning=context.workers("scanning", SCANNERS),
        hashing=context.workers("hashing", HASHERS),
    )


def make_catalog(
    storage: ThreadedStorage,
    context: IContext,
    *,
    sweeping: bool,
    processes: WorkerProcesses | None = None,
) -> SqliteCatalog:
    """Return a new catalog of a storage, not opened yet.

    :param sweeping: whether the catalog looks periodically for changes in projects that nobody requests.
    :param processes: where many files are described; without them, that is done in threads.
    """
    clock = context.reactor if sweeping else None
    return SqliteCatalog(
        storage,
        Layout(context.root).catalog,
        context.workers("catalog", 1),
        clock,
        context.workers("lookout", 1),
        processes,
    )
