"""The routes that old clients and mirrors use: JSON, XML-RPC and RSS."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote
from xmlrpc.client import Fault

from pypid.errors import NotFound, PypidError, UnsupportedMediaType
from pypid.formats import json_api
from pypid.formats.rss import FeedItem, feed
from pypid.formats.xmlrpc import Call, dump_answer, dump_fault, parse_call
from pypid.index.publishing import Index
from pypid.model import Action, Change
from pypid.names import canonical_version, normalize
from pypid.web.http.request import IndexRequest
from pypid.web.http.request_bodies import SmallBody
from pypid.web.http.responses import Response, entity_tag, redirect, respond
from pypid.web.permissions.authorization import Authorization
from pypid.web.permissions.visibility import Visibility
from pypid.web.routes.converters import NO_CACHE, app, query
from pypid.web.routes.home_page import local_url
from pypid.web.routes.page_cache import about
from pypid.web.routes.refresh import demands_refresh
from pypid.web.routes.release_summaries import Releases
from pypid.web.routes.xmlrpc_methods import RemoteCalls

__all__ = ["LegacyRoutes"]

Headers = Sequence[tuple[bytes, bytes]]

NO_STORE = [(b"Cache-Control", b"no-store")]
SHORT = 2048
"""How many bytes a call may have that is parsed at once."""
MAX_ITEMS = 40
"""How many items a feed has."""
MAX_LOOKED_AT = 2000
"""Among how many changes they are looked for, for a reader who does not see all projects."""


class LegacyRoutes:
    """Pages of before the Simple API. Their links are absolute, because their readers need that."""

    index: Index
    authorization: Authorization
    releases: Releases
    public_url: str | None

    @app.route("/pypi/<name:name>/json", methods=["GET"])
    @app.route("/pypi/<name:name>/json/", methods=["GET"])
    async def project_json(self, request: IndexRequest, name: str) -> bytes:
        """Describe a project, and the release that it is shown with."""
        return await self._json(request, name, None)

    @app.route("/pypi/<name:name>/<version>/json", methods=["GET"])
    @app.route("/pypi/<name:name>/<version>/json/", methods=["GET"])
    async def release_json(self, request: IndexRequest, name: str, version: str) -> bytes:
        """Describe a release."""
        return await self._json(request, name, version)

    @app.route("/RPC2", methods=["POST"])
    async def call(self, request: IndexRequest) -> bytes:
        """Answer a call of XML-RPC."""
        principal = await self.authorization.check(request, Action.READ, None)
        if not isinstance(request.body, SmallBody):
            raise UnsupportedMediaType("an XML-RPC call must be sent as text/xml")
        calls = RemoteCalls(self.index, self.releases, self.authorization, principal, self._url(request))
        try:
            answer = await calls.answer(await self._parsed(bytes(request.body.data)))
            body = await self.index.workers.run(dump_answer, answer)
        except Fault as fault:
            body = dump_fault(fault)
        return respond(request, Response(200, body, b"text/xml; charset=utf-8", NO_STORE))

    async def _parsed(self, data: bytes) -> Call:
        """Parse a call; of a long one that takes too long for here."""
        return parse_call(data) if len(data) <= SHORT else await self.index.workers.run(parse_call, data)

    @app.route("/rss/updates.xml", methods=["GET"])
    async def newest_releases(self, request: IndexRequest) -> bytes:
        """Tell of the newest releases."""
        return await self._feed(request, "newest releases", first_only=False)

    @app.route("/rss/packages.xml", methods=["GET"])
    async def newest_projects(self, request: IndexRequest) -> bytes:
        """Tell of the newest projects."""
        return await self._feed(request, "newest projects", first_only=True)

    async def _json(self, request: IndexRequest, name: str, version: str | None) -> bytes:
        normalized = normalize(name)
        await self.authorization.check(request, Action.READ, normalized)
        if name != normalized:
            up = "../" * (request.path.count(b"/") - 2)
            release = "" if version is None else quote(version, safe="+!") + "/"
            return respond(
                request, redirect(301, f"{up}{normalized}/{release}json{query(request)}", NO_CACHE)
            )
        refresh = demands_refresh(request.requestHeaders)
        project = await self.releases.project_anywhere(normalized, refresh=refresh)
        if version is None:
            shown = await self.index.workers.run(json_api.newest_release, project)
        else:
            shown = canonical_version(version) or version
            if not json_api.release_files(project, shown):
                raise NotFound(f"there is no such version of {normalized}")
        metadata = await self.releases.core_metadata(project, shown)
        url = self._url(request)
        body = await self.index.workers.run(json_api.release_json, project, shown, metadata, url)
        headers = [*self._caching(normalized), *about(project.serial, project.stale_since)]
        return respond(request, Response(200, body, b"application/json", headers, etag=entity_tag(body)))

    async def _feed(self, request: IndexRequest, title: str, *, first_only: bool) -> bytes:
        principal = await self.authorization.check(request, Action.READ, None)
        view = Visibility(self.authorization, principal, self.index.workers)
        limit = MAX_ITEMS if view.key is None else MAX_LOOKED_AT
        changes = await view.changes(await self.index.catalog.latest(limit, first_only=first_only))
        url = self._url(request)
        items: dict[str, FeedItem] = {}
        for change in changes[:MAX_ITEMS]:
            item = await self._item(change, url, first_only=first_only)
            if item is not None:
                # What was removed and came back is there once.
                items.setdefault(item.identity, item)
        body = feed(f"pypid: {title}", url, f"The {title} of the index at {url}", items.values())
        headers = self._caching(None)
        return respond(
            request,
            Response(200, body, b"application/rss+xml; charset=utf-8", headers, etag=entity_tag(body)),
        )

    async def _item(self, change: Change, url: str, *, first_only: bool) -> FeedItem | None:
        """Give what a feed tells of a new release, or ``None`` if it is not offered any more."""
        try:
            project = await self.releases.project(change.project)
        except PypidError:
            return None
        headline = await self.releases.headline(project.name, project.serial)
        if headline is None or not (first_only or json_api.release_files(project, change.version or "")):
            return None
        release = "" if first_only else f" {change.version}"
        return FeedItem(
            title=f"{project.display_name}{release}",
            link=json_api.project_page_url(project.name, url),
            identity=f"{project.name}{release}",
            description=headline.summary,
            time=change.time,
        )

    def _caching(self, project: str | None) -> Headers:
        """Have it asked for again each time, and kept by nobody else if it is not for everybody."""
        if self.authorization.is_public(project):
            return NO_CACHE
        return [(b"Cache-Control", b"private, no-cache"), (b"Vary", b"Authorization")]

    def _url(self, request: IndexRequest) -> str:
        """Give the URL of this index: the one configured, or the socket's, never one that a client claims."""
        return self.public_url or local_url(request.getHost(), request.isSecure())
