"""The routes for old clients and mirrors: JSON, XML-RPC and RSS.

Links in their responses are absolute, because these clients need absolute links.
"""

from __future__ import annotations

from collections.abc import Sequence
from xmlrpc.client import Fault

from pypid.errors import NotFound, PypidError, UnsupportedMediaType
from pypid.formats import json_api
from pypid.formats.rss import FeedItem, feed
from pypid.formats.xmlrpc import Call, dump_answer, dump_fault, parse_call
from pypid.model import Change, Principal
from pypid.names import canonical_version
from pypid.web.http.request import IndexRequest
from pypid.web.http.request_bodies import SmallBody
from pypid.web.http.responses import Response, entity_tag, respond
from pypid.web.routes.converters import NO_CACHE
from pypid.web.routes.page_cache import about
from pypid.web.routes.refresh import demands_refresh
from pypid.web.routes.services import Services
from pypid.web.routes.xmlrpc_methods import XmlRpcMethods

__all__ = ["call", "newest_projects", "newest_releases", "project_json", "release_json"]

Headers = Sequence[tuple[bytes, bytes]]

NO_STORE = [(b"Cache-Control", b"no-store")]
SHORT = 2048
"""Largest size of a call that is parsed without a worker, in bytes."""
MAX_ITEMS = 40
"""Largest number of items in a feed."""
MAX_LOOKED_AT = 2000
"""Number of changes that are searched for items, if the reader does not see all projects."""


async def project_json(services: Services, request: IndexRequest, project: str) -> bytes:
    """Describe a project in JSON, with its release from :func:`pypid.formats.json_api.newest_release`."""
    return await _json(services, request, project, None)


async def release_json(services: Services, request: IndexRequest, project: str, version: str) -> bytes:
    """Describe a release in JSON."""
    return await _json(services, request, project, version)


async def call(services: Services, request: IndexRequest, principal: Principal | None) -> bytes:
    """Answer an XML-RPC call."""
    if not isinstance(request.body, SmallBody):
        raise UnsupportedMediaType("an XML-RPC call must be sent as text/xml")
    calls = XmlRpcMethods(
        services.index, services.releases, services.authorization, principal, services.url(request)
    )
    try:
        answer = await calls.answer(await _parsed(services, bytes(request.body.data)))
        body = await services.index.workers.run(dump_answer, answer)
    except Fault as fault:
        body = dump_fault(fault)
    return respond(request, Response(200, body, b"text/xml; charset=utf-8", NO_STORE))


async def _parsed(services: Services, data: bytes) -> Call:
    """Parse a call. A long call is parsed in a worker, because that takes too long here."""
    return parse_call(data) if len(data) <= SHORT else await services.index.workers.run(parse_call, data)


async def newest_releases(services: Services, request: IndexRequest, principal: Principal | None) -> bytes:
    """Send the feed of the newest releases."""
    return await _feed(services, request, principal, "newest releases", first_only=False)


async def newest_projects(services: Services, request: IndexRequest, principal: Principal | None) -> bytes:
    """Send the feed of the newest projects."""
    return await _feed(services, request, principal, "newest projects", first_only=True)


async def _json(services: Services, request: IndexRequest, name: str, version: str | None) -> bytes:
    refresh = demands_refresh(request.requestHeaders)
    project = await services.releases.project_anywhere(name, refresh=refresh)
    if version is None:
        shown = await services.index.workers.run(json_api.newest_release, project)
    else:
        shown = canonical_version(version) or version
        if not json_api.release_files(project, shown):
            raise NotFound(f"there is no such version of {name}")
    metadata = await services.releases.core_metadata(project, shown)
    url = services.url(request)
    body = await services.index.workers.run(json_api.release_json, project, shown, metadata, url)
    headers = [*_caching(request), *about(project.serial, project.stale_since)]
    return respond(request, Response(200, body, b"application/json", headers, etag=entity_tag(body)))


async def _feed(
    services: Services, request: IndexRequest, principal: Principal | None, title: str, *, first_only: bool
) -> bytes:
    visibility = services.visibility(principal)
    limit = MAX_ITEMS if visibility.key is None else MAX_LOOKED_AT
    changes = await visibility.changes(await services.index.catalog.latest(limit, first_only=first_only))
    url = services.url(request)
    items: dict[str, FeedItem] = {}
    for change in changes[:MAX_ITEMS]:
        item = await _item(services, change, url, first_only=first_only)
        if item is not None:
            # A release that was removed and published again is listed once.
            items.setdefault(item.identity, item)
    body = feed(f"pypid: {title}", url, f"The {title} of the index at {url}", items.values())
    headers = _caching(request)
    return respond(
        request,
        Response(200, body, b"application/rss+xml; charset=utf-8", headers, etag=entity_tag(body)),
    )


async def _item(services: Services, change: Change, url: str, *, first_only: bool) -> FeedItem | None:
    """Return the feed item for a new release or project, or ``None`` if it is not offered any more."""
    try:
        project = await services.releases.project(change.project)
    except PypidError:
        return None
    summary = await services.releases.summary(project.name, project.serial)
    if summary is None or not (first_only or json_api.release_files(project, change.version or "")):
        return None
    release = "" if first_only else f" {change.version}"
    return FeedItem(
        title=f"{project.display_name}{release}",
        link=json_api.project_page_url(project.name, url),
        identity=f"{project.name}{release}",
        description=summary.summary,
        time=change.time,
    )


def _caching(request: IndexRequest) -> Headers:
    """Return headers that require revalidation each time, and forbid shared caching of non-public pages."""
    if request.anybody_may_read:
        return NO_CACHE
    return [(b"Cache-Control", b"private, no-cache"), (b"Vary", b"Authorization")]
