"""Web servers' listings of empty directories, which are pages of projects without files."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote

from pypid.names import normalize

__all__ = ["is_empty_listing"]

MAX_LENGTH = 16 * 1024
"""Largest page, in characters, that is taken for an empty listing."""

# The titles of nginx, Apache and lighttpd; of Python's http.server; of Caddy, which has only the path.
_TITLE = re.compile(r"<title>\s*+(?:index of|directory listing for|(?=/))\s*+([^<]*+)</title>", re.IGNORECASE)
_MARKUP = re.compile(r"<!--.*?-->|<title>[^<]*</title>|<[^<>]*>", re.IGNORECASE | re.DOTALL)
_ACTIVE = re.compile(
    r"<(?:a|base|form|frame|iframe|img|input|link|meta http-equiv|object|script)\b", re.IGNORECASE
)


def is_empty_listing(project: str, text: str) -> bool:
    """Return whether an HTML page without links to files is the listing of a project's empty directory.

    It is if its title is that of a listing of a directory with the project's name, or if it is
    complete and shows nothing at all: no text, no link, no form.
    """
    if len(text) > MAX_LENGTH:
        return False
    title = _TITLE.search(text)
    if title is not None:
        path = unquote(unescape(title[1])).strip().rstrip("/")
        return normalize(path.rpartition("/")[2]) == project
    whole = text.rstrip().lower().endswith(("</html>", "</body>"))
    return whole and _ACTIVE.search(text) is None and not _MARKUP.sub("", text).strip()
