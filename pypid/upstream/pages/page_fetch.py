"""An index that is asked for pages."""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from attrs import define, evolve, field
from twisted.logger import Logger

from pypid.errors import UpstreamFailed
from pypid.interfaces import IWorkers
from pypid.upstream.pages import ACCEPT, MAX_PAGE, enrich, lacks_something, read_page, refused
from pypid.upstream.pages.disk_cache import CachedPage, header_value

if TYPE_CHECKING:
    from pypid.upstream.http.client import Answer, UpstreamClient

__all__ = ["PageSource"]

_GONE = (404, 410)


@define(eq=False)
class PageSource:
    """Fetches and reads pages, and what PyPI's old JSON says beyond them where there is any."""

    _origin: UpstreamClient
    _workers: IWorkers
    _has_legacy: bool | None = field(default=None, init=False)
    """Whether there is any such JSON; ``None`` as long as that is not known."""
    _log = Logger()

    async def fetch(self, name: str, previous: CachedPage | None) -> CachedPage | None:
        """Ask for the page of a project.

        :param previous: what was fetched last. If nothing changed, it is given again, or else its
            project as the very same object.
        :returns: ``None`` if there is no such project.
        :raises UpstreamFailed: it cannot be asked, or what it says makes no sense.
        """
        headers = {"Accept": ACCEPT}
        if previous is not None and previous.etag:
            headers["If-None-Match"] = previous.etag
        if previous is not None and previous.last_modified:
            headers["If-Modified-Since"] = previous.last_modified
        answer = await self._origin.page(f"{self._origin.url}{name}/", headers, MAX_PAGE)
        if answer.status in _GONE:
            return None
        if answer.status == 200:
            page = await self._workers.run(_read, name, answer, previous)
        elif previous is None:
            raise refused(name, "it answers a question that was not asked")
        else:
            page = previous
        return page if page.complete else await self._enriched(page, previous)

    async def _enriched(self, page: CachedPage, previous: CachedPage | None) -> CachedPage:
        """Fill in what a page left out, if that is known elsewhere. It is no matter if it is not."""
        if not self._origin.url.endswith("/simple/") or self._has_legacy is False:
            return page
        base = self._origin.url.removesuffix("simple/")
        name = page.project.name
        try:
            answer = await self._origin.page(
                f"{base}pypi/{name}/json", {"Accept": "application/json"}, MAX_PAGE
            )
            if answer.status != 200:
                # Of an index that has it for others, it may be only this one that is not there yet.
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
    """Read a page, unless it is the same as before; runs in a worker."""
    etag, last_modified, content_type = (
        next(iter(answer.headers.getRawHeaders(header, [])), None)
        for header in ("ETag", "Last-Modified", "Content-Type")
    )
    # Relative links depend on where the page is.
    digest = sha256(f"{content_type}\n{answer.url}\n".encode() + answer.body).hexdigest()
    if previous is not None and previous.digest == digest:
        project = previous.project
    else:
        project = read_page(name, answer.body, content_type, answer.url)
    page = CachedPage(
        project, digest, header_value(etag), header_value(last_modified), not lacks_something(project)
    )
    return _unchanged(page, previous)


def _enrich(page: CachedPage, body: bytes, previous: CachedPage | None) -> CachedPage:
    """Fill in what a page left out; runs in a worker."""
    project = enrich(page.project, body)
    return _unchanged(evolve(page, project=project, complete=not lacks_something(project)), previous)


def _unchanged(page: CachedPage, previous: CachedPage | None) -> CachedPage:
    """Give what there was before if it says the same."""
    if previous is None or page.project != previous.project:
        return page
    page = evolve(page, project=previous.project)
    return previous if page == previous else page
