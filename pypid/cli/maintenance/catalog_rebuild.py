"""The verb ``catalog``: make it anew."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path

import click
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall

from pypid.catalog.sqlite import SqliteCatalog
from pypid.cli.open_index import IndexOptions, owned, storage_of
from pypid.cli.progress import INTERVAL, progress
from pypid.cli.run_reactor import Context, react
from pypid.daemon.assembly import make_catalog
from pypid.runtime.reactors import IIndexReactor, global_reactor
from pypid.runtime.worker_processes import WorkerProcesses

__all__ = ["catalog"]

_FEW = 10
"""The most projects that cannot be read whose reasons are printed."""


@click.group(short_help="Make the catalog anew.")
def catalog() -> None:
    """Work on the catalog: what pages need, read from the files of the index."""


@catalog.command(short_help="Read all files again.")
@click.pass_obj
def rebuild(index: IndexOptions) -> None:
    """Delete the catalog, and read all files of the index again.

    That is never needed for right pages, as the daemon does it by itself when the catalog is missing or
    damaged. It may run meanwhile, and goes on to serve. The journal that mirrors read begins anew.
    """
    reactor = global_reactor()
    began = time.monotonic()
    with owned(index) as root:
        projects, files, failures = react(lambda: _rebuilt(index, root, reactor), reactor)
    for name, reason in sorted(failures.items())[:_FEW]:
        click.echo(f"pypid: {name} cannot be read: {reason or 'the log of the daemon says why'}", err=True)
    click.echo(f"read {files:,} files of {projects:,} projects in {time.monotonic() - began:.1f} seconds")
    if failures:
        unread = "1 project" if len(failures) == 1 else f"{len(failures):,} projects"
        click.echo(f"pypid: {unread} cannot be read", err=True)
        click.get_current_context().exit(1)


async def _rebuilt(
    index: IndexOptions, root: Path, reactor: IIndexReactor
) -> tuple[int, int, Mapping[str, str]]:
    """Rebuild the catalog; return the numbers of projects and files, and the errors by project."""
    context = Context(root, reactor)
    processes = WorkerProcesses()
    with ExitStack() as stack:
        stack.callback(context.close)
        processes.startService()
        stack.callback(processes.stopService)
        storage = storage_of(index, context)
        catalog = make_catalog(storage, context, sweeping=False, processes=processes)
        for provider in (storage, catalog):
            provider.open()
            stack.callback(provider.close)
        total = len(await storage.projects())
        with progress("reading", total, lambda: f"{catalog.saved:,} projects", reactor) as step:
            following = _following(catalog, step, reactor)
            try:
                return await catalog.rebuild()
            finally:
                following()


def _following(
    catalog: SqliteCatalog, step: Callable[[object], None], reactor: IReactorTime
) -> Callable[[], None]:
    """Move a bar as far as the catalog has come, again and again; return what ends that."""
    done = 0

    def follow() -> None:
        nonlocal done
        for _ in range(catalog.saved - done):
            step(None)
        done = max(done, catalog.saved)

    if not sys.stderr.isatty():  # there is no bar, and a line for each project is of no use
        return lambda: None
    looping = LoopingCall(follow)
    looping.clock = reactor
    looping.start(INTERVAL, now=False)

    def end() -> None:
        looping.stop()
        follow()

    return end
