"""The routes of files and their metadata."""

from __future__ import annotations

from pypid.index import Index
from pypid.model import Action, Redirect
from pypid.names import normalize
from pypid.web.authorization import Authorization
from pypid.web.files import metadata_response, send_file
from pypid.web.request import IndexRequest
from pypid.web.responses import redirect, respond
from pypid.web.routing import NO_CACHE, app

__all__ = ["FileRoutes"]

_METADATA = ".metadata"


class FileRoutes:
    """Downloads."""

    index: Index
    authorization: Authorization

    @app.route("/packages/<name:name>/<filename:filename>", methods=["GET"])
    @app.route("/simple/<name:name>/<filename:filename>", methods=["GET"])
    async def file(self, request: IndexRequest, name: str, filename: str) -> bytes:
        """Send a file, or with ``.metadata`` at the end of its name, its core metadata (PEP 658)."""
        normalized = normalize(name)
        await self.authorization.check(request.requestHeaders, Action.READ, normalized)
        public = self.authorization.is_public(normalized)
        if filename.endswith(_METADATA):
            file, metadata = await self.index.core_metadata(normalized, filename.removesuffix(_METADATA))
            changing = self.index.rules.may_replace(file.version)
            return respond(request, metadata_response(metadata, file.core_metadata, public, changing))
        file, content = await self.index.open_file(normalized, filename)
        if isinstance(content, Redirect):
            return respond(request, redirect(302, content.url, NO_CACHE))
        return await send_file(request, file, content, public, self.index.rules.may_replace(file.version))
