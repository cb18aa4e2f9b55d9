"""The pages of the Simple API, rendered once for as long as nothing changes."""

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
"""How many bytes a page takes beside its body."""
MAX_BYTES = 64 * 1024 * 1024
"""How much rendered pages may take in memory."""
FEW = 200
"""So many files or projects are rendered in the time of a tick; more go to a worker."""
LEVEL = 6
"""How hard gzip tries; beyond it pages hardly get smaller."""
USUAL = "../../"
"""What leads from a project's page to the root."""
_PUBLIC = ((b"Cache-Control", b"no-cache"), (b"Vary", b"Accept, Accept-Encoding"), *ANY_ORIGIN)
_PRIVATE = (
    (b"Cache-Control", b"private, no-cache"),
    (b"Vary", b"Accept, Accept-Encoding, Authorization"),
)


@frozen(cache_hash=True)
class Representation:
    """What a client gets of a page (RFC 9110, section 3.2)."""

    media: MediaType
    """Its type."""
    gzipped: bool = False
    """Whether it is compressed."""

    @classmethod
    def chosen(cls, headers: Headers, format: str | None = None) -> Representation | None:  # noqa: A002
        """Choose what a client likes best, or ``None`` if there is nothing for it.

        :param headers: its request's.
        :param format: the ``format`` of the query string.
        """
        media = simple_api.negotiate(_joined(headers, "Accept"), format)
        return cls(media, accepts_gzip(headers)) if media is not None else None


def accepts_gzip(headers: Headers) -> bool:
    """Tell whether a client is to get pages compressed."""
    return simple_api.accepts_gzip(_joined(headers, "Accept-Encoding"))


def about(serial: int, stale_since: datetime | None) -> list[tuple[bytes, bytes]]:
    """Give the headers that tell how new a page is.

    :param serial: that of the last change that it shows, or 0 if there is no journal of it.
    :param stale_since: when it was last known to be right, if its upstream cannot be asked now.
    """
    headers = [(b"X-PyPI-Last-Serial", b"%d" % serial)] if serial else []
    if stale_since is not None:
        headers.append((b"X-Pypid-Stale", datetimeToString(stale_since.timestamp())))
    return headers


def _joined(headers: Headers, name: str) -> str | None:
    """Give a header that may be there more than once."""
    values = headers.getRawHeaders(name)
    return ",".join(values) if values is not None else None


@frozen(eq=False)
class SameProject:
    """What a page shows of a project, as long as others have that very project in memory.

    It may take ten times the page's memory, and is not kept there for the page's sake.
    """

    shown: ReferenceType[Project]
    """A reference to it that does not keep it."""

    def __eq__(self, other: object) -> bool:
        project = self.shown()
        return project is not None and isinstance(other, SameProject) and other.shown() is project

    def __hash__(self) -> int:
        return id(self.shown())


@frozen(eq=False)
class Page:
    """A rendered page. It is to be asked for again each time, lest an upload stay unseen."""

    shown: Hashable
    """What it shows: the edition of a project, :class:`SameProject`, or a listing."""
    public: Response
    """The answer where anybody may read."""

    @cached_property
    def private(self) -> Response:
        """The answer where not everybody may: shared caches must not keep it."""
        return evolve(self.public, headers=(*_PRIVATE, *self.public.headers[len(_PUBLIC) :]))

    @property
    def size(self) -> int:
        """How many bytes it takes, about: many small pages take more than what they say."""
        return PAGE_BYTES + len(self.public.body)

    def response(self, public: bool) -> Response:
        """Give the answer."""
        return self.public if public else self.private


@define
class SimplePages:
    """Renders projects and lists of them, once a representation for as long as they are the same."""

    _workers: IWorkers
    _public_url: str | None = None
    """The URL that clients use, if it is known."""
    _pages: OrderedDict[Hashable, Page] = field(factory=OrderedDict, init=False)
    _bytes: int = field(default=0, init=False)
    _renderings: SingleFlight[Page] = field(factory=SingleFlight, init=False)
    _listed: Mapping[str, int] | None = field(default=None, init=False)
    _listing: object = field(factory=object, init=False)

    def kept(self, name: str, representation: Representation) -> Page | None:
        """Give a project's page as it was last rendered."""
        return self._kept((name, representation))

    def kept_index(self, representation: Representation, view: Hashable | None) -> Page | None:
        """Give the index as it was last rendered.

        :param view: the key of the reader's view.
        """
        return self._kept(("", representation, view))

    def listing(self, projects: Mapping[str, int]) -> Hashable:
        """Give what stands for all projects in the pages that list them, for as long as they are the same.

        It does not keep them: the pages of many views may be from as many times.
        """
        if projects is not self._listed:
            self._listed, self._listing = projects, object()
        return self._listing

    async def index(
        self, projects: Mapping[str, int], representation: Representation, view: Visibility
    ) -> Page:
        """Give the page that lists the projects that a reader sees.

        :param projects: the serials of all, by name.
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
        """Give the page that lists a project's files.

        :param edition: which one of the project it is, if the catalog can tell it from others.
        :param up: what leads from where it is served to the root.
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
        """Give the page that lists the files of all projects that a reader sees, for ``--find-links``.

        :param projects: the serials of all, by name.
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
        """Give the absolute URL of a path, if it is of a secure origin."""
        url = self._public_url
        return url + path if url is not None and url.lower().startswith("https://") else None

    async def _render(self, size: int, function: Callable[..., Page], *arguments: object) -> Page:
        """Call a function here, or if it takes long in a worker."""
        if size > FEW:
            return await self._workers.run(function, *arguments)
        return function(*arguments)

    async def _page(
        self, key: Hashable, shown: Hashable, make: Callable[[], Coroutine[Deferred[Any], Any, Page]]
    ) -> Page:
        """Give a page as it is kept if it shows the very same, or have it made, once for all who ask."""

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
    """Render, compress and hash a page; it may take long."""
    body, encoding = render(), None
    if representation.gzipped:
        body, encoding = gzip.compress(body, LEVEL, mtime=0), b"gzip"
    media = representation.media
    etag = entity_tag(media.value.encode(), encoding or b"", body)

    headers = (*_PUBLIC, *about(serial, stale_since))
    return Page(shown, Response(200, body, media.content_type, headers, etag=etag, encoding=encoding))


def _file_lists(projects: Sequence[Project]) -> list[str]:
    """Render the files of some projects; it may take long."""
    return [simple_api.file_list(project, f"{project.name}/") for project in projects]
