"""What the configuration names put together: the same storage and catalog for the daemon and the command."""

from __future__ import annotations

from pathlib import Path

from pypid.catalog.sqlite import SqliteCatalog
from pypid.daemon.plugin_loading import Plugins
from pypid.interfaces import IContext, IStorageFactory
from pypid.runtime.layout import Layout
from pypid.runtime.threaded_storage import ThreadedStorage

__all__ = ["default_storage", "make_catalog", "make_storage"]

READERS = 8
"""Threads that open and send files of the storage, and list projects."""
CHANGERS = 8
"""Threads that take files in, publish them, and change records; they may wait for others that do."""
SCANNERS = 2
"""Threads that read many small files at a time: they compute rather than wait, and are best few."""
HASHERS = 2
"""Threads that read large files from end to end, when they are new or the catalog is."""


def default_storage(root: Path) -> str:
    """Return the description of the storage that an index has if none is named."""
    return f"directory:{root}"


def make_storage(plugins: Plugins, description: str, context: IContext) -> ThreadedStorage:
    """Make a storage. Nothing is opened yet.

    :raises ConfigurationError: the description is wrong.
    """
    return ThreadedStorage(
        plugins.make(IStorageFactory, description, context),
        reading=context.workers("reading", READERS),
        changing=context.workers("changing", CHANGERS),
        scanning=context.workers("scanning", SCANNERS),
        hashing=context.workers("hashing", HASHERS),
    )


def make_catalog(storage: ThreadedStorage, context: IContext, *, sweeping: bool) -> SqliteCatalog:
    """Make the catalog of a storage. Nothing is opened yet.

    :param sweeping: whether it is to look, again and again, for what nobody asks for.
    """
    clock = context.reactor if sweeping else None
    return SqliteCatalog(
        storage,
        Layout(context.root).catalog,
        context.workers("catalog", 1),
        clock,
        context.workers("lookout", 1),
    )
