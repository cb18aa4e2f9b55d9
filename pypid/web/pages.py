"""The pages of the Simple API, rendered once for as long as nothing changes."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

from attrs import define, field, frozen

from pypid import simple
from pypid.interfaces import IWorkers
from pypid.model import Project
from pypid.simple import MediaType
from pypid.web.responses import Response, entity_tag

__all__ = ["SimplePages"]

MAX_BYTES = 64 * 1024 * 1024
"""How much rendered pages may take in memory."""
FEW = 200
"""So many files or projects are rendered in the time of a tick; more go to a worker."""


@frozen
class _Page:
    """A rendered page, and the very object that it shows."""

    shown: Project | Sequence[str]
    body: bytes
    etag: str


@define
class SimplePages:
    """Renders projects and lists of projects; the same object is rendered once a type."""

    _workers: IWorkers
    _pages: OrderedDict[tuple[str, MediaType], _Page] = field(factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)

    async def index(self, projects: Sequence[str], media: MediaType, public: bool) -> Response:
        """Give the page that lists all projects."""
        page = self._kept("", media, projects)
        if page is None:
            body = await self._render(len(projects), simple.index_page, projects, media)
            page = self._keep("", media, projects, body)
        return _response(page, media, public)

    async def project(self, project: Project, media: MediaType, public: bool) -> Response:
        """Give the page that lists a project's files."""
        page = self._kept(project.name, media, project)
        if page is None:
            files_url = f"../../packages/{project.name}/"
            body = await self._render(len(project.files), simple.project_page, project, media, files_url)
            page = self._keep(project.name, media, project, body)
        return _response(page, media, public)

    async def _render(self, size: int, *call: object) -> bytes:
        function, *arguments = call
        if size > FEW:
            return await self._workers.run(function, *arguments)  # type: ignore[arg-type]
        return function(*arguments)  # type: ignore[operator,no-any-return]

    def _kept(self, name: str, media: MediaType, shown: object) -> _Page | None:
        page = self._pages.get((name, media))
        if page is None or page.shown is not shown:
            return None
        self._pages.move_to_end((name, media))
        return page

    def _keep(self, name: str, media: MediaType, shown: Project | Sequence[str], body: bytes) -> _Page:
        page = _Page(shown, body, entity_tag(media.value.encode(), body))
        replaced = self._pages.pop((name, media), None)
        self._bytes += len(body) - (len(replaced.body) if replaced is not None else 0)
        self._pages[name, media] = page
        while self._bytes > MAX_BYTES and len(self._pages) > 1:
            _, oldest = self._pages.popitem(last=False)
            self._bytes -= len(oldest.body)
        return page


def _response(page: _Page, media: MediaType, public: bool) -> Response:
    """Make the answer; it is to be asked for again each time, lest an upload stay unseen."""
    headers = (
        [(b"Cache-Control", b"no-cache"), (b"Vary", b"Accept")]
        if public
        else [(b"Cache-Control", b"private, no-cache"), (b"Vary", b"Accept, Authorization")]
    )
    return Response(200, page.body, media.content_type, headers, etag=page.etag)
