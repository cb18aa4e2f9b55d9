"""A cache of rendered pages of the Simple API. A page is rendered again only after a change."""

from __future__ import annotations

import gzip
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Hashable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from itertools import islice
from typing import Any
from weakref import ReferenceType, ref

from attrs import define, evolve, field, frozen
from twisted.internet.defer import Deferred
from twisted.web.http import datetimeToString
from twisted.web.http_headers import Headers

from pypid.formats import simple_api
from pypid.formats.simple_api import MediaType
from pypid.interfaces import ICatalog, IWorkers
from pypid.model import Project
from pypid.runtime.single_flight import SingleFlight
from pypid.web.http.responses import ANY_ORIGIN, Response, entity_tag
from pypid.web.permissions.visibility import Visibility

__all__ = [
    "Page",
    "Representation",
    "SameProject",
    "SimplePages",
    "about",
    "accepts_gzip",
]

PAGE_BYTES = 3 * 1024
"""Memory that a page takes in addition to its body, in bytes."""
MAX_BYTES = 64 * 1024 * 1024
"""Largest total size of the rendered pages in memory, in bytes."""
FEW = 200
"""Number of files or projects that can be rendered within a tick; larger pages are left to a worker."""
LEVEL = 6
"""Compression level of gzip; higher levels hardly make pages smaller."""
USUAL = "../../"
"""Relative URL of the root, as seen from a project's page."""
_PUBLIC = ((b"Cache-Control", b"no-cache"), (b"Vary", b"Accept, Accept-Encoding"), *ANY_ORIGIN)
_PRIVATE = (
    (b"Cache-Control", b"private, no-cache"),
    (b"Vary", b"Accept, Accept-Encoding, Authorization"),
)


@frozen(cache_hash=True)
class Representation:
    """The media type and encoding of a page for a client: a representation (RFC 9110, section 3.2)."""

    media: MediaType
    """The media type."""
    gzipped: bool = False
    """True if the page is compressed."""

    @classmethod
    def chosen(cls, headers: Headers, format: str | None = None) -> Representation | None:  # noqa: A002
        """Return the representation that a client prefers, or ``None`` if it accepts none.

        :param headers: the headers of the client's request.
        :param format: the parameter ``format`` of the query string.
        """
        media = simple_api.negotiate(_joined(headers, "Accept"), format)
        return cls(media, accepts_gzip(headers)) if media is not None else None


def accepts_gzip(headers: Headers) -> bool:
    """Return whether a client accepts compressed pages."""
    return simple_api.accepts_gzip(_joined(headers, "Accept-Encoding"))


def about(serial: int, stale_since: datetime | None) -> list[tuple[bytes, bytes]]:
    """Return the headers about the age of a page.

    :param serial: the serial of the last change in the page, or 0 if there is no journal of its changes.
    :param stale_since: if the upstream cannot be asked now, the time in UTC when it last confirmed the page.
    """
    headers = [(b"X-PyPI-Last-Serial", b"%d" % serial)] if serial else []
    if stale_since is not None:
        headers.append((b"X-Pypid-Stale", datetimeToString(stale_since.timestamp())))
    return headers


def _joined(headers: Headers, name: str) -> str | None:
    """Return the joined values of a header that may be repeated; ``None`` if it is missing."""
    values = headers.getRawHeaders(name)
    return ",".join(values) if values is not None else None


@frozen(eq=False)
class SameProject:
    """The identity of a project object. It is equal to others only while that very object is in memory.

    The object may take ten times the memory of its page, so a page must not keep it in memory.
    """

    shown: ReferenceType[Project]
    """A weak reference to the project."""

    def __eq__(self, other: object) -> bool:
        project = self.shown()
        return project is not None and isinstance(other, SameProject) and other.shown() is project

    def __hash__(self) -> int:
        return id(self.shown())


@frozen(eq=False)
class Page:
    """A rendered page. Clients have to revalidate it each time, so that they see new uploads."""

    shown: Hashable
    """The identity of the content: the version key of a project, :class:`SameProject`, or a listing."""
    public: Response
    """The response if anybody may read the page."""

    @cached_property
    def private(self) -> Response:
        """The response if not everybody may read the page; shared caches must not keep it."""
        return evolve(self.public, headers=(*_PRIVATE, *self.public.headers[len(_PUBLIC) :]))

    @property
    def size(self) -> int:
        """The approximate memory of the page, in bytes. Small pages take much more than their bodies."""
        return PAGE_BYTES + len(self.public.body)

    def response(self, public: bool) -> Response:
        """Return the public or the private response."""
        return self.public if public else self.private


@define
class SimplePages:
    """Renders the pages of projects and of lists, once for each representation until the content changes."""

    _workers: IWorkers
    _public_url: str | None = None
    """The public URL of this index, if it is known."""
    _pages: OrderedDict[Hashable, Page] = field(factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)
    _renderings: SingleFlight[Page] = field(factory=SingleFlight, init=False)
    _listed: Mapping[str, int] | None = field(default=None, init=False)
    _listing: object = field(factory=object, init=False)

    def kept(self, name: str, representation: Representation) -> Page | None:
        """Return a project's page as last rendered, or ``None`` if it is not in the cache."""
        return self._kept((name, representation))

    def kept_index(self, representation: Representation, view: Hashable | None) -> Page | None:
        """Return the page of the index as last rendered, or ``None`` if it is not in the cache.

        :param view: the key of the reader's view.
        """
        return self._kept(("", representation, view))

    def listing(self, projects: Mapping[str, int]) -> Hashable:
        """Return the identity of a list of all projects. It is the same while the list is the same object.

        The identity does not keep the list in memory. Otherwise the pages of many views, rendered at
        different times, could keep as many lists.
        """
        if projects is not self._listed:
            self._listed, self._listing = projects, object()
        return self._listing

    async def index(
        self, projects: Mapping[str, int], representation: Representation, view: Visibility
    ) -> Page:
        """Return the page that lists the visible projects of a reader.

        :param projects: the serials of all projects, by name.
        :param view: the view of the reader.
        """

        async def make() -> Page:
            seen = await view.projects(projects)
            render = partial(simple_api.index_page, seen, representation.media)
            serial = max(seen.values(), default=0)
            return await self._render(len(seen), _page, shown, representation, serial, render)

        shown = self.listing(projects)
        return await self._page(("", representation, view.key), shown, make)

    async def project(
        self, project: Project, version_key: Hashable, representation: Representation, up: str = USUAL
    ) -> Page:
        """Return the page that lists a project's files.

        :param version_key: a key for this state of the project, or ``None`` if the catalog has none.
        :param up: the relative URL of the root, as seen from the URL of the page.
        """
        shown = version_key if version_key is not None else SameProject(ref(project))

        async def make() -> Page:
            files_url = f"{up}packages/{project.name}/"
            provenance_url = self._secure_url(f"packages/{project.name}/")
            render = partial(
                simple_api.project_page, project, representation.media, files_url, provenance_url
            )
            return await self._render(
                len(project.files), _page, shown, representation, project.serial, render, project.stale_since
            )

        key = (project.name, representation)
        return await self._page(key if up == USUAL else (*key, up), shown, make)

    async def files(
        self, projects: Mapping[str, int], view: Visibility, catalog: ICatalog, *, gzipped: bool
    ) -> Page:
        """Return the page that lists the files of all visible projects of a reader, for ``--find-links``.

        :param projects: the serials of all projects, by name.
        :param view: the view of the reader.
        """
        representation = Representation(MediaType.HTML, gzipped)

        async def make() -> Page:
            lists: list[str] = []
            seen = await view.projects(projects)
            remaining = iter(seen)
            while batch := list(islice(remaining, FEW)):
                found = [project for name in batch if (project := await catalog.project(name))]
                lists += await self._workers.run(_file_lists, found)
            serial = max(seen.values(), default=0)
            render = partial(simple_api.files_page, lists)
            return await self._workers.run(_page, shown, representation, serial, render)

        shown = self.listing(projects)
        return await self._page(("packages/", representation, view.key), shown, make)

    def _secure_url(self, path: str) -> str | None:
        """Return the absolute URL of a path, or ``None`` if the public URL is unknown or not HTTPS."""
        url = self._public_url
        return url + path if url is not None and url.lower().startswith("https://") else None

    async def _render(self, size: int, function: Callable[..., Page], *arguments: object) -> Page:
        """Call a rendering function: directly for a small page, and in a worker for a large one."""
        if size > FEW:
            return await self._workers.run(function, *arguments)
        return function(*arguments)

    async def _page(
        self, key: Hashable, shown: Hashable, make: Callable[[], Coroutine[Deferred[Any], Any, Page]]
    ) -> Page:
        """Return the cached page if its content is unchanged; else make it, once for all waiting clients."""

        async def keep() -> Page:
            page = await make()
            self._keep(key, page)
            return page

        page = self._kept(key)
        if page is not None and page.shown == shown:
            return page
        return await self._renderings.run((key, shown), keep)

    def _kept(self, key: Hashable) -> Page | None:
        page = self._pages.get(key)
        if page is not None:
            self._pages.move_to_end(key)
        return page

    def _keep(self, key: Hashable, page: Page) -> None:
        replaced = self._pages.pop(key, None)
        self._bytes += page.size - (replaced.size if replaced is not None else 0)
        self._pages[key] = page
        while self._bytes > MAX_BYTES and len(self._pages) > 1:
            _, oldest = self._pages.popitem(last=False)
            self._bytes -= oldest.size


def _page(
    shown: Hashable,
    representation: Representation,
    serial: int,
    render: Callable[[], bytes],
    stale_since: datetime | None = None,
) -> Page:
    """Render, compress and hash a page. This may take long."""
    body, encoding = render(), None
    if representation.gzipped:
        body, encoding = gzip.compress(body, LEVEL, mtime=0), b"gzip"
    media = representation.media
    etag = entity_tag(media.value.encode(), encoding or b"", body)

    headers = (*_PUBLIC, *about(serial, stale_since))
    return Page(shown, Response(200, body, media.content_type, headers, etag=etag, encoding=encoding))


def _file_lists(projects: Sequence[Project]) -> list[str]:
    """Render the lists of files of some projects. This may take long."""
    return [simple_api.file_list(project, f"{project.name}/") for project in projects]
