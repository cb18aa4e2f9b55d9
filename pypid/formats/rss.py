"""Feeds of what is new, for readers of RSS (RSS 2.0)."""

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
    """Something new."""

    title: str
    """What it is."""
    link: str
    """The absolute URL of its page."""
    identity: str
    """Tells it from all other items of the feed, for ever; no URL."""
    description: str
    """A line about it, as its authors wrote it; maybe empty."""
    time: datetime
    """Since when it is there, in UTC."""


def feed(title: str, link: str, description: str, items: Iterable[FeedItem]) -> bytes:
    """Write a feed, with the newest item first.

    :param link: the absolute URL of the site that it is about.
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
    """Give an element children of these names that hold nothing but text."""
    for name, text in children.items():
        SubElement(parent, name).text = xml_text(text)
