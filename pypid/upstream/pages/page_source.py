"""Requests for the pages of an index."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from attrs import define, evolve, field
from twisted.logger import Logger

from pypid.errors import UpstreamFailed
from pypid.interfaces import IWorkers
from pypid.upstream.pages import ACCEPT, MAX_PAGE, enrich, is_incomplete, read_page, unusable_page
from pypid.upstream.pages.disk_cache import CachedPage, header_value

if TYPE_CHECKING:
    from pypid.upstream.http.client import Answer, UpstreamClient

__all__ = ["PageSource"]


@define(eq=False)
class PageSource:
    """Fetches and parses the pages of an index, with details from PyPI's legacy JSON if it has that."""

    _client: UpstreamClient
    _workers: IWorkers
    _has_legacy: bool | None = field(default=None, init=False)
    """Whether the index has legacy JSON; ``None`` as long as that is unknown."""
    _log = Logger()

    async def fetch(self, name: str, previous: CachedPage | None) -> CachedPage | None:
        """Fetch the page of a project.

        :param previous: the result of the last fetch. If nothing changed it is returned again; if
            only its validators changed, the new page has the same project object.
        :returns: the page, or ``None`` if there is no such project.
        :raises UpstreamFailed: the page cannot be fetched, or is malformed.
        """
        headers = {"Accept": ACCEPT}
        if previous is not None and previous.etag:
            headers["If-None-Match"] = previous.etag
        if previous is not None and previous.last_modified:
            headers["If-Modified-Since"] = previous.last_modified
        answer = await self._client.page(f"{self._client.url}{name}/", headers, MAX_PAGE)
        if answer.is_missing:
            return None
        if answer.status == 200:
            page = await self._workers.run(_read, name, answer, previous)
        elif previous is None:
            raise unusable_page(name, "it answers a question that was not asked")
        else:
            page = previous
        return page if page.complete else await self._enriched(page, previous)

    async def _enriched(self, page: CachedPage, previous: CachedPage | None) -> CachedPage:
        """Return a page with details from legacy JSON, or the page as it is if they cannot be fetched."""
        if not self._client.url.endswith("/simple/") or self._has_legacy is False:
            return page
        base = self._client.url.removesuffix("simple/")
        name = page.project.name
        try:
            answer = await self._client.page(
                f"{base}pypi/{name}/json", {"Accept": "application/json"}, MAX_PAGE
            )
            if answer.status != 200:
                # If the index had it for other projects, it may be missing for this one alone.
                self._has_legacy = self._has_legacy or False
                return page
            enriched = await self._workers.run(_enrich, page, answer.body, previous)
        except UpstreamFailed as error:
            self._log.info(
                "Sizes and times of {project} are not known: {error}", project=name, error=str(error)
            )
            return page
        self._has_legacy = True
        return enriched


def _read(name: str, answer: Answer, previous: CachedPage | None) -> CachedPage:
    """Parse a page, unless it is the same as before. Runs in a worker."""
    etag, last_modified, content_type = (
        next(iter(answer.headers.getRawHeaders(header, [])), None)
        for header in ("ETag", "Last-Modified", "Content-Type")
    )
    # The URL is part of the digest because relative links depend on it.
    digest = sha256(f"{content_type}\n{answer.url}\n".encode() + answer.body).hexdigest()
    if previous is not None and previous.digest == digest:
        project = previous.project
    else:
        project = read_page(name, answer.body, content_type, answer.url)
    page = CachedPage(
        project, digest, header_value(etag), header_value(last_modified), not is_incomplete(project)
    )
    return _unchanged(page, previous)


def _enrich(page: CachedPage, body: bytes, previous: CachedPage | None) -> CachedPage:
    """Return a page with details from legacy JSON. Runs in a worker."""
    project = enrich(page.project, body)
    return _unchanged(evolve(page, project=project, complete=not is_incomplete(project)), previous)


def _unchanged(page: CachedPage, previous: CachedPage | None) -> CachedPage:
    """Return the previous page, or a page with its project object, if they are equal."""
    if previous is None or page.project != previous.project:
        return page
    page = evolve(page, project=previous.project)
    return previous if page == previous else page
