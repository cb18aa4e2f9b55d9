"""How path segments become names, or the page is not found."""

from __future__ import annotations

from klein import Klein
from werkzeug.routing import BaseConverter, ValidationError

from pypid.names import is_name
from pypid.web.http.request import IndexRequest

__all__ = ["NO_CACHE", "UPLOAD_PATHS", "XML_RPC_PATHS", "app", "query"]

UPLOAD_PATHS = ("/", "/legacy/", "/legacy", "/simple/", "/simple", "/pypi", "/pypi/")
"""Where uploads are taken: any old ``.pypirc`` works."""
XML_RPC_PATHS = ("/pypi", "/pypi/", "/RPC2")
"""Where XML-RPC is spoken, by those whose body is XML."""
NO_CACHE = [(b"Cache-Control", b"no-cache")]


class _NameConverter(BaseConverter):
    """A segment that is a valid project name, in whatever spelling (PEP 503)."""

    regex = r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?"

    def to_python(self, value: str) -> str:
        """Give the name as it is spelled."""
        if not is_name(value):
            raise ValidationError
        return value


class _FilenameConverter(BaseConverter):
    """A segment that might be a file's name; the index knows which are."""

    regex = r"[A-Za-z0-9_][A-Za-z0-9_.+!-]*"


def _new_app() -> Klein:
    """Make an application whose rules know ``<name:…>`` and ``<filename:…>``.

    Werkzeug's own redirects are absolute, made of the client's Host header; ours are relative
    and stand in the routes.
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


app = _new_app()
"""All routes of an index. They are put here by mixin classes, which stand in modules of their own."""


def query(request: IndexRequest) -> str:
    """Give the query string with its question mark, for a redirect that must keep it."""
    _, mark, rest = request.uri.partition(b"?")
    return (mark + rest).decode("ascii")
