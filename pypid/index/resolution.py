"""Resolution of names: which project a name means, local or upstream, and where its files are.

A local project hides the upstreams' project of that name completely, unless an upstream is configured to
add its files to that very project. A reserved name is never looked up upstream.
"""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase
from urllib.parse import quote

from attrs import define, evolve, field, frozen

from pypid.errors import Elsewhere, InvalidFilename, NameWithheld, NotAsPublished, NotFound, Withheld
from pypid.interfaces import ICatalog, IUpstream
from pypid.model import File, Project, Redirect, Status
from pypid.names import identity, parse_filename, version_key

__all__ = ["ResolvedProject", "Resolver"]


@frozen
class ResolvedProject:
    """A project, and the place of its files."""

    project: Project
    upstream: IUpstream | None
    """The upstream that has the files; ``None`` if they are local."""


@define
class Resolver:
    """Finds projects and files in the catalog, and then in the upstreams, in order."""

    _catalog: ICatalog
    _upstreams: Sequence[IUpstream]
    _reserved: Sequence[str]
    _merged: dict[str, tuple[Sequence[Project], Project]] = field(factory=dict, init=False)

    async def project(self, name: str, *, refresh: bool) -> Project | Redirect:
        """Return a project, or the address of its page; see :meth:`pypid.index.publishing.Index.project`."""
        found = await self._find(name, refresh=refresh)
        return found if isinstance(found, Redirect) else self._merged_project(name, found)

    async def file(self, name: str, filename: str) -> tuple[File, IUpstream | None]:
        """Return a file of a project, and the upstream that has it, or ``None`` if it is local.

        :raises NotFound: there is no such file.
        :raises Elsewhere: the project's page is at another index, and so are its files.
        :raises NotAsPublished: the file is local, but its bytes are not the published ones.
        :raises Withheld: an upstream has the file, but a rule says that it is not offered.
        :raises UpstreamFailed: an upstream could not be asked.
        """
        found = await self._find(name, refresh=False)
        if isinstance(found, Redirect):
            raise _elsewhere(name, filename, found)
        file = self._merged_project(name, found).file(filename)
        if file is not None:
            return file, next(one.upstream for one in found if one.project.file(filename) is file)
        for one in found:
            if filename in one.project.withheld:
                kind = NotAsPublished if one.upstream is None else Withheld
                raise kind(one.project.withheld[filename])
        raise NotFound("there is no such file")

    def is_merged(self, name: str) -> bool:
        """Return whether an upstream may add files to the local project of that name."""
        return any(name in upstream.merged for upstream in self._upstreams)

    def _is_reserved(self, name: str) -> bool:
        return any(fnmatchcase(name, pattern) for pattern in self._reserved)

    async def _find(self, name: str, *, refresh: bool) -> Sequence[ResolvedProject] | Redirect:
        """Return a project from one place, or a local project and the additions of the upstreams to it."""
        local = await self._catalog.project(name)
        if local is not None:
            here = ResolvedProject(_offered(local), None)
            if local.status is Status.QUARANTINED or not self.is_merged(name) or self._is_reserved(name):
                return [here]
            return [here, *await self._additions(name, refresh=refresh)]
        if self._is_reserved(name):
            raise NotFound(f"there is no project {name}")
        withheld: NameWithheld | None = None
        for upstream in self._upstreams:
            try:
                answer = await upstream.project(name, refresh=refresh)
            except NameWithheld as error:
                withheld = withheld or error
                continue
            if isinstance(answer, Redirect):
                return answer
            if answer is not None:
                return [ResolvedProject(_offered(answer), upstream)]
        raise withheld or NotFound(f"there is no project {name}")

    async def _additions(self, name: str, *, refresh: bool) -> Sequence[ResolvedProject]:
        """Return the projects whose files upstreams add to a local project."""
        found = []
        for upstream in self._upstreams:
            if name in upstream.merged:
                try:
                    answer = await upstream.project(name, refresh=refresh)
                except Withheld:
                    continue
                if isinstance(answer, Project):
                    found.append(ResolvedProject(_offered(answer), upstream))
        return found

    def _merged_project(self, name: str, found: Sequence[ResolvedProject]) -> Project:
        """Return the merged project of some parts; the very same object while the parts are the same."""
        parts = [one.project for one in found]
        if len(parts) == 1:
            return parts[0]
        known, whole = self._merged.get(name, ((), None))
        if whole is None or list(map(id, known)) != list(map(id, parts)):
            whole = _merge(parts)
            self._merged[name] = parts, whole
        return whole


def _elsewhere(name: str, filename: str, page: Redirect) -> NotFound:
    """Return an error with the address of a file beside its page, if the file name fits the project."""
    try:
        parse_filename(filename, name)
    except InvalidFilename:
        return NotFound("there is no such file")
    return Elsewhere("the file is not here", url=f"{page.url.rstrip('/')}/{quote(filename, safe='')}")


def _offered(project: Project) -> Project:
    """Return a project without files if it is quarantined, else unchanged (PEP 792)."""
    if project.status is Status.QUARANTINED and project.files:
        return evolve(project, files=())
    return project


def _merge(parts: Sequence[Project]) -> Project:
    """Return the first project with those files of the others that no earlier part has, in any spelling.

    A file that the first project has removed or withholds is not added either.
    """
    first, *others = parts
    files = list(first.files)
    versions = {file.version for part in parts for file in part.files}
    keys = {version: version_key(version) for version in versions}
    names = *first.tombstones, *first.withheld, *(file.filename for file in files)
    taken = {identity(name, first.name) for name in names}
    releases = {one.version for one in taken}
    for part in others:
        # A file of a release that no earlier part has cannot be a duplicate: spare the comparison.
        added = [
            file
            for file in part.files
            if keys[file.version] not in releases or identity(file.filename, first.name) not in taken
        ]
        files += added
        taken.update(identity(file.filename, first.name) for file in added if part is not others[-1])
        releases = {one.version for one in taken}
    files.sort(key=lambda file: (keys[file.version], file.filename))
    stale = [part.stale_since for part in others if part.stale_since is not None]
    return evolve(first, files=tuple(files), stale_since=min(stale, default=None))
