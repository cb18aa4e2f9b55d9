"""Admission of request bodies: whether a body is accepted depends on the head of the request alone."""

from __future__ import annotations

from attrs import frozen

from pypid.errors import TooLarge, UnsupportedMediaType
from pypid.interfaces import IWorkers
from pypid.runtime.threaded_storage import ThreadedStorage
from pypid.upload.form import FormReader
from pypid.web.http.cross_site import check_host, refuse_cross_site
from pypid.web.http.request import IndexRequest
from pypid.web.http.request_bodies import MAX_IGNORED, MAX_SMALL, Body, IgnoredBody, SmallBody, UploadBody
from pypid.web.http.validation import Head
from pypid.web.permissions.project_permissions import ProjectPermissions
from pypid.web.routes.table import UPLOAD_PATHS, XML_RPC_PATHS

__all__ = ["Admission"]

_XML = ("text/xml", "application/xml")
_FORM = "application/x-www-form-urlencoded"


@frozen
class Admission:
    """Accepts uploads from users with the permission to upload, and short bodies where they are expected.

    All other bodies are ignored if they are short, and refused if not.
    """

    permissions: ProjectPermissions
    """The permissions to upload."""
    storage: ThreadedStorage
    """The storage in which uploads are staged."""
    workers: IWorkers
    """The workers that read the forms of uploads."""
    max_upload: int
    """Largest size of an upload's body, in bytes."""
    public_url: str | None
    """The URL that clients use, if it differs from the socket's."""

    async def admit(self, request: IndexRequest, length: int | None) -> Body:
        """Return the receiver of a request's body.

        :param length: the body's length in bytes; ``None`` if it is not known yet.
        :raises PypidError: the body is refused.
        """
        head = request.head
        path, media_type = head.path.decode("ascii"), _media_type(head)
        if head.method == b"POST" and path in XML_RPC_PATHS and media_type in _XML:
            return _small(head, length)
        if head.method == b"POST" and path in UPLOAD_PATHS:
            return await self._upload(request, length)
        if head.method == b"POST" and path.startswith("/project/"):
            if media_type != _FORM:
                raise UnsupportedMediaType(f"a form must be sent as {_FORM} here")
            return _small(head, length)
        if length is not None and length > MAX_IGNORED:
            raise TooLarge("no body is expected here")
        return IgnoredBody()

    async def _upload(self, request: IndexRequest, length: int | None) -> Body:
        """Begin to stage an upload, and return the receiver of its body."""
        # Both are read now: the client may be gone, and its channel too, before the decision is made.
        headers, connection = request.head.headers, request.link.connection
        refuse_cross_site(headers, request.sender, self.public_url)
        principal = await self.permissions.authorization.principal(request)
        self.permissions.require_any_upload(principal)
        if principal is None:
            check_host(headers, request.sender, self.public_url)
        if length is not None and length > self.max_upload:
            raise TooLarge(f"the upload is larger than the {self.max_upload} bytes that are taken here")
        if _media_type(request.head) != "multipart/form-data":
            raise UnsupportedMediaType("an upload must be sent as multipart/form-data")
        _check_encoding(request.head)
        staging = await self.storage.stage()
        try:
            reader = FormReader(_content_type(request.head), staging.write)
        except BaseException:
            await staging.discard()
            raise
        return UploadBody(
            staging=staging,
            principal=principal,
            reader=reader,
            workers=self.workers,
            limit=self.max_upload,
            connection=connection,
            failed=request.failed,
        )


def _small(head: Head, length: int | None) -> Body:
    """Return a receiver that keeps the body in memory."""
    _check_encoding(head)
    if length is not None and length > MAX_SMALL:
        raise TooLarge(f"the body is larger than the {MAX_SMALL} bytes that are taken here")
    return SmallBody()


def _check_encoding(head: Head) -> None:
    if head.headers.hasHeader(b"Content-Encoding"):
        raise UnsupportedMediaType("a body must be sent without Content-Encoding")


def _content_type(head: Head) -> str:
    return head.headers.getRawHeaders(b"Content-Type", [b""])[0].decode("latin-1")


def _media_type(head: Head) -> str:
    return _content_type(head).partition(";")[0].strip().lower()
