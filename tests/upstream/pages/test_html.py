"""The links of an HTML page are read as browsers read them."""

import re
from html import escape
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.upstream.pages.html import read_html


def links(text: str) -> list[str]:
    """Return the URLs that a page links to."""
    files: Any = read_html(text, 1000)["files"]
    return [entry["url"] for entry in files]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('<a href="x">', ["x"]),
        ("<a href='x'>", ["x"]),
        ("<a href=x>", ["x"]),
        ("<A\n\tHREF = x\n>", ["x"]),
        ("<a/href=x>", ["x"]),
        ("<a href=x/>", ["x/"]),
        ("<a href=x y>", ["x"]),
        ('<a href="x"rel="y">', ["x"]),
        ('<a href="a > b"><a href="c">', ["a > b", "c"]),
        ('<a title="<a href=no>" href=x>', ["x"]),
        ("<a href=1 href=2>", ["1"]),
        ('<a href="a&amp;b&lt;c&#100;">', ["a&b<cd"]),
        ("<a href>", [""]),
        ("<a name=x>", []),
        ("<abbr href=x>", []),
        ("</a href=x>", []),
        ("< a href=x>", []),
        ("<!-- <a href=no> --><a href=x>", ["x"]),
        ("<!--><a href=x>", ["x"]),
        ("<!-- <a href=no>", []),
        ("<!DOCTYPE html><?xml version='1.0'?><a href=x>", ["x"]),
        ("<script>'<a href=no>'</script ><a href=x>", ["x"]),
        ("<SCRIPT><a href=no></scripting></Script><a href=x>", ["x"]),
        ("<style><a href=no>", []),
        ("<title><a href=no></title><a href=x>", ["x"]),
        ("<p><a href=x", []),
        ('<p><a href="x>', []),
        ("a < b <a href=x>", ["x"]),
    ],
)
def test_links(text: str, found: list[str]) -> None:
    assert links(text) == found


def test_fragments() -> None:
    """Digests are in the fragment, alone or beside what old tools want to know."""
    files: Any = read_html('<a href="x#sha256=ab&amp;egg=y"><a href="y#top"><a href="z#md5=1=2">', 9)["files"]
    assert [entry["hashes"] for entry in files] == [{"sha256": "ab", "egg": "y"}, {}, {"md5": "1=2"}]


def test_names_are_the_last_segment() -> None:
    files: Any = read_html('<a href="a/b%2Dc.zip?d=/e#f"><a href="/"><a href="http://[/x">', 9)["files"]
    assert [entry["filename"] for entry in files] == ["b-c.zip", "", ""]


def test_more_links_than_there_may_be() -> None:
    assert len(links("<a href=x>" * 1000)) == 1000
    with pytest.raises(ValueError, match="more than 1000 links"):
        links("<a href=x>" * 1001)


class Reference(HTMLParser):
    """What the standard library finds."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "a":
            self.found += [value or "" for name, value in attrs if name == "href"][:1]


ATTRIBUTES = st.tuples(
    st.sampled_from(["href", "HREF", "title", "data-x"]),
    st.sampled_from(["=", " = ", "=\n"]),
    st.sampled_from(['"', "'"]),
    st.text(st.sampled_from("a/.#=<> &\"'-\n"), max_size=8),
)
TAGS = st.builds(
    lambda tag, attributes: (
        f"<{tag} "
        + " ".join(
            f"{name}{equals}{quote}{escape(value)}{quote}" for name, equals, quote, value in attributes
        )
        + ">"
    ),
    st.sampled_from(["a", "A", "p", "base", "/a", "br"]),
    st.lists(ATTRIBUTES, max_size=3, unique_by=lambda one: one[0].lower()),
)
PAGES = st.lists(
    TAGS | st.sampled_from(["text", "<!-- <a href='no'> -->", "<!DOCTYPE html>", "a < b"]), max_size=6
)


@given(PAGES)
def test_agrees_with_the_standard_library(parts: list[str]) -> None:
    """On all that is well formed both find the same links."""
    text = "\n".join(parts)
    reference = Reference()
    reference.feed(text)
    reference.close()
    assert links(text) == [re.sub("#.*", "", url, flags=re.DOTALL) for url in reference.found]
