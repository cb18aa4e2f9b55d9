"""Conditional and range requests."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pypid.formats.http_conditions import ByteRange, Unsatisfiable, not_modified, select

ETAG = '"abc"'
MODIFIED = 784111777
DATE = "Sun, 06 Nov 1994 08:49:37 GMT"
DATES = (DATE, "Sunday, 06-Nov-94 08:49:37 GMT", "Sun Nov  6 08:49:37 1994")

headers = st.text() | st.from_regex(r"bytes=\d{0,20}-\d{0,20}", fullmatch=True)


def part(range_header: str | None, if_range: str | None = None, length: int = 100) -> ByteRange | None:
    return select(range_header, if_range, length, ETAG, MODIFIED)


@pytest.mark.parametrize(
    "header", ['"x","abc"', '"x", "abc"', '"x" ,\t"abc"', "*", " * ", 'W/"abc"', '"x",W/"abc"', '"abc"']
)
def test_c101_if_none_match(header: str) -> None:
    """Every form of If-None-Match that has the tag means that nothing was modified."""
    assert not_modified(ETAG, None, header, None)


@pytest.mark.parametrize("header", ["", '"x"', '"x","y"', "abc", '"ABC"', '"abc', '"x*"', '"a","bc"', 'W/""'])
def test_c101_if_none_match_of_other_content(header: str) -> None:
    """A tag has to be the same as a whole, in its quotes."""
    assert not not_modified(ETAG, None, header, None)


def test_tag_with_comma() -> None:
    """A comma within a tag does not divide it."""
    assert not_modified('"a,b"', None, '"x","a,b"', None)
    assert not not_modified('"a"', None, '"x,"a","y"', None)


@pytest.mark.parametrize("date", DATES)
def test_if_modified_since(date: str) -> None:
    """All three forms of a date are read, and compared by the second."""
    assert not_modified(ETAG, MODIFIED, None, date)
    assert not_modified(ETAG, MODIFIED - 1, None, date)
    assert not not_modified(ETAG, MODIFIED + 1, None, date)


def test_if_none_match_goes_first() -> None:
    """If-Modified-Since does not count beside If-None-Match, whatever that says."""
    assert not not_modified(ETAG, MODIFIED, '"x"', DATE)
    assert not not_modified(ETAG, MODIFIED, "", DATE)
    assert not_modified(ETAG, MODIFIED, ETAG, formatdate(0, usegmt=True))


@pytest.mark.parametrize(
    "date",
    [
        "garbage",
        "-1",
        "0",
        "",
        "Sun, 99 Nov 2094 08:49:37 GMT",
        "Sun, 06 Nov 2094 08:49:37 +0200",
        "Sun, 06 Nov 99999999999999999999 08:49:37 GMT",
        DATES[0] + " " * 5000,
        "9" * 5000,
    ],
)
def test_b109_garbage_for_a_date(date: str) -> None:
    """What is no date is as good as nothing."""
    assert not not_modified(ETAG, 0, None, date)


def test_b109_date_in_the_future() -> None:
    """Nothing is modified after the year 9999."""
    assert not_modified(ETAG, MODIFIED, None, "Fri, 31 Dec 9999 23:59:59 GMT")


def test_unconditional() -> None:
    """Without a condition, or without a date to compare with, the content is sent."""
    assert not not_modified(ETAG, MODIFIED, None, None)
    assert not not_modified(ETAG, None, None, DATE)


@pytest.mark.parametrize(
    ("header", "start", "stop"),
    [
        ("bytes=0-0", 0, 1),
        ("bytes=0-99", 0, 100),
        ("bytes=10-19", 10, 20),
        ("bytes=99-", 99, 100),
        ("bytes=0-", 0, 100),
        ("Bytes=5-", 5, 100),
        ("bytes=0-999", 0, 100),
        ("bytes=-1", 99, 100),
        ("bytes=-100", 0, 100),
    ],
)
def test_c85_one_range(header: str, start: int, stop: int) -> None:
    """A range that begins within the file is answered, and ends there too."""
    assert part(header) == ByteRange(start, stop)


def test_c86_suffix_range_longer_than_file() -> None:
    """The last 10,000 bytes of a smaller wheel are all of it, as Poetry wants it."""
    assert part("bytes=-10000") == ByteRange(0, 100)


@pytest.mark.parametrize(
    "header", ["bytes=100-", "bytes=100-200", "bytes=999999999-", "bytes=-0", "bytes=-000"]
)
def test_c87_unsatisfiable(header: str) -> None:
    """B103, B104: a range without a byte of the file is refused, and the answer tells the length."""
    with pytest.raises(Unsatisfiable) as caught:
        part(header)
    assert caught.value.content_range == b"bytes */100"


def test_b098_many_ranges() -> None:
    """Several ranges, be they two or thousands, get the file once."""
    assert part("bytes=0-1,5-6") is None
    assert part("bytes=" + ",".join(["0-"] * 5000)) is None


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "bytes",
        "bytes=",
        "bytes=-",
        "bytes=a-b",
        "bytes=5-3",
        "bytes=5",
        "bytes=--5",
        "bytes=+0-+3",
        "bytes=0_0-3",
        "bytes= 0-3",
        "bytes=0 - 3",
        "bytes=0-3 ",
        "bytes=0-3\n",
        "bytes=\u0661-3",
        "byte\u017f=0-3",
        "lines=0-3",
        "0-3",
    ],
)
def test_b100_b102_malformed(header: str | None) -> None:
    """A malformed range is ignored."""
    assert part(header) is None


@pytest.mark.parametrize("header", ["bytes=0-{}", "bytes={}-", "bytes=-{}"])
def test_b101_five_thousand_digits(header: str) -> None:
    """A number that Python refuses to read is not read."""
    assert part(header.format("9" * 5000)) is None


@pytest.mark.parametrize("header", ["bytes=0-", "bytes=0-5", "bytes=-5", "bytes=-0"])
def test_empty_file(header: str) -> None:
    """No range of an empty file can be named, so it is sent whole."""
    assert part(header, length=0) is None


@pytest.mark.parametrize("if_range", [None, ETAG, f" {ETAG} ", *DATES])
def test_c88_if_range_matches(if_range: str | None) -> None:
    """Whoever has the beginning of the same content gets the rest."""
    assert part("bytes=50-", if_range) == ByteRange(50, 100)


@pytest.mark.parametrize(
    "if_range",
    [
        '"x"',
        'W/"abc"',
        "abc",
        '"x", "abc"',
        "*",
        "",
        "garbage",
        "Sun, 06 Nov 1994 08:49:36 GMT",
        "Sun, 06 Nov 1994 08:49:38 GMT",
    ],
)
def test_c88_if_range_differs(if_range: str) -> None:
    """Whoever may have other content gets all of it, even if the range lies behind its end."""
    assert part("bytes=50-", if_range) is None
    assert part("bytes=500-", if_range) is None


def test_if_range_of_a_file_without_date() -> None:
    """A date does not match what has none."""
    assert select("bytes=50-", DATE, 100, ETAG, None) is None
    assert select("bytes=50-", "garbage", 100, ETAG, None) is None


def test_content_range() -> None:
    """Content-Range counts to the last byte, not behind it."""
    assert ByteRange(0, 10).content_range(11) == b"bytes 0-9/11"


@given(st.none() | headers, st.none() | headers, st.integers(0, 10**12))
@example("bytes=-1", None, 1)
def test_range_is_within_the_file(range_header: str | None, if_range: str | None, length: int) -> None:
    """T29: whatever is asked for, the part is one of the file and not empty."""
    try:
        chosen = part(range_header, if_range, length)
    except Unsatisfiable:
        return
    assert chosen is None or 0 <= chosen.start < chosen.stop <= length


@given(st.integers(1, 200), st.integers(0, 250), st.none() | st.integers(0, 250))
def test_range_is_that_of_a_slice(length: int, first: int, last: int | None) -> None:
    """The part of a range is what Python finds there."""
    content = bytes(range(length))
    header = f"bytes={first}-" if last is None else f"bytes={first}-{last}"
    wanted = content[first:] if last is None else content[first : last + 1]
    try:
        chosen = part(header, length=length)
    except Unsatisfiable:
        assert first >= length
    else:
        if chosen is None:
            assert last is not None
            assert last < first
        else:
            assert content[chosen.start : chosen.stop] == wanted


@given(st.none() | st.text(), st.none() | st.text() | st.sampled_from(DATES).map(lambda date: date[1:]))
def test_conditions_never_raise(if_none_match: str | None, if_modified_since: str | None) -> None:
    """Any text at all may stand in a condition."""
    not_modified(ETAG, MODIFIED, if_none_match, if_modified_since)


@given(st.integers(0, 2**33))
def test_dates_are_read_as_they_are_written(seconds: int) -> None:
    """A client that sends Last-Modified back has the current content."""
    date = formatdate(seconds, usegmt=True)
    assert not_modified(ETAG, seconds, None, date)
    assert not not_modified(ETAG, seconds + 1, None, date)
