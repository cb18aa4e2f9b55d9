"""The verb ``cache``: prefetch, refresh, shrink, show and verify the caches of upstreams."""

from __future__ import annotations

import sys
from collections.abc import Callable, Coroutine, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from pypid.cli.caches import Cache, caches
from pypid.cli.commands import ProjectName
from pypid.cli.environments import Choice, Platform, Python
from pypid.cli.open_index import IndexOptions, owned
from pypid.cli.param_types import Validated
from pypid.cli.prefetch import Prefetch
from pypid.cli.progress import progress
from pypid.cli.refresh_pages import Refresh
from pypid.cli.releases import Release, read_lock_files, releases
from pypid.cli.retry import PAUSES
from pypid.cli.run_reactor import Context, react
from pypid.cli.upstreams import Upstreams, opened_upstreams, settings_of
from pypid.daemon.config import DEFAULT_UPSTREAM_URL
from pypid.formats.quantities import size, written_size
from pypid.names import name_pattern
from pypid.runtime.reactors import global_reactor
from pypid.upstream.options import DEFAULT_MAX_SIZE, Settings

__all__ = ["cache"]

T = TypeVar("T")

_which = click.option(
    "--upstream",
    "settings",
    type=Validated("upstream", settings_of),
    multiple=True,
    metavar="DESC",
    help="As the daemon has it; may be repeated.  [default: all that have a cache]",
)
_asked = click.option(
    "--upstream",
    "settings",
    type=Validated("upstream", settings_of),
    multiple=True,
    metavar="DESC",
    default=(f"proxy:{DEFAULT_UPSTREAM_URL}",),
    help="As the daemon has it; may be repeated.  [default: proxy of PyPI]",
)
_reserved = click.option(
    "--reserve",
    "reserved",
    type=Validated("pattern", name_pattern),
    multiple=True,
    metavar="PATTERN",
    help="Names that are not asked for, as the daemon has it; may be repeated.",
)


@click.group(short_help="Fill, shrink and check the caches of upstreams.")
def cache() -> None:
    """Work on what is kept of upstreams, in ROOT/.pypid/cache, whether the daemon runs or not."""


@cache.command(short_help="Fetch what lock files pin.")
@click.option(
    "-r",
    "--requirement",
    "paths",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    multiple=True,
    required=True,
    metavar="FILE",
    help="requirements.txt, pylock.toml, uv.lock, poetry.lock or Pipfile.lock; may be repeated.",
)
@click.option(
    "--platform",
    "platforms",
    type=Validated("platform", Platform.parse),
    multiple=True,
    metavar="PLATFORM",
    help="One like manylinux_2_28_x86_64 or macosx_14_0_arm64; may be repeated.  [default: all]",
)
@click.option(
    "--python",
    "pythons",
    type=Validated("python", Python.parse),
    multiple=True,
    metavar="VERSION",
    help="One like 3.12; may be repeated.  [default: all]",
)
@click.option("--no-sdists", is_flag=True, help="Wheels alone.")
@_asked
@_reserved
@click.pass_obj
def prefetch(
    index: IndexOptions,
    paths: Sequence[Path],
    platforms: Sequence[Platform],
    pythons: Sequence[Python],
    no_sdists: bool,
    settings: Sequence[Settings],
    reserved: Sequence[str],
) -> None:
    """Fetch all files of the releases that lock files pin, to be installed without the upstream.

    What is there already is not fetched again: after an interruption, say it once more.
    """
    pins, failures = read_lock_files(paths)
    choice = Choice(platforms, pythons, not no_sdists)
    wanted = releases(pins, choice)

    async def work(upstreams: Upstreams, reactor: IReactorTime) -> Sequence[str]:
        return await _prefetch(upstreams, wanted, choice, reactor)

    _end([*failures, *_working(index, settings, reserved, work)])


@cache.command(short_help="Ask for pages again.")
@click.argument("names", nargs=-1, type=ProjectName(), metavar="[NAME...]")
@_asked
@_reserved
@click.pass_obj
def refresh(
    index: IndexOptions, names: Sequence[str], settings: Sequence[Settings], reserved: Sequence[str]
) -> None:
    """Ask the upstream again for the pages that are kept, or for those of some projects."""

    async def work(upstreams: Upstreams, reactor: IReactorTime) -> Sequence[str]:
        kept = {name for proxy in upstreams.proxies for name in Cache(proxy.files.directory).pages}
        wanted = sorted(kept.intersection(names) if names else kept)
        refreshing = Refresh(upstreams.resolver, reactor)
        with progress("pages", len(wanted), str, reactor) as step:
            await refreshing.run(wanted, step)
        click.echo(f"refreshed {refreshing.refreshed} pages; {refreshing.gone} are not there any more")
        return [
            *(f"{name}: no page of it is kept" for name in names if name not in kept),
            *refreshing.failures,
        ]

    # With a lifetime of zero every page is revalidated; a fresh one would hide that nobody answers.
    _end(_working(index, [evolve(one, ttl=timedelta(0)) for one in settings], reserved, work))


@cache.command(short_help="Keep caches small.")
@click.option(
    "--max-size",
    type=Validated("size", size),
    metavar="SIZE",
    help="How much is kept of each, such as 5GiB.  [default: what its upstream has, or 10GiB]",
)
@_which
@click.pass_obj
def gc(index: IndexOptions, max_size: int | None, settings: Sequence[Settings]) -> None:
    """Remove what was not asked for the longest until the rest is within bounds, and what crashes left."""
    bounds = {one.name: one.max_size for one in settings}
    with owned(index) as path:
        for one in _caches(path, settings):
            before = one.size
            one.tidy()
            removed = one.shrink(max_size or bounds.get(one.name, DEFAULT_MAX_SIZE))
            after = one.size
            click.echo(
                f"{one.name}: removed {removed} files and pages;"
                f" {written_size(after)} of {written_size(before)} stay"
            )


@cache.command(short_help="Show what caches are good for.")
@_which
@click.pass_obj
def stats(index: IndexOptions, settings: Sequence[Settings]) -> None:
    """Show what is kept, and what was counted since the cache was made: by the daemon, up to a minute ago."""
    with owned(index) as path:
        for one in _caches(path, settings):
            pages, files = one.statistics()
            click.echo(one.name)
            click.echo(
                f"  pages  {pages.hits} hits, {pages.misses} misses, {pages.revalidated} unchanged,"
                f" {pages.stale} stale, {pages.failures} failures"
            )
            click.echo(
                f"  files  {files.hits} hits, {files.misses} misses, {files.failures} failures,"
                f" {files.refused} of them refused, {files.evictions} evicted"
            )
            saved, fetched = files.bytes_from_cache, files.bytes_from_upstream
            click.echo(f"  bytes  {written_size(saved)} from the cache, {written_size(fetched)} fetched")
            kept = f"{len(one.pages)} pages, {len(one.files)} files, {written_size(one.size)}"
            click.echo(f"  kept   {kept}")


@cache.command(short_help="Read all files again.")
@_which
@click.pass_obj
def verify(index: IndexOptions, settings: Sequence[Settings]) -> None:
    """Compare the digests of all files with those that their pages tell; what is wrong is removed."""
    wrong: list[str] = []
    with owned(index) as path:
        for one in _caches(path, settings):
            files = one.files
            verdicts = one.verify(files)
            with click.progressbar(
                verdicts, len(files), one.name, file=sys.stderr, hidden=not sys.stderr.isatty()
            ) as bar:
                found = list(bar)
            wrong += [f"{file} was wrong and is removed" for file, right in found if right is False]
            unknown = sum(right is None for _, right in found)
            click.echo(
                f"{one.name}: {sum(right is True for _, right in found)} files are right; {unknown} unknown"
            )
    _end(wrong)


async def _prefetch(
    upstreams: Upstreams, wanted: Sequence[Release], choice: Choice, reactor: IReactorTime
) -> Sequence[str]:
    """Fetch the releases, show the progress, and return the failures, a line each."""
    before = upstreams.fetched
    # A retry is useless if no upstream is asked.
    pauses = () if all(proxy.settings.offline for proxy in upstreams.proxies) else PAUSES
    prefetching = Prefetch(upstreams.resolver, choice, reactor, pauses)

    def detail() -> str:
        return f"{written_size(upstreams.fetched - before)} fetched"

    with progress("pages", len(wanted), detail, reactor) as step:
        files = await prefetching.plan(wanted, step)
    with progress("files", len(files), detail, reactor) as step:
        await prefetching.fetch(files, step)
    local = f"; {prefetching.local} releases are published here" if prefetching.local else ""
    click.echo(
        f"fetched {prefetching.fetched} files, {written_size(upstreams.fetched - before)};"
        f" {prefetching.kept} were there{local}"
    )
    return prefetching.failures


def _working(
    index: IndexOptions,
    settings: Sequence[Settings],
    reserved: Sequence[str],
    work: Callable[[Upstreams, IReactorTime], Coroutine[Deferred[Any], Any, T]],
) -> T:
    """Return the result of ``work``, which is given the opened upstreams while the reactor runs."""
    reactor = global_reactor()
    with owned(index) as path:

        async def run() -> T:
            context = Context(path, reactor)
            try:
                with opened_upstreams(index, settings, reserved, context) as upstreams:
                    return await work(upstreams, reactor)
            finally:
                context.close()

        return react(run, reactor)


def _caches(root: Path, settings: Sequence[Settings]) -> Sequence[Cache]:
    return caches(root, [one.name for one in settings])


def _end(failures: Sequence[str]) -> None:
    """Print the failures, and exit with 1 if there are any."""
    for failure in failures:
        click.echo(f"pypid: {failure}", err=True)
    if failures:
        click.get_current_context().exit(1)
