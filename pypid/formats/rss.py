"""Feeds of news, for feed readers (RSS 2.0)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from email.utils import format_datetime
from xml.etree.ElementTree import Element, SubElement, tostring

from attrs import frozen

from pypid.formats.xml_text import xml_text

__all__ = ["FeedItem", "feed"]


@frozen
class FeedItem:
    """An item of a feed, such as a new release."""

    title: str
    """Its title."""
    link: str
    """The absolute URL of its page."""
    identity: str
    """A text that is unique among all items of the feed, for ever; not a URL."""
    description: str
    """One line by its authors; maybe empty."""
    time: datetime
    """The time of its publication, in UTC."""


def feed(title: str, link: str, description: str, items: Iterable[FeedItem]) -> bytes:
    """Return the XML document of a feed.

    :param link: the absolute URL of the site.
    :param items: the items, newest first.
    """
    rss = Element("rss", version="2.0")
    channel = SubElement(rss, "channel")
    _add(channel, title=title, link=link, description=description, language="en")
    for item in items:
        element = SubElement(channel, "item")
        _add(element, title=item.title, link=item.link, description=item.description)
        SubElement(element, "guid", isPermaLink="false").text = xml_text(item.identity)
        _add(element, pubDate=format_datetime(item.time.astimezone(UTC), usegmt=True))
    document: bytes = tostring(rss, encoding="utf-8", xml_declaration=True)
    return document


def _add(parent: Element, **children: str) -> None:
    """Add children to an element, each with a name and a text."""
    for name, text in children.items():
        SubElement(parent, name).text = xml_text(text)
