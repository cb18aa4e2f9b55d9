"""Responses with files: the whole file, a part, or "not modified" (RFC 9110).

``twisted.web.static.File`` is not used, because it labels sdists as gzip-encoded and wheels as HTML,
accepts any number of ranges, and has no entity tags.
"""

from __future__ import annotations

from hashlib import sha256

from attrs import frozen
from twisted.web.http import datetimeToString

from pypid.formats import http_conditions
from pypid.formats.http_conditions import Conditions
from pypid.interfaces import IContent, ILocalFile, ISendableContent
from pypid.model import File
from pypid.web.http.offload import Offload
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import ANY_ORIGIN, Response, entity_tag, respond

__all__ = ["FileResponse", "file_response", "metadata_response", "send_file", "sidecar_response"]

_IMMUTABLE = b"max-age=31536000, immutable"
_CHANGING = b"no-cache"
# The digests for entity tags, in order of preference. A file from an upstream may lack SHA-256.
_DIGESTS = ("sha256", "sha512", "sha384", "sha3_256", "blake2b_256", "blake2b", "sha224", "sha1", "md5")


@frozen
class FileResponse:
    """A response to a request for a file, and the part of the file that is its body."""

    response: Response
    """The response. Its own body is empty, or a short text instead of a part of the file."""
    start: int = 0
    """The offset of the first byte to be sent."""
    stop: int = 0
    """The offset after the last byte to be sent."""


def file_response(
    file: File,
    content: IContent,
    conditions: Conditions,
    *,
    public: bool,
    changing: bool,
    offload: Offload | None = None,
) -> FileResponse:
    """Return the response to a GET of a file.

    :param content: its content, of which the length and the time of the last change are used. It may be
        closed, unless there is an ``offload``.
    :param public: whether anybody may read the file.
    :param changing: whether another file may be published under the same name.
    :param offload: how the file may be handed over to the proxy that has forwarded the request.
    """
    etag, modified, length = _tag(file), content.modified_ns // 1_000_000_000 or None, content.length
    headers = [*_caching(public, changing or etag is None), (b"Accept-Ranges", b"bytes")]
    if modified is not None:
        headers.append((b"Last-Modified", datetimeToString(modified)))
    if http_conditions.not_modified(etag, modified, conditions.none_match, conditions.modified_since):
        return FileResponse(Response(304, headers=headers, etag=etag))
    try:
        wanted = http_conditions.select(conditions.range, conditions.if_range, length, etag, modified)
    except http_conditions.Unsatisfiable as error:
        headers.append((b"Content-Range", error.content_range))
        return FileResponse(Response(416, b"no such bytes in this file\n", headers=headers))
    headers.append((b"Content-Disposition", b'attachment; filename="%s"' % file.filename.encode("ascii")))
    # A file that may be replaced is sent from here: the proxy might open its successor. So is a file
    # without a tag, for which the proxy would make one up.
    handed_over = None if changing or etag is None or offload is None else _handed_over(offload, content)
    if handed_over is not None:
        # The proxy does the range, under the conditions that were found to hold.
        headers.append(handed_over)
        return FileResponse(Response(200, b"", b"application/octet-stream", headers, etag=etag))
    start, stop = 0, length
    if wanted is not None:
        start, stop = wanted.start, wanted.stop
        headers.append((b"Content-Range", wanted.content_range(length)))
    status = 206 if wanted is not None else 200
    response = Response(status, b"", b"application/octet-stream", headers, etag=etag, length=stop - start)
    return FileResponse(response, start, stop)


async def send_file(
    request: IndexRequest, file: File, content: IContent, *, public: bool, changing: bool
) -> bytes:
    """Answer a GET or HEAD with a file, and close its content.

    :param public: see :func:`file_response`.
    :param changing: see :func:`file_response`.
    :returns: the rest of the body: a short text, or nothing.
    :raises PypidError: the file cannot be sent, or sending failed after a part of it.
    """
    names = "If-None-Match", "If-Modified-Since", "Range", "If-Range"
    try:
        conditions = Conditions(*map(request.getHeader, names))
        found = file_response(
            file, content, conditions, public=public, changing=changing, offload=request.offload
        )
        text = respond(request, found.response)
        if request.method == b"HEAD" or found.start == found.stop:
            return text
        if ISendableContent.providedBy(content):
            await request.send_file(content, found.start, found.stop)
        else:
            await content.send_to(request, found.start, found.stop)
        return b""
    finally:
        content.close()


def metadata_response(metadata: bytes, file: File, *, public: bool, changing: bool) -> Response:
    """Return a response with the core metadata of a file (PEP 658).

    :param file: the file, which may have the digest of the metadata.
    :param public: see :func:`file_response`.
    :param changing: see :func:`file_response`.
    """
    digest = file.core_metadata if isinstance(file.core_metadata, str) else None
    tag = f'"{digest or sha256(metadata).hexdigest()}"'
    return Response(200, metadata, headers=_caching(public, changing or digest is None), etag=tag)


def _handed_over(offload: Offload, content: IContent) -> tuple[bytes, bytes] | None:
    """Return the header that hands a file over to the proxy; ``None`` if it has to be sent from here."""
    path = content.local_path() if ILocalFile.providedBy(content) else None
    return offload.header(path) if path is not None else None


def _tag(file: File) -> str | None:
    """Return the entity tag of a file, or ``None`` if its project's page has no digest of it."""
    algorithm = next((name for name in _DIGESTS if name in file.hashes), None)
    return f'"{file.hashes[algorithm]}"' if algorithm is not None else None


def sidecar_response(data: bytes, content_type: str, *vary: str, public: bool) -> Response:
    """Return a response with a sidecar file, which may change.

    :param public: see :func:`file_response`.
    :param vary: the request headers that determined the content type.
    """
    encoded = content_type.encode("ascii")
    headers = _caching(public, True, *vary)
    return Response(200, data, encoded, headers, etag=entity_tag(encoded, data))


def _caching(public: bool, changing: bool, *vary: str) -> list[tuple[bytes, bytes]]:
    """Return the headers that say who may cache and read a response, for how long, and for which clients."""
    lifetime = _CHANGING if changing else _IMMUTABLE
    headers = [(b"Cache-Control", (b"public, " if public else b"private, ") + lifetime)]
    names = vary if public else (*vary, "Authorization")
    if names:
        headers.append((b"Vary", ", ".join(names).encode("ascii")))
    return [*headers, *ANY_ORIGIN] if public else headers
