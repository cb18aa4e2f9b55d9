"""HTML pages of the Simple API, parsed to the structure of the JSON (PEP 503, 592, 629, 658, 714, 740, 792).

The standard library's parser takes quadratic time on hostile pages. This one reads each character
a few times at most. Like a browser, it ignores links in comments and scripts.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from html import unescape
from urllib.parse import unquote, urlsplit

__all__ = ["read_html"]

MAX_TOKENS = 1_500_000
"""Largest number of tags and attributes of a page."""
MAX_VALUE = 8192
"""Number of characters of an attribute value that are read; the rest is ignored."""

_TAG = re.compile(r"<(?:(!--)|(/?)([a-zA-Z][^\s/>]*)|[!?/])")
# A value without a closing quote extends to the end of the page.
_ATTRIBUTE = re.compile(
    r"""[\s/]*+(?:(>)|([^\s/>][^\s/>=]*+)(?:\s*+=\s*+(?:"([^"]*)(?:"|\Z)|'([^']*)(?:'|\Z)|([^\s>]*)))?)"""
)
_TEXT_ENDS = {
    name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE)
    for name in ("script", "style", "textarea", "title")
}
_STATUS_METAS = {"pypi:project-status": "status", "pypi:project-status-reason": "reason"}


def read_html(text: str, max_files: int) -> dict[str, object]:
    """Return the content of a page in the structure of PEP 691, without validation of its values.

    URLs are not resolved; the key ``base`` has the value of ``<base href>``, if there is one.

    :param max_files: the largest number of links.
    :raises ValueError: the page has more links, or more than :data:`MAX_TOKENS` tags and attributes.
    """
    if text.count("<") > MAX_TOKENS:  # a regular expression over them would block all threads
        raise ValueError("it has too many tags")
    files: list[dict[str, object]] = []
    status: dict[str, object] = {}
    meta: dict[str, object] = {}
    document: dict[str, object] = {"meta": meta, "project-status": status, "files": files}
    for tag, attributes in _tags(text):
        if tag == "a" and "href" in attributes:
            files.append(_entry(attributes))
            if len(files) > max_files:
                raise ValueError(f"it has more than {max_files} links")
        elif tag == "base" and "href" in attributes:
            document.setdefault("base", attributes["href"])
        elif tag == "meta" and "content" in attributes:
            name = attributes.get("name", "").lower()
            if name in _STATUS_METAS:
                status[_STATUS_METAS[name]] = attributes["content"]
            elif name == "pypi:repository-version":
                meta["api-version"] = attributes["content"]
    return document


def _entry(attributes: Mapping[str, str]) -> dict[str, object]:
    """Return the entry of ``files`` for the attributes of a link."""
    url, _, fragment = attributes["href"].partition("#")
    entry: dict[str, object] = {"url": url, "filename": _last_segment(url)}
    entry["hashes"] = dict(part.split("=", 1) for part in fragment.split("&") if "=" in part)
    for name in ("requires-python", "upload-time", "provenance"):
        entry[name] = attributes.get(f"data-{name}")
    if "data-yanked" in attributes:
        entry["yanked"] = attributes["data-yanked"] or True
    size = attributes.get("data-size", "")
    if size.isascii() and size.isdigit() and len(size) < 20:
        entry["size"] = int(size)
    for name in ("core-metadata", "dist-info-metadata"):
        if f"data-{name}" in attributes:
            algorithm, equals, digest = attributes[f"data-{name}"].partition("=")
            entry[name] = {algorithm: digest} if equals else algorithm == "true"
    return entry


def _last_segment(url: str) -> str:
    try:
        return unquote(urlsplit(url).path.rpartition("/")[2])
    except ValueError:
        return ""


def _tags(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Return the start tags and their attributes, tokenized as in the HTML standard (section 13.2.5)."""
    position, tokens = 0, 0
    while tag := _TAG.search(text, position):
        tokens += 1
        comment, slash, name = tag.groups()
        if name is None:
            end = text.find("-->", tag.end() - 2) if comment else text.find(">", tag.end() - 1)
            if end < 0:
                return
            position = end + 1
            continue
        position = tag.end()
        attributes: dict[str, str] = {}
        while True:
            tokens += 1
            if tokens > MAX_TOKENS:
                raise ValueError("it has too many tags")
            found = _ATTRIBUTE.match(text, position)
            if found is None:  # the page ends within the tag
                return
            position = found.end()
            closing, attribute, *values = found.groups()
            if closing:
                break
            value = next((value for value in values if value is not None), "")
            attributes.setdefault(attribute.lower(), unescape(value[:MAX_VALUE]))
        name = name.lower()
        if slash:
            continue
        yield name, attributes
        if name in _TEXT_ENDS:
            end_tag = _TEXT_ENDS[name].search(text, position)
            if end_tag is None:
                return
            position = end_tag.start()
