"""The routes of files and of what lies beside them."""

from __future__ import annotations

import re

from pypid.errors import Elsewhere, InvalidFilename, NotFound
from pypid.formats import simple_api
from pypid.index.publishing import Index
from pypid.model import Action, File, Redirect
from pypid.names import Sidecar, canonical_version, is_name, normalize, parse_filename
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import redirect, respond, text
from pypid.web.permissions.authorization import Authorization
from pypid.web.routes.converters import NO_CACHE, app, query
from pypid.web.routes.file_responses import metadata_response, send_file, sidecar_response

__all__ = ["FileRoutes"]

_INTEGRITY = "application/vnd.pypi.integrity.v1+json"
_DIGEST = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}")
"""How PyPI's file host spells the BLAKE2b-256 digest of a file in its path."""
_NOT_ACCEPTABLE = text(406, f"provenance is to be had as {_INTEGRITY}", [(b"Vary", b"Accept")])


class FileRoutes:
    """Downloads."""

    index: Index
    authorization: Authorization

    @app.route("/packages/<name:name>/<filename:filename>", methods=["GET"])
    @app.route("/simple/<name:name>/<filename:filename>", methods=["GET"])
    async def file(self, request: IndexRequest, name: str, filename: str) -> bytes:
        """Send a file, or what lies beside it, if its name ends in what :class:`Sidecar` says.

        A client is sent on to where a file is whose project's page is elsewhere.
        """
        normalized = normalize(name)
        await self.authorization.check(request, Action.READ, normalized)
        try:
            return await self._file(request, normalized, filename)
        except Elsewhere as elsewhere:
            beside = next((one.value for one in Sidecar if filename.endswith(one.value)), "")
            return respond(request, redirect(302, elsewhere.url + beside, NO_CACHE))

    async def _file(self, request: IndexRequest, normalized: str, filename: str) -> bytes:
        public = self.authorization.is_public(normalized)
        sidecar = next((one for one in Sidecar if filename.endswith(one.value)), None)
        if sidecar is None:
            file, content = await self.index.open_file(normalized, filename)
            if isinstance(content, Redirect):
                return respond(request, redirect(302, content.url, NO_CACHE))
            return await send_file(request, file, content, public, self._is_changing(file))
        filename = filename.removesuffix(sidecar.value)
        if sidecar is Sidecar.PROVENANCE:
            return await self._provenance(request, normalized, filename)
        if sidecar is Sidecar.SIGNATURE:
            signature = await self.index.sidecar(normalized, filename, sidecar)
            return respond(request, sidecar_response(signature, "application/pgp-signature", public))
        file, metadata = await self.index.core_metadata(normalized, filename)
        changing = self._is_changing(file)
        return respond(request, metadata_response(metadata, file, public, changing))

    @app.route("/integrity/<name:name>/<version>/<filename:filename>/provenance", methods=["GET"])
    async def provenance(self, request: IndexRequest, name: str, version: str, filename: str) -> bytes:
        """Send a file's provenance from where PyPI has it."""
        normalized = normalize(name)
        await self.authorization.check(request, Action.READ, normalized)
        return await self._provenance(request, normalized, filename, version)

    @app.route("/packages/<filename:filename>", methods=["GET"])
    async def file_of_pypiserver(self, request: IndexRequest, filename: str) -> bytes:
        """Send a client on that has a link of pypiserver's, which has all files in one directory."""
        return await self._send_to_file(request, _project_of(filename), filename, "")

    @app.route("/packages/<first>/<second>/<third>/<filename:filename>", methods=["GET"])
    async def file_of_pypi(
        self, request: IndexRequest, first: str, second: str, third: str, filename: str
    ) -> bytes:
        """Send a client on that has a link of PyPI's file host, by the file's digest or of old."""
        if _DIGEST.fullmatch(f"{first}/{second}/{third}"):
            project = _project_of(filename)
        elif second.lower() == third[:1].lower() and is_name(third):
            # Such as source/a/acme-lib and py3/a/acme-lib; the name need not be guessed.
            project = normalize(third)
        else:
            raise NotFound("there is no such page")
        return await self._send_to_file(request, project, filename, "../../../")

    async def _send_to_file(self, request: IndexRequest, project: str, filename: str, up: str) -> bytes:
        """Send a client to where a file is, or would be: that says whether it is there."""
        await self.authorization.check(request, Action.READ, project)
        # Not for good: pages tell where it is now.
        return respond(request, redirect(302, f"{up}{project}/{filename}{query(request)}", NO_CACHE))

    async def _provenance(
        self, request: IndexRequest, name: str, filename: str, version: str | None = None
    ) -> bytes:
        """Send the provenance of a file, which must be of a certain version if one is given (PEP 740)."""
        data = await self.index.sidecar(name, filename, Sidecar.PROVENANCE)
        if version is not None and canonical_version(version) != parse_filename(filename, name).version:
            raise NotFound("the file is of another version")
        accept = request.requestHeaders.getRawHeaders("Accept")
        chosen = simple_api.accepted(",".join(accept or ()), (_INTEGRITY, "application/json"))
        if chosen is None:
            return respond(request, _NOT_ACCEPTABLE)
        public = self.authorization.is_public(name)
        return respond(request, sidecar_response(data, chosen, public, "Accept"))

    def _is_changing(self, file: File) -> bool:
        """Tell whether another file may be published under a file's name."""
        return self.index.rules.may_replace(file.version)


def _project_of(filename: str) -> str:
    """Return the normalized name of the project that a file, or what lies beside it, is called after.

    :raises NotFound: it is called after none.
    """
    sidecar = next((one.value for one in Sidecar if filename.endswith(one.value)), "")
    try:
        return parse_filename(filename.removesuffix(sidecar)).project
    except InvalidFilename:
        raise NotFound("there is no such page") from None
