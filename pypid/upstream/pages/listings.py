"""Pages without links to files: directories that are there and empty, as web servers list them."""

from __future__ import annotations

import re
from html import unescape
from urllib.parse import unquote

from pypid.names import normalize

__all__ = ["is_empty_listing"]

MAX_LENGTH = 16 * 1024
"""How many characters a page may have that lists nothing."""

# nginx, Apache and lighttpd; Python's http.server; Caddy, which shows the path alone.
_TITLE = re.compile(r"<title>\s*+(?:index of|directory listing for|(?=/))\s*+([^<]*+)</title>", re.IGNORECASE)
_MARKUP = re.compile(r"<!--.*?-->|<title>[^<]*</title>|<[^<>]*>", re.IGNORECASE | re.DOTALL)
_ACTIVE = re.compile(
    r"<(?:a|base|form|frame|iframe|img|input|link|meta http-equiv|object|script)\b", re.IGNORECASE
)


def is_empty_listing(project: str, text: str) -> bool:
    """Return whether a page in HTML that links to no file of a project shows its empty directory.

    That is one whose title says that it lists a directory of that name, or one that is whole and
    shows nothing at all: no text, no link, nothing to fill in.
    """
    if len(text) > MAX_LENGTH:
        return False
    title = _TITLE.search(text)
    if title is not None:
        path = unquote(unescape(title[1])).strip().rstrip("/")
        return normalize(path.rpartition("/")[2]) == project
    whole = text.rstrip().lower().endswith(("</html>", "</body>"))
    return whole and _ACTIVE.search(text) is None and not _MARKUP.sub("", text).strip()
