"""The list of classifiers, which ``setup.py register --list-classifiers`` asks for."""

from __future__ import annotations

from trove_classifiers import sorted_classifiers

from pypid.web.http.request import IndexRequest
from pypid.web.http.responses import Response, text

__all__ = ["asks_for_classifiers", "list_of_classifiers"]


def asks_for_classifiers(request: IndexRequest) -> bool:
    """Tell whether a GET of an upload URL asks for the list."""
    return request.args.get(b":action") == [b"list_classifiers"]


def list_of_classifiers() -> Response:
    """Give PyPI's classifiers as they were when ``trove-classifiers`` was installed, a line each."""
    return text(200, "\n".join(sorted_classifiers))
