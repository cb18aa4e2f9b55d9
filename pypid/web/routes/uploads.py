"""The routes of uploads."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from urllib.parse import parse_qs

from pypid.errors import InvalidForm
from pypid.runtime.single_flight import shield
from pypid.web.http.request import IndexRequest
from pypid.web.http.request_bodies import SmallBody, UploadBody
from pypid.web.http.responses import respond, text
from pypid.web.permissions.authorization import Authorization
from pypid.web.permissions.project_permissions import ProjectPermissions
from pypid.web.routes.classifiers import asks_for_classifiers, list_of_classifiers
from pypid.web.routes.converters import UPLOAD_PATHS, app
from pypid.web.routes.upload_actions import Uploads

__all__ = ["UploadRoutes"]


class UploadRoutes:
    """The way in."""

    authorization: Authorization
    rights: ProjectPermissions
    uploads: Uploads
    call: Callable[[IndexRequest], Awaitable[bytes]]

    async def upload(self, request: IndexRequest) -> bytes:
        """Take an upload, whose body was admitted and staged already, or an XML-RPC call."""
        if isinstance(request.body, SmallBody):
            return await self.call(request)
        if not isinstance(request.body, UploadBody):
            self.rights.require_any_upload(await self.authorization.principal(request))
            raise InvalidForm("an upload is a form of type multipart/form-data, and this has no body")
        action = request.args.get(b":action", [b""])[0].decode("latin-1")
        # Whatever else is said, or nothing, means it as well: then nothing happens by mistake.
        query = parse_qs(request.uri.partition(b"?")[2], keep_blank_values=True)
        dry_run = query.get(b"dry-run", [b"0"]) != [b"0"]
        return respond(request, await shield(self.uploads.receive(request.body, action, dry_run=dry_run)))

    for _path in UPLOAD_PATHS:
        app.route(_path, methods=["POST"], endpoint=f"upload {_path}")(upload)

    @app.route("/legacy/", methods=["GET"])
    @app.route("/legacy", methods=["GET"])
    @app.route("/pypi", methods=["GET"])
    @app.route("/pypi/", methods=["GET"])
    async def upload_page(self, request: IndexRequest) -> bytes:
        """Say what the upload URL is for."""
        if asks_for_classifiers(request):
            return respond(request, list_of_classifiers())
        return respond(
            request, text(200, "this is where files are uploaded to, with twine, uv publish and their like")
        )
