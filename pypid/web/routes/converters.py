"""Converters from path segments to names, and redirects that keep to this index."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote

from attrs import frozen
from klein import Klein
from werkzeug.routing import BaseConverter, ValidationError

from pypid.names import is_name, normalize
from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import Response, redirect

__all__ = ["NO_CACHE", "ProjectName", "new_app", "query", "redirect_to_normalized", "redirect_to_page"]

NO_CACHE = [(b"Cache-Control", b"no-cache")]
_NAME = "<name:name>"


@frozen
class ProjectName:
    """The name of a project in a path."""

    normalized: str
    """The name as PEP 503 normalizes it."""
    is_normalized: bool
    """Whether the client spelled it that way."""


class _NameConverter(BaseConverter):
    """Accepts a segment that is a valid project name, in whatever spelling (PEP 503)."""

    regex = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"

    def to_python(self, value: str) -> ProjectName:
        """Return the name. :raises ValidationError: no project can have it, so there is no such page."""
        if not is_name(value):
            raise ValidationError
        normalized = normalize(value)
        return ProjectName(normalized, is_normalized=value == normalized)


class _FilenameConverter(BaseConverter):
    """Accepts a segment that might be a file's name; the index knows which are."""

    regex = r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*"


def new_app() -> Klein:
    """Return an application without routes, whose paths may contain ``<name:…>`` and ``<filename:…>``.

    Werkzeug's own redirects are absolute, made of the client's Host header, and are switched off;
    ours are relative.
    """
    app = Klein()
    app.url_map.merge_slashes = False
    app.url_map.strict_slashes = True
    app.url_map.redirect_defaults = False
    app.url_map.converters = {
        **app.url_map.converters,
        "name": _NameConverter,
        "filename": _FilenameConverter,
    }
    return app


def redirect_to_normalized(
    request: IndexRequest, path: str, name: ProjectName, arguments: Mapping[str, str]
) -> Response:
    """Return a permanent, relative redirect to the page whose path spells a project's name normalized.

    A page whose path may or may not end in a slash is redirected to its path without it.

    :param path: the path of the route, with ``<name:name>`` in it.
    :param arguments: the other variable segments, by name.
    """
    rest = path.partition(_NAME)[2]
    up = "../" * rest.count("/")
    for key, value in arguments.items():
        rest = rest.replace(f"<{key}>", quote(value, safe="+!"))
    if rest != "/":
        rest = rest.removesuffix("/")
    return redirect(301, f"{up}{name.normalized}{rest}{query(request)}", NO_CACHE)


def redirect_to_page(request: IndexRequest, status: int, location: str, name: ProjectName | None) -> Response:
    """Return a relative redirect that does not depend on whether a project is here.

    :param location: the path of the page; ``{name}`` in it stands for the normalized name.
    """
    if name is not None:
        location = location.replace("{name}", name.normalized)
    return redirect(status, location + query(request), NO_CACHE)


def query(request: IndexRequest) -> str:
    """Return the query string with its question mark, for a redirect that must keep it."""
    _, mark, rest = request.uri.partition(b"?")
    return (mark + rest).decode("ascii")
