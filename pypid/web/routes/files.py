"""The routes of files and of their sidecar files."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pypid.errors import Elsewhere, InvalidFilename, NotFound
from pypid.formats import simple_api
from pypid.model import File, Redirect
from pypid.names import Sidecar, canonical_version, is_name, normalize, parse_filename
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import redirect, respond, text
from pypid.web.routes.converters import NO_CACHE, query
from pypid.web.routes.file_responses import metadata_response, send_file, sidecar_response
from pypid.web.routes.services import Services

__all__ = ["file", "file_elsewhere", "project_of_file", "project_of_pypi_path", "provenance"]

_INTEGRITY = "application/vnd.pypi.integrity.v1+json"
_DIGEST = re.compile(r"[0-9a-f]{2}/[0-9a-f]{2}/[0-9a-f]{60}")
"""How PyPI's file host spells the BLAKE2b-256 digest of a file in its path."""
_NOT_ACCEPTABLE = text(406, f"provenance is to be had as {_INTEGRITY}", [(b"Vary", b"Accept")])


async def file(services: Services, request: IndexRequest, project: str, filename: str) -> bytes:
    """Send a file, or one of its sidecar files, if the name ends as :class:`Sidecar` says.

    If the project is on another server, redirect the client there.
    """
    try:
        return await _file(services, request, project, filename)
    except Elsewhere as elsewhere:
        beside = next((one.value for one in Sidecar if filename.endswith(one.value)), "")
        return respond(request, redirect(302, elsewhere.url + beside, NO_CACHE))


async def _file(services: Services, request: IndexRequest, normalized: str, filename: str) -> bytes:
    public = services.authorization.is_public(normalized)
    sidecar = next((one for one in Sidecar if filename.endswith(one.value)), None)
    if sidecar is None:
        file, content = await services.index.open_file(normalized, filename)
        if isinstance(content, Redirect):
            return respond(request, redirect(302, content.url, NO_CACHE))
        return await send_file(request, file, content, public, _is_changing(services, file))
    filename = filename.removesuffix(sidecar.value)
    if sidecar is Sidecar.PROVENANCE:
        return await _provenance(services, request, normalized, filename)
    if sidecar is Sidecar.SIGNATURE:
        signature = await services.index.sidecar(normalized, filename, sidecar)
        return respond(request, sidecar_response(signature, "application/pgp-signature", public))
    file, metadata = await services.index.core_metadata(normalized, filename)
    changing = _is_changing(services, file)
    return respond(request, metadata_response(metadata, file, public, changing))


async def provenance(
    services: Services, request: IndexRequest, project: str, version: str, filename: str
) -> bytes:
    """Send a file's provenance, at PyPI's URL of it (PEP 740)."""
    return await _provenance(services, request, project, filename, version)


async def file_elsewhere(
    _: Services, request: IndexRequest, project: str, filename: str, **directories: str
) -> bytes:
    """Redirect to a file from its path on pypiserver or on PyPI's file host, whether or not it is here.

    :param directories: the variable segments of the path before the file name.
    """
    up = "../" * len(directories)
    # A temporary redirect: pages tell where the file is now.
    return respond(request, redirect(302, f"{up}{project}/{filename}{query(request)}", NO_CACHE))


async def _provenance(
    services: Services, request: IndexRequest, name: str, filename: str, version: str | None = None
) -> bytes:
    """Send the provenance of a file, which must be of a certain version if one is given (PEP 740)."""
    data = await services.index.sidecar(name, filename, Sidecar.PROVENANCE)
    if version is not None and canonical_version(version) != parse_filename(filename, name).version:
        raise NotFound("the file is of another version")
    accept = request.requestHeaders.getRawHeaders("Accept")
    chosen = simple_api.accepted(",".join(accept or ()), (_INTEGRITY, "application/json"))
    if chosen is None:
        return respond(request, _NOT_ACCEPTABLE)
    public = services.authorization.is_public(name)
    return respond(request, sidecar_response(data, chosen, public, "Accept"))


def _is_changing(services: Services, file: File) -> bool:
    """Return whether another file may be published under a file's name."""
    return services.index.rules.may_replace(file.version)


def project_of_file(arguments: Mapping[str, str]) -> str:
    """Return the normalized name of the project that the file name of a path, or a sidecar's, begins with.

    :param arguments: the variable segments of the path, with ``filename`` among them.
    :raises NotFound: it is no file name.
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
        # Such as source/a/acme-lib and py3/a/acme-lib; the name need not be guessed.
        return normalize(third)
    raise NotFound("there is no such page")
