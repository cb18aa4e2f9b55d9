"""The routes of uploads."""

from __future__ import annotations

from urllib.parse import parse_qs

from pypid.errors import InvalidForm
from pypid.runtime.single_flight import shield
from pypid.web.http.request import IndexRequest
from pypid.web.http.request_bodies import UploadBody
from pypid.web.http.responses import respond, text
from pypid.web.routes.services import Services

__all__ = ["upload", "upload_page"]


async def upload(services: Services, request: IndexRequest) -> bytes:
    """Carry out the form of an upload, whose body was admitted and staged already."""
    if not isinstance(request.body, UploadBody):
        raise InvalidForm("an upload is a form of type multipart/form-data, and this has no body")
    action = request.args.get(b":action", [b""])[0].decode("latin-1")
    # Any other value, or an empty one, means a dry run as well: then nothing happens by mistake.
    query = parse_qs(request.uri.partition(b"?")[2], keep_blank_values=True)
    dry_run = query.get(b"dry-run", [b"0"]) != [b"0"]
    return respond(request, await shield(services.uploads.receive(request.body, action, dry_run=dry_run)))


async def upload_page(_: Services, request: IndexRequest) -> bytes:
    """Send a text about the purpose of the upload URL."""
    return respond(
        request, text(200, "this is where files are uploaded to, with twine, uv publish and their like")
    )
