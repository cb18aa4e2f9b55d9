"""Tokens: their form, their stored digests, and damaged files."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.errors import InvalidTokens
from pypid.formats.api_tokens import SCOPES, dump, is_token, load, new, token_id
from pypid.model import Action, Limits

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def make(*projects: str, lifetime: timedelta | None = None):
    """Make a token for uploads."""
    return new("ci", {Action.UPLOAD}, projects, NOW, lifetime)


def test_t54_a_token_has_190_random_bits_and_is_never_made_twice() -> None:
    texts = [make()[0] for _ in range(200)]
    assert len(set(texts)) == 200
    for text in texts:
        assert re.fullmatch(r"pypid_[0-9A-Za-z]{8}_[0-9A-Za-z]{38}", text)
    # Each of the random places has taken many values.
    assert all(len({text[place] for text in texts}) > 30 for place in range(15, 47))


def test_what_is_kept_does_not_tell_the_token() -> None:
    text, token = make("acme-*")
    assert token.sha256 == sha256(text.encode()).hexdigest()
    assert text[15:] not in repr(token) + dump([token]).decode()
    assert (token.user, token.limits) == ("ci", Limits(frozenset({Action.UPLOAD}), ("acme-*",)))


@given(st.data())
def test_a_misspelled_token_is_none(data: st.DataObject) -> None:
    """One other character, anywhere behind the prefix, and the checksum does not match."""
    text, token = make()
    assert token_id(text) == token.id
    place = data.draw(st.integers(6, len(text) - 1))
    other = data.draw(st.characters(max_codepoint=0x17F).filter(lambda one: one != text[place]))
    assert token_id(text[:place] + other + text[place + 1 :]) is None


@given(st.text())
def test_other_texts_are_no_tokens(text: str) -> None:
    assert token_id(text) is None
    assert is_token(text) == text.startswith("pypid_")


def test_it_matches_itself_until_it_expires() -> None:
    text, token = make(lifetime=timedelta(days=90))
    assert token.matches(text, NOW)
    assert token.matches(text, NOW + timedelta(days=90, seconds=-1))
    assert not token.matches(text, NOW + timedelta(days=90))
    assert not token.matches(make()[0], NOW)
    assert make()[1].expires is None


@pytest.mark.parametrize(
    ("projects", "project", "permitted"),
    [
        ((), "foo", True),
        (("acme-*",), "acme-lib", True),
        (("acme-*", "foo"), "foo", True),
        (("acme-*",), "acme", False),
        (("acme-*",), "foo", False),
        (("acme-*",), None, True),
    ],
)
def test_limits(projects: tuple[str, ...], project: str | None, permitted: bool) -> None:
    limits = Limits(frozenset({Action.UPLOAD}), projects)
    assert limits.permits(Action.UPLOAD, project) is permitted
    assert not limits.permits(Action.DELETE, project)


def test_a_file_of_tokens_is_read_as_it_was_written() -> None:
    tokens = tuple(
        new(f"user{number}", scopes, projects, NOW, lifetime)[1]
        for number, (scopes, projects, lifetime) in enumerate(
            [
                (set(SCOPES.values()), (), None),
                ({Action.READ}, ("acme-*", "foo"), timedelta(hours=1)),
                ({Action.ADMINISTER, Action.YANK}, ("x",), None),
            ]
        )
    )
    assert load(dump(tokens)) == tokens
    assert load(dump(())) == ()
    # A line each, for those who look at it with diff.
    assert len(dump(tokens).splitlines()) == len(tokens) + 2


GOOD = json.loads(dump([make()[1]]))


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"null", b"\xff", b"[" * 100_000, dump([make()[1]])[:-20]]
    + [json.dumps({**GOOD, "format": 2}).encode(), json.dumps({**GOOD, "tokens": [1]}).encode()]
    + [
        json.dumps({**GOOD, "tokens": [{**GOOD["tokens"][0], key: value}]}).encode()
        for key, value in [
            ("scopes", ["fly"]),
            ("created", "soon"),
            ("created", "2026-01-01"),
            ("expires", 3),
        ]
    ],
)
def test_a_damaged_file_is_refused(data: bytes) -> None:
    with pytest.raises(InvalidTokens):
        load(data)
