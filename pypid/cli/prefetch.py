"""The prefetch of releases' files into the caches of upstreams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime

from pypid.cli.environments import Choice
from pypid.cli.releases import Release
from pypid.cli.retry import PAUSES, attempt_each
from pypid.errors import InvalidFilename, NotFound, PypidError, Withheld
from pypid.index.resolution import Resolver
from pypid.model import File, Project
from pypid.names import parse_filename
from pypid.upstream.proxy import ProxyUpstream

__all__ = ["Prefetch", "Wanted"]

_NOT_ALLOWED = "none of its files has a hash that the lock file has"


@frozen
class Wanted:
    """A file to fetch."""

    release: Release
    """The release it belongs to."""
    file: File
    """Its description on the project's page."""
    upstream: ProxyUpstream
    """The upstream that has it."""

    def __str__(self) -> str:
        """Return release and file name."""
        return f"{self.release}: {self.file.filename}"


@define
class Prefetch:
    """Fetches the files that are not cached yet, a few at a time. A failure does not stop the rest."""

    _resolver: Resolver
    _choice: Choice
    _reactor: IReactorTime
    pauses: Sequence[float] = PAUSES
    """The seconds to wait before each retry."""
    failures: list[str] = field(factory=list, init=False)
    """A line for each failure, with the reason."""
    fetched: int = field(default=0, init=False)
    """The number of files fetched."""
    kept: int = field(default=0, init=False)
    """The number of files that were cached already."""
    local: int = field(default=0, init=False)
    """The number of releases that are published here, and so are not fetched."""

    async def plan(self, wanted: Iterable[Release], step: Callable[[object], None]) -> Sequence[Wanted]:
        """Return the files to fetch. The pages that list them are cached, too.

        :param step: called with each release once it was looked up, or failed.
        """
        found: dict[Release, Sequence[Wanted]] = {}

        async def look_up(release: Release) -> None:
            found[release] = await self._files(release)

        failed = await attempt_each(wanted, look_up, step, self._reactor, self.pauses)
        self.failures += sorted(f"{release}: {error}" for release, error in failed.items())
        return [one for release in sorted(found, key=str) for one in found[release]]

    async def fetch(self, wanted: Sequence[Wanted], step: Callable[[object], None]) -> None:
        """Fetch files, and their core metadata where the page offers it.

        :param step: called with each file once it was fetched, was found in the cache, or failed.
        """
        fetched: dict[Wanted, bool] = {}

        async def keep(one: Wanted) -> None:
            project, file = one.release.project, one.file
            fetched[one] = await one.upstream.ensure_cached(project, file) or fetched.get(one, False)
            if file.core_metadata is not None:
                await one.upstream.metadata(project, file)

        failed = await attempt_each(wanted, keep, step, self._reactor, self.pauses)
        self.failures += sorted(f"{one.release}: {error}" for one, error in failed.items())
        self.fetched = sum(fetched.values())
        self.kept = len(fetched) - self.fetched
        for release in {one.release for one in fetched} - {
            one.release for one in fetched if _is_allowed(one)
        }:
            self.failures.append(f"{release}: {_NOT_ALLOWED}")
        for one in fetched:
            if not one.upstream.files.has(one.release.project, one.file):
                self.failures.append(f"{one} made room for others; the cache is too small: see max-size=")

    async def _files(self, release: Release) -> Sequence[Wanted]:
        """Return the wanted files of a release.

        :raises NotFound: there is no such release, or none of its files is wanted.
        :raises Withheld: a rule withholds all of its files.
        """
        project, files = await self._offered(release)
        allowed = [file for file in files if release.allows(file.hashes)]
        wanted = [file for file in allowed if self._choice.wants(file)]
        if not wanted:
            raise _nothing(release, project, files, allowed)
        found: list[Wanted] = []
        for file in wanted:
            _, upstream = await self._resolver.file(release.project, file.filename)
            if isinstance(upstream, ProxyUpstream):  # otherwise the release is published here
                found.append(Wanted(release, file, upstream))
        self.local += not found
        return found

    async def _offered(self, release: Release) -> tuple[Project, Sequence[File]]:
        """Return a release's project and files. If it has none, refresh the page once: it may be old."""
        refresh = False
        while True:
            project = await self._resolver.project(release.project, refresh=refresh)
            if not isinstance(project, Project):
                raise NotFound("its page is elsewhere")
            files = [file for file in project.files if file.version == release.version]
            if files or refresh:
                return project, files
            refresh = True


def _is_allowed(one: Wanted) -> bool:
    """Return whether the lock file allows a cached file, by its hash or else by its recorded digest."""
    pin = one.upstream.files.recorded_digest(one.release.project, one.file.filename)
    return one.release.allows(one.file.hashes or ({"sha256": pin} if pin else {}))


def _nothing(
    release: Release, project: Project, files: Sequence[File], allowed: Sequence[File]
) -> PypidError:
    """Return the error that explains why no file of a release is wanted."""
    if allowed:
        return NotFound("it has no file for what was chosen")
    if files:
        return NotFound(_NOT_ALLOWED)
    for filename, reason in project.withheld.items():
        with suppress(InvalidFilename):
            if parse_filename(filename, project.name).version == release.version:
                return Withheld(reason)
    return NotFound("there is no such release")
