"""Whether the body of a request is taken, decided by its head alone."""

from __future__ import annotations

from attrs import frozen

from pypid.errors import TooLarge, UnsupportedMediaType
from pypid.form import FormReader
from pypid.interfaces import IStorage, IWorkers
from pypid.model import Action
from pypid.web.authorization import Authorization
from pypid.web.bodies import MAX_IGNORED, Body, IgnoredBody, UploadBody
from pypid.web.request import IndexRequest

__all__ = ["UPLOAD_PATHS", "Admission"]

UPLOAD_PATHS = ("/", "/legacy/", "/legacy", "/simple/", "/simple", "/pypi", "/pypi/")
"""Where uploads are taken: any old ``.pypirc`` works."""


@frozen
class Admission:
    """Lets uploads in from those who may upload, and nothing else of any size."""

    authorization: Authorization
    """Knows who may upload."""
    storage: IStorage
    """Where uploads are staged."""
    workers: IWorkers
    """Where their forms are read."""
    max_upload: int
    """The most bytes that the body of an upload may have."""

    async def admit(self, request: IndexRequest, length: int | None) -> Body:
        """Give what takes the body of a request.

        :param length: the body's length in bytes; ``None`` if it is not known yet.
        :raises PypidError: it is not taken.
        """
        # The client may be gone, and the channel with it, before all of this is decided.
        head, connection = request.head, request.channel.connection
        if head.method != b"POST" or head.path.decode("ascii") not in UPLOAD_PATHS:
            if length is not None and length > MAX_IGNORED:
                raise TooLarge("no body is expected here")
            return IgnoredBody()
        principal = await self.authorization.principal(head.headers)
        self.authorization.require(principal, Action.UPLOAD, None)
        if length is not None and length > self.max_upload:
            raise TooLarge(f"the upload is larger than the {self.max_upload} bytes that are taken here")
        content_type = head.headers.getRawHeaders(b"Content-Type", [b""])[0].decode("latin-1")
        if content_type.partition(";")[0].strip().lower() != "multipart/form-data":
            raise UnsupportedMediaType("an upload must be sent as multipart/form-data")
        if head.headers.hasHeader(b"Content-Encoding"):
            raise UnsupportedMediaType("an upload must be sent without Content-Encoding")
        staging = await self.storage.stage()
        try:
            reader = FormReader(content_type, staging.write)
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
