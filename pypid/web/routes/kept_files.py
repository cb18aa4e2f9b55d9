"""Files and sidecar files that were asked for just now, kept for the next clients that ask for them.

Of a file only its place is kept, of a sidecar file, which is small, its bytes. Both are valid until
the project changes, and at most a minute: then the route has to answer once more, which also tells
the cache of an upstream that the file is still in use.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from weakref import ref

from attrs import define, field, frozen
from twisted.internet.interfaces import IReactorTime
from twisted.web.http_headers import Headers

from pypid.formats.http_conditions import Conditions
from pypid.index.publishing import Index
from pypid.interfaces import IContent, ISendableContent
from pypid.model import File, Project, Redirect
from pypid.runtime.lru import WeightedLRU
from pypid.runtime.result_now import result_now
from pypid.web.http.offload import Offload
from pypid.web.http.responses import Response
from pypid.web.routes.file_responses import FileResponse, file_response
from pypid.web.routes.page_cache import SameProject

__all__ = ["KeptFile", "KeptFiles", "KeptSidecar", "Keeping", "validator"]

SECONDS = 60.0
"""For how many seconds something is kept."""
MAX_BYTES = 32 * 1024 * 1024
"""Largest total size of everything that is kept, in bytes of memory."""
MAX_SIDECAR = 1024 * 1024
"""Largest size of a sidecar file that is kept, in bytes."""
ENTRY_BYTES = 4 * 1024
"""Memory that each takes in addition to the bytes of a sidecar file."""
_ALL = Conditions()


def validator(index: Index, name: str) -> Hashable:
    """Return a value that differs whenever a project, local or upstream, may have changed.

    :raises LookupError: the project is at another index, or this cannot be said without waiting.
    :raises PypidError: there is no such project, or it cannot be had.
    """
    known = index.validator(name)
    if known is not None:
        return known
    project = result_now(index.project(name))
    if isinstance(project, Redirect):
        raise LookupError("it is elsewhere")
    return index.validator(name) or SameProject(ref(project))  # it may be known only now


@define(eq=False)
class KeptFile:
    """A file that can be opened at once."""

    validator: Hashable
    """The validator of its project when it was last looked for."""
    until: float
    """The time until which it is kept, by the reactor's clock."""
    file: File
    """The file as its project's page describes it."""
    content: ISendableContent
    """Its content, which is closed and can be reopened."""
    _whole: dict[tuple[bool, bool], FileResponse] = field(factory=dict, init=False)

    def response(
        self,
        content: IContent,
        conditions: Conditions,
        offload: Offload | None,
        *,
        public: bool,
        changing: bool,
    ) -> FileResponse:
        """Return the response to a request. See :func:`file_response`.

        :param content: the content, reopened.
        """
        if conditions != _ALL or offload is not None:
            return file_response(
                self.file, content, conditions, public=public, changing=changing, offload=offload
            )
        found = self._whole.get((public, changing))
        if found is None:
            found = file_response(self.file, content, _ALL, public=public, changing=changing)
            self._whole[public, changing] = found
        return found


Render = Callable[[Headers, bool, bool], Response | None]
"""Returns the response to the headers of a request, if anybody may read the sidecar file, and if another
file may be published under the name of its file; ``None`` if the route has to decide."""


@define(eq=False)
class KeptSidecar:
    """A sidecar file in memory."""

    validator: Hashable
    """See :class:`KeptFile`."""
    until: float
    """See :class:`KeptFile`."""
    version: str
    """The version of its file."""
    _render: Render
    _varies: bool
    _rendered: dict[tuple[bool, bool], Response | None] = field(factory=dict, init=False)

    def response(self, headers: Headers, *, public: bool, changing: bool) -> Response | None:
        """Return the response to a request with some headers, or ``None`` if the route has to decide."""
        if self._varies:
            return self._render(headers, public, changing)
        if (public, changing) not in self._rendered:
            self._rendered[public, changing] = self._render(headers, public, changing)
        return self._rendered[public, changing]


@define(eq=False)
class KeptFiles:
    """Keeps what was used most recently, within a bound. For the reactor's thread."""

    _index: Index
    _clock: IReactorTime
    _kept: WeightedLRU[KeptFile | KeptSidecar] = field(factory=lambda: WeightedLRU(MAX_BYTES), init=False)

    def find(self, project: str, filename: str) -> KeptFile | KeptSidecar | None:
        """Return what is kept, or ``None`` if nothing is, or if the project may have changed since.

        :param project: the normalized name of the project.
        :raises Exception: see :func:`validator`.
        """
        kept = self._kept.get((project, filename))
        if kept is None or kept.until < self._clock.seconds():
            return None
        if not isinstance(kept.validator, SameProject):
            return kept if kept.validator == self._index.validator(project) else None
        return kept if kept.validator == validator(self._index, project) else None

    def begin(self, project: str) -> Keeping:
        """Look at a project before one of its files is read, so that a change meanwhile is noticed."""
        before = self._index.validator(project)
        return Keeping(self._index, self._kept, project, before, self._clock.seconds() + SECONDS)


@frozen
class Keeping:
    """Keeps what is read of a project that was looked at."""

    _index: Index
    _kept: WeightedLRU[KeptFile | KeptSidecar]
    _project: str
    _before: Hashable | None
    """The validator of the project before; ``None`` if the catalog does not know it."""
    _until: float

    @property
    def is_local(self) -> bool:
        """Whether the project has nothing from an upstream, and was known before."""
        return self._before is not None

    def file(self, file: File, content: IContent) -> None:
        """Keep a file, if it is on this machine."""
        if not ISendableContent.providedBy(content):
            return
        if file.size not in (None, content.length) or file.modified_ns not in (None, content.modified_ns):
            return  # it is being changed
        current = self._validator(file)
        if current is not None:
            kept = KeptFile(current, self._until, file, content)
            self._kept.put((self._project, file.filename), kept, ENTRY_BYTES)

    def sidecar(
        self, name: str, file: File | None, data: bytes, render: Render, *, varies: bool = False
    ) -> None:
        """Keep a sidecar file, if it is small.

        :param name: its own name.
        :param file: its file; ``None`` if the response does not depend on the version of that.
        :param render: renders the response.
        :param varies: whether the response depends on the headers of the request.
        """
        current = self._validator(file) if len(data) <= MAX_SIDECAR else None
        if current is not None:
            version = file.version if file is not None else ""
            kept = KeptSidecar(current, self._until, version, render, varies)
            self._kept.put((self._project, name), kept, ENTRY_BYTES + len(data))

    def _validator(self, file: File | None) -> Hashable | None:
        """Return the validator of the project; ``None`` if it is not certain that the file is of that state.

        A project of an upstream has none before it is read. Then its page is looked at again: it
        describes the very file that was read.
        """
        if self._before is not None or file is None or file.url is None:
            return self._before
        try:
            project = result_now(self._index.project(self._project))
        except Exception:  # whoever asks next is told why
            return None
        if isinstance(project, Project) and project.file(file.filename) is file:
            return SameProject(ref(project))
        return None
