"""A cache of rendered pages of the Simple API. A page is rendered again only after a change."""

from __future__ import annotations

import gzip
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
from pypid.runtime.lru import WeightedLRU
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

    project: ReferenceType[Project]
    """A weak reference to the project."""

    def __eq__(self, other: object) -> bool:
        project = self.project()
        return project is not None and isinstance(other, SameProject) and other.project() is project

    def __hash__(self) -> int:
        return id(self.project())


@frozen(eq=False)
class Page:
    """A rendered page. Clients have to revalidate it each time, so that they see new uploads."""

    validator: Hashable
    """A value that differs from that of any other content, such as :meth:`ICatalog.validator`."""
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
    _pages: WeightedLRU[Page] = field(factory=lambda: WeightedLRU(MAX_BYTES), init=False)
    _renderings: SingleFlight[Page] = field(factory=SingleFlight, init=False)
    _list: Mapping[str, int] | None = field(default=None, init=False)
    _list_validator: object = field(factory=object, init=False)

    def cached_project(self, name: str, representation: Representation) -> Page | None:
        """Return a project's page as last rendered, or ``None`` if it is not in the cache."""
        return self._pages.get((name, representation))

    def cached_index(self, representation: Representation, visibility_key: Hashable | None) -> Page | None:
        """Return the page of the index as last rendered, or ``None`` if it is not in the cache.

        :param visibility_key: see :meth:`Authorization.visibility_key`.
        """
        return self._pages.get(("", representation, visibility_key))

    def list_validator(self, projects: Mapping[str, int]) -> Hashable:
        """Return a validator of a list of all projects. It is the same while the list is the same object.

        The validator does not keep the list in memory. Otherwise the pages of many readers, rendered at
        different times, could keep as many lists.
        """
        if projects is not self._list:
            self._list, self._list_validator = projects, object()
        return self._list_validator

    async def index(
        self, projects: Mapping[str, int], representation: Representation, visibility: Visibility
    ) -> Page:
        """Return the page that lists the visible projects of a reader.

        :param projects: the serials of all projects, by name.
        :param visibility: the part of the index that the reader may see.
        """

        async def make() -> Page:
            seen = await visibility.projects(projects)
            render = partial(simple_api.index_page, seen, representation.media)
            serial = max(seen.values(), default=0)
            return await self._render(len(seen), _page, validator, representation, serial, render)

        validator = self.list_validator(projects)
        return await self._page(("", representation, visibility.key), validator, make)

    async def project(
        self, project: Project, validator: Hashable, representation: Representation, up: str = USUAL
    ) -> Page:
        """Return the page that lists a project's files.

        :param validator: the validator of this state of the project, or ``None`` if the catalog has none.
        :param up: the relative URL of the root, as seen from the URL of the page.
        """
        validator = validator if validator is not None else SameProject(ref(project))

        async def make() -> Page:
            files_url = f"{up}packages/{project.name}/"
            provenance_url = self._secure_url(f"packages/{project.name}/")
            render = partial(
                simple_api.project_page, project, representation.media, files_url, provenance_url
            )
            return await self._render(
                len(project.files),
                _page,
                validator,
                representation,
                project.serial,
                render,
                project.stale_since,
            )

        key = (project.name, representation)
        return await self._page(key if up == USUAL else (*key, up), validator, make)

    async def files(
        self, projects: Mapping[str, int], visibility: Visibility, catalog: ICatalog, *, gzipped: bool
    ) -> Page:
        """Return the page that lists the files of all visible projects of a reader, for ``--find-links``.

        :param projects: the serials of all projects, by name.
        :param visibility: the part of the index that the reader may see.
        """
        representation = Representation(MediaType.HTML, gzipped)

        async def make() -> Page:
            lists: list[str] = []
            seen = await visibility.projects(projects)
            remaining = iter(seen)
            while batch := list(islice(remaining, FEW)):
                found = [project for name in batch if (project := await catalog.project(name))]
                lists += await self._workers.run(_file_lists, found)
            serial = max(seen.values(), default=0)
            render = partial(simple_api.files_page, lists)
            return await self._workers.run(_page, validator, representation, serial, render)

        validator = self.list_validator(projects)
        return await self._page(("packages/", representation, visibility.key), validator, make)

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
        self, key: Hashable, validator: Hashable, make: Callable[[], Coroutine[Deferred[Any], Any, Page]]
    ) -> Page:
        """Return the cached page if its content is unchanged; else make it, once for all waiting clients."""

        async def keep() -> Page:
            page = await make()
            self._pages.put(key, page, page.size)
            return page

        page = self._pages.get(key)
        if page is not None and page.validator == validator:
            return page
        return await self._renderings.run((key, validator), keep)


def _page(
    validator: Hashable,
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
    return Page(validator, Response(200, body, media.content_type, headers, etag=etag, encoding=encoding))


def _file_lists(projects: Sequence[Project]) -> list[str]:
    """Render the lists of files of some projects. This may take long."""
    return [simple_api.file_list(project, f"{project.name}/") for project in projects]
