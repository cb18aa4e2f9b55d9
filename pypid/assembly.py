"""What the configuration names put together: the same storage and catalog for the daemon and the command."""

from __future__ import annotations

from pathlib import Path

from pypid.catalog.sqlite import SqliteCatalog
from pypid.descriptions import Plugins
from pypid.interfaces import IContext, IStorageFactory
from pypid.layout import Layout
from pypid.threaded_storage import ThreadedStorage

__all__ = ["default_storage", "make_catalog", "make_storage"]

READERS = 8
"""Threads that list, open and read files: they wait for disks."""
CHANGERS = 8
"""Threads that stage, publish and change: they may wait for each other."""
SCANNERS = 2
"""Threads that read what the catalog has not read yet: they compute rather than wait."""


def default_storage(root: Path) -> str:
    """Return the description of the storage that an index has if none is named."""
    return f"directory:{root}"


def make_storage(plugins: Plugins, description: str, context: IContext) -> ThreadedStorage:
    """Make a storage. Nothing is opened yet.

    :raises ConfigurationError: the description is wrong.
    """
    return ThreadedStorage(
        plugins.make(IStorageFactory, description, context),
        context.workers("reading", READERS),
        context.workers("changing", CHANGERS),
        context.workers("scanning", SCANNERS),
    )


def make_catalog(storage: ThreadedStorage, context: IContext, *, sweeping: bool) -> SqliteCatalog:
    """Make the catalog of a storage. Nothing is opened yet.

    :param sweeping: whether it is to look, again and again, for what nobody asks for.
    """
    clock = context.reactor if sweeping else None
    return SqliteCatalog(storage, Layout(context.root).catalog, context.workers("catalog", 1), clock)
