"""The XML-RPC methods: a part of PyPI's, for mirrors and ``pip search``."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from inspect import signature
from xmlrpc.client import MAXINT, Fault

from attrs import frozen

from pypid.errors import NotFound
from pypid.formats import json_api
from pypid.formats.xmlrpc import INVALID_PARAMS, METHOD_NOT_FOUND, Call
from pypid.index.publishing import Index
from pypid.model import Action, Change, Principal, Project
from pypid.names import canonical_version, is_name, normalize
from pypid.web.permissions.authorization import Authorization
from pypid.web.permissions.visibility import Visibility
from pypid.web.routes.release_summaries import ReleaseSummaries
from pypid.web.routes.search_query import make_query

__all__ = ["XmlRpcMethods"]

MAX_CHANGES = 50_000
"""Largest number of journal entries in one answer; the same as PyPI's."""


@frozen
class XmlRpcMethods:
    """Answers the calls of one client."""

    index: Index
    """The index that the calls are about."""
    releases: ReleaseSummaries
    """The releases of the index."""
    authorization: Authorization
    """The authorization, which decides about the visibility of projects."""
    principal: Principal | None
    """The caller, if signed in. The caller's permission to read the index has been checked."""
    url: str
    """The absolute URL of this index, ending in a slash."""

    async def answer(self, call: Call) -> object:
        """Return the result of a call.

        :raises Fault: there is no such method, or its arguments are wrong.
        :raises Unauthenticated: the call is not permitted without signing in.
        :raises Forbidden: the call is not permitted to the caller.
        """
        methods: dict[str, Callable[..., Awaitable[object]]] = {
            "changelog_last_serial": self.changelog_last_serial,
            "changelog_since_serial": self.changelog_since_serial,
            "list_packages": self.list_packages,
            "list_packages_with_serial": self.list_packages_with_serial,
            "package_releases": self.package_releases,
            "package_roles": self.package_roles,
            "release_data": self.release_data,
            "release_urls": self.release_urls,
            "search": self.search,
        }
        method = methods.get(call.method)
        if method is None:
            raise Fault(METHOD_NOT_FOUND, f"there is no such method; those known are {', '.join(methods)}")
        try:
            signature(method).bind(*call.params)
        except TypeError:
            raise Fault(INVALID_PARAMS, "the method takes more arguments, or fewer") from None
        return await method(*call.params)

    async def list_packages(self) -> Sequence[str]:
        """Return the normalized names of all projects that the caller may see."""
        return list(await self._projects())

    async def list_packages_with_serial(self) -> Mapping[str, int]:
        """Return the serial of the last change of each project that the caller may see, by name."""
        return await self._projects()

    async def changelog_last_serial(self) -> int:
        """Return the serial of the last change of the whole index."""
        return await self.index.catalog.last_serial()

    async def changelog_since_serial(self, serial: object) -> Sequence[tuple[object, ...]]:
        """Return the changes after a serial, oldest first, each as name, version, time, action and serial."""
        if not isinstance(serial, int):
            raise Fault(INVALID_PARAMS, "the serial must be an integer")
        return [
            (change.project, change.version, int(change.time.timestamp()), change.action, change.serial)
            for change in await self._changes(min(max(serial, 0), MAXINT))
        ]

    async def package_releases(self, name: object, show_hidden: object = False) -> Sequence[str]:
        """Return the versions of a project, newest first; only the newest unless ``show_hidden`` is true."""
        project = await self._project(name)
        if project is None:
            return []
        if show_hidden:
            return project.versions[::-1]
        newest = await self.index.workers.run(json_api.newest_release, project)
        return [newest] if newest is not None else []

    async def package_roles(self, name: object) -> Sequence[tuple[str, str]]:
        """Return the owners and maintainers of a project, as pairs of role and user name."""
        project = await self._project(name)
        if project is None:
            return []
        owners = [("Owner", user) for user in project.owners]
        return [*owners, *(("Maintainer", user) for user in project.maintainers)]

    async def release_urls(self, name: object, version: object) -> Sequence[Mapping[str, object]]:
        """Return the descriptions of the files of a release."""
        project, version = await self._release(name, version)
        if project is None:
            return []
        entries = []
        for file in json_api.release_files(project, version):
            entry = json_api.file_entry(project.name, file, self.url)
            entries.append(entry | {"sha256_digest": file.hashes.get("sha256", "")})
        return entries

    async def release_data(self, name: object, version: object) -> Mapping[str, object]:
        """Return the authors' description of a release, from its core metadata."""
        project, version = await self._release(name, version)
        if project is None:
            return {}
        found = await self.releases.core_metadata(project, version)
        return await self.index.workers.run(json_api.release_info, project, version, found, self.url)

    async def search(self, spec: object, operator: object = "and") -> Sequence[Mapping[str, object]]:
        """Return the projects with certain words in their names and summaries."""
        try:
            query = make_query(spec, operator)
        except ValueError as error:
            raise Fault(INVALID_PARAMS, str(error)) from None
        found = await self.releases.search(query, await self._projects())
        return [
            {"name": one.name, "version": one.version, "summary": one.summary, "_pypi_ordering": 0}
            for one in found
        ]

    @property
    def _visibility(self) -> Visibility:
        return Visibility(self.authorization, self.principal, self.index.workers)

    async def _projects(self) -> Mapping[str, int]:
        """Return the projects that the caller may see, with the serials of their last changes."""
        return await self._visibility.projects(await self.index.projects())

    async def _changes(self, since: int) -> Sequence[Change]:
        """Return the changes after a serial that the caller may see, at most :data:`MAX_CHANGES`.

        If some are visible, the result must not be empty: mirrors take that for the end of the journal.
        """
        seen: list[Change] = []
        while len(seen) < MAX_CHANGES:
            changes = await self.index.catalog.changes(since, MAX_CHANGES)
            seen += await self._visibility.changes(changes)
            if len(changes) < MAX_CHANGES:
                break
            since = changes[-1].serial
        return seen[:MAX_CHANGES]

    async def _project(self, name: object) -> Project | None:
        """Return a project by its name in any spelling, or ``None`` if the project is not here."""
        if not isinstance(name, str):
            raise Fault(INVALID_PARAMS, "the name must be a string")
        if not is_name(name):
            return None
        normalized = normalize(name)
        self.authorization.require(self.principal, Action.READ, normalized)
        try:
            return await self.releases.project(normalized)
        except NotFound:
            return None

    async def _release(self, name: object, version: object) -> tuple[Project | None, str]:
        """Return a project, and one of its versions in canonical spelling.

        The project is ``None`` if it is not here or has no such version.
        """
        if not isinstance(version, str):
            raise Fault(INVALID_PARAMS, "the version must be a string")
        project = await self._project(name)
        version = canonical_version(version) or version
        if project is None or not json_api.release_files(project, version):
            return None, version
        return project, version
