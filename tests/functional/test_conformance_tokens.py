"""Conformance, section H: reading with a token."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from attrs import frozen
from harness.daemon import Daemon
from harness.http import ask

from pypid.formats.api_tokens import dump, load, new
from pypid.model import Action
from pypid.testing.builds import wheel
from pypid.testing.web import basic

FILENAME, CONTENT = wheel("sample", "1.0")
PATHS = ("simple/", "simple/sample/", f"packages/sample/{FILENAME}", f"packages/sample/{FILENAME}.metadata")


@frozen
class Guarded:
    """An index that only who has a token may read."""

    url: str
    token: str

    def statuses(self, headers: dict[str, str]) -> set[int]:
        """Ask for pages and files; return how that went."""
        return {ask(self.url + path, headers={"Accept": "text/html", **headers}).status for path in PATHS}


@pytest.fixture
def guarded(daemon: Callable[..., Daemon], tmp_path: Path) -> Guarded:
    """Start one with one file and one token."""
    project = tmp_path / "root" / "simple" / "sample"
    project.mkdir(parents=True)
    (project / FILENAME).write_bytes(CONTENT)
    text, token = new("ci", {Action.READ}, [], datetime.now(UTC), None)
    (tmp_path / "root" / "tokens").write_bytes(dump([token]))
    return Guarded(daemon("--upstream", "none", "--access", "private", root=tmp_path / "root").url, text)


def test_c108_permission(guarded: Guarded, tmp_path: Path) -> None:
    """Good credentials without permission give 403, whether the project is here or not.

    After a 404, uv would go on to the next index.
    """
    text, token = new("ci", {Action.READ}, ["acme-*"], datetime.now(UTC), None)
    tokens = tmp_path / "root" / "tokens"
    tokens.write_bytes(dump([*load(tokens.read_bytes()), token]))
    for name in ("sample", "nope"):
        answer = ask(f"{guarded.url}simple/{name}/", headers=basic("ci", text))
        assert (answer.status, answer.headers["WWW-Authenticate"]) == (403, None)
    assert ask(f"{guarded.url}simple/acme-nope/", headers=basic("ci", text)).status == 404


def test_c111_tokens(guarded: Guarded) -> None:
    """A token is taken as the password of its user or of `__token__`, or as the user name."""
    for user in ("ci", "__token__"):
        assert guarded.statuses(basic(user, guarded.token)) == {200}
        assert guarded.statuses(basic(user, guarded.token[:-1])) == {401}
    assert guarded.statuses(basic(guarded.token, "")) == {200}
    assert guarded.statuses(basic("bob", guarded.token)) == {401}


def test_c112_bearer(guarded: Guarded) -> None:
    """`Authorization: Bearer` is taken too."""
    assert guarded.statuses({"Authorization": f"Bearer {guarded.token}"}) == {200}
    assert guarded.statuses({"Authorization": f"bearer {guarded.token}"}) == {200}
    assert guarded.statuses({"Authorization": "Bearer x"}) == {401}
