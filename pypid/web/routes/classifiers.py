"""The list of classifiers, which ``setup.py register --list-classifiers`` requests."""

from __future__ import annotations

from trove_classifiers import sorted_classifiers

from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import Response, text

__all__ = ["asks_for_classifiers", "list_of_classifiers"]


def asks_for_classifiers(request: IndexRequest) -> bool:
    """Return whether a GET request to an upload URL asks for the list of classifiers."""
    return request.args.get(b":action") == [b"list_classifiers"]


def list_of_classifiers() -> Response:
    """Return PyPI's classifiers, one a line, as of the installed version of ``trove-classifiers``."""
    return text(200, "\n".join(sorted_classifiers))
