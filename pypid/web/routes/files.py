"""The routes of files and of their sidecar files."""

from __future__ import annotations

import re
from collections.abc import Mapping

from twisted.web.http_headers import Headers

from pypid.errors import Elsewhere, InvalidFilename, NotFound
from pypid.formats import simple_api
from pypid.model import File, Redirect
from pypid.names import Sidecar, canonical_version, is_name, normalize, parse_filename
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import Response, redirect, respond, text
from pypid.web.routes.converters import NO_CACHE, query
from pypid.web.routes.file_responses import metadata_response, send_file, sidecar_response
from pypid.web.routes.kept_files import Keeping
from pypid.web.routes.services import Services

__all__ = ["file", "file_elsewhere", "project_of_file", "project_of_pypi_path", "provenance"]

_INTEGRITY = "application/vnd.pypi.integrity.v1+json"
_DIGEST = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}")
"""The BLAKE2b-256 digest of a file, as it is split in the paths of PyPI's file host."""
_NOT_ACCEPTABLE = text(406, f"provenance is to be had as {_INTEGRITY}", [(b"Vary", b"Accept")])


async def file(services: Services, request: IndexRequest, project: str, filename: str) -> bytes:
    """Send a file, or a sidecar file if the name has a suffix of :class:`Sidecar`.

    If the project is on another server, redirect the client to that server.
    """
    try:
        return await _file(services, request, project, filename)
    except Elsewhere as elsewhere:
        beside = next((one.value for one in Sidecar if filename.endswith(one.value)), "")
        return respond(request, redirect(302, elsewhere.url + beside, NO_CACHE))


async def _file(services: Services, request: IndexRequest, normalized: str, filename: str) -> bytes:
    public = request.anybody_may_read
    sidecar = next((one for one in Sidecar if filename.endswith(one.value)), None)
    keeping = services.kept_files.begin(normalized)
    if sidecar is None:
        file, content = await services.index.open_file(normalized, filename)
        if isinstance(content, Redirect):
            return respond(request, redirect(302, content.url, NO_CACHE))
        keeping.file(file, content)
        return await send_file(request, file, content, public=public, changing=_is_changing(services, file))
    name, filename = filename, filename.removesuffix(sidecar.value)
    if sidecar is Sidecar.PROVENANCE:
        return await _provenance(services, request, normalized, filename, keeping=keeping)
    if sidecar is Sidecar.SIGNATURE:
        signature = await services.index.sidecar(normalized, filename, sidecar)

        def signature_response(_: Headers, public: bool, __: bool) -> Response:
            return sidecar_response(signature, "application/pgp-signature", public=public)

        keeping.sidecar(name, None, signature, signature_response)
        return respond(request, signature_response(request.requestHeaders, public, False))
    file, metadata = await services.index.core_metadata(normalized, filename)

    def response(_: Headers, public: bool, changing: bool) -> Response:
        return metadata_response(metadata, file, public=public, changing=changing)

    if isinstance(file.core_metadata, str):  # else the page does not tell which these are
        keeping.sidecar(name, file, metadata, response)
    return respond(request, response(request.requestHeaders, public, _is_changing(services, file)))


async def provenance(
    services: Services, request: IndexRequest, project: str, version: str, filename: str
) -> bytes:
    """Send a file's provenance, at the same URL path as on PyPI (PEP 740)."""
    return await _provenance(services, request, project, filename, version)


async def file_elsewhere(
    _: Services, request: IndexRequest, project: str, filename: str, **directories: str
) -> bytes:
    """Redirect to a file from its path on pypiserver or on PyPI's file host, even if it does not exist.

    :param directories: the variable segments of the path before the file name.
    """
    up = "../" * len(directories)
    # The redirect is temporary, because a project's page has the current URL of the file.
    return respond(request, redirect(302, f"{up}{project}/{filename}{query(request)}", NO_CACHE))


async def _provenance(
    services: Services,
    request: IndexRequest,
    name: str,
    filename: str,
    version: str | None = None,
    keeping: Keeping | None = None,
) -> bytes:
    """Send the provenance of a file (PEP 740).

    :param version: the version that the file must have, if any.
    :param keeping: keeps the provenance for the next client.
    :raises NotFound: there is no provenance, or the file has another version.
    """
    data = await services.index.sidecar(name, filename, Sidecar.PROVENANCE)
    if version is not None and canonical_version(version) != parse_filename(filename, name).version:
        raise NotFound("the file is of another version")

    def response(headers: Headers, public: bool, _: bool) -> Response | None:
        accept = ",".join(headers.getRawHeaders("Accept", []))
        chosen = simple_api.accepted(accept, (_INTEGRITY, "application/json"))
        return sidecar_response(data, chosen, "Accept", public=public) if chosen is not None else None

    if keeping is not None and keeping.is_local:  # an upstream may withdraw it, and the page stays as it is
        keeping.sidecar(Sidecar.PROVENANCE.of(filename), None, data, response, varies=True)
    answer = response(request.requestHeaders, request.anybody_may_read, False)
    return respond(request, answer or _NOT_ACCEPTABLE)


def _is_changing(services: Services, file: File) -> bool:
    """Return whether another file may be published under the name of a file."""
    return services.index.rules.may_replace(file.version)


def project_of_file(arguments: Mapping[str, str]) -> str:
    """Return the normalized name of the project in the file name of a path; it may be a sidecar's name.

    :param arguments: the variable segments of the path; one of them is ``filename``.
    :raises NotFound: the file name is invalid.
    """
    filename = arguments["filename"]
    sidecar = next((one.value for one in Sidecar if filename.endswith(one.value)), "")
    try:
        return parse_filename(filename.removesuffix(sidecar)).project
    except InvalidFilename:
        raise NotFound("there is no such page") from None


def project_of_pypi_path(arguments: Mapping[str, str]) -> str:
    """Return the normalized name of the project in a path of PyPI's file host.

    :param arguments: the variable segments of the path: ``first``, ``second``, ``third`` and ``filename``.
    :raises NotFound: PyPI's file host has no such path.
    """
    first, second, third = arguments["first"], arguments["second"], arguments["third"]
    if _DIGEST.fullmatch(f"{first}/{second}/{third}"):
        return project_of_file(arguments)
    if second.lower() == third[:1].lower() and is_name(third):
        # Paths like source/a/acme-lib and py3/a/acme-lib contain the name, so it need not be guessed.
        return normalize(third)
    raise NotFound("there is no such page")
