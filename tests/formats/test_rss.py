"""Feeds of new releases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from attrs import evolve
from defusedxml.ElementTree import fromstring
from hypothesis import given
from hypothesis import strategies as st

from pypid.formats.rss import FeedItem, feed

ITEM = FeedItem(
    title="acme-lib 1.0",
    link="https://index.example.org/simple/acme-lib/",
    identity="acme-lib 1.0",
    description="a <b>library</b> & more",
    time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
)


def in_xml(code: int) -> bool:
    """Return whether XML has a character (XML 1.0, production 2)."""
    return code in (9, 10, 13) or 0x20 <= code <= 0xD7FF or 0xE000 <= code <= 0xFFFD or code > 0xFFFF


def test_c178_a_feed_to_the_letter() -> None:
    assert feed("pypid: new", "https://index.example.org/", "What is new", [ITEM]).decode() == (
        "<?xml version='1.0' encoding='utf-8'?>\n"
        '<rss version="2.0"><channel><title>pypid: new</title><link>https://index.example.org/</link>'
        "<description>What is new</description><language>en</language>"
        "<item><title>acme-lib 1.0</title><link>https://index.example.org/simple/acme-lib/</link>"
        "<description>a &lt;b&gt;library&lt;/b&gt; &amp; more</description>"
        '<guid isPermaLink="false">acme-lib 1.0</guid><pubDate>Fri, 02 Jan 2026 03:04:05 GMT</pubDate></item>'
        "</channel></rss>"
    )


def test_times_are_given_in_utc() -> None:
    time = datetime(2026, 1, 2, 5, 4, 5, tzinfo=timezone(timedelta(hours=2)))
    assert b"Fri, 02 Jan 2026 03:04:05 GMT" in feed("t", "l", "d", [evolve(ITEM, time=time)])


def test_items_keep_their_order() -> None:
    channel = fromstring(feed("t", "l", "d", [evolve(ITEM, title=title) for title in "cab"]))[0]
    assert [item.findtext("title") for item in channel.findall("item")] == ["c", "a", "b"]


@given(st.text(st.characters()))
def test_whatever_authors_write_is_read_back(text: str) -> None:
    """But what XML cannot hold, which is replaced, and the line ends, which are made alike."""
    document = fromstring(feed(text, "l", "d", [evolve(ITEM, description=text)]))
    (description,) = document.iterfind("channel/item/description")
    expected = "".join(char if in_xml(ord(char)) else "\ufffd" for char in text)
    assert (description.text or "") == expected.replace("\r\n", "\n").replace("\r", "\n")
