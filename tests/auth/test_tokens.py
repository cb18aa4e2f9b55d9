"""Signing in with a token, in every header that carries one; revoked tokens fail."""

from __future__ import annotations

import errno
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent
from zope.interface.verify import verifyObject

from pypid.auth.token_use import last_used
from pypid.auth.tokens import TokenAuthenticator
from pypid.errors import CannotStart
from pypid.formats.api_tokens import Token, dump, new
from pypid.interfaces import IAuthenticator
from pypid.model import Action, Credentials, Principal
from pypid.testing.fakes import InlineWorkers, Synchronous

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


class TokenAuthenticatorTests(Synchronous):
    """Two tokens in a file."""

    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory())) / "tokens"
        self.clock = Clock()
        self.clock.advance(NOW.timestamp())
        self.text, self.token = new("ci", {Action.UPLOAD}, ["acme-*"], NOW, timedelta(days=1))
        self.other_text, self.other = new("bob", {Action.READ}, [], NOW, None)
        self.write(self.token, self.other)
        self.authenticator = self.opened()

    def write(self, *tokens: Token) -> None:
        """Replace the file, as the command does."""
        new_file = self.path.with_suffix(".new")
        new_file.write_bytes(dump(tokens))
        new_file.replace(self.path)

    def opened(self) -> TokenAuthenticator:
        """Open the provider."""
        authenticator = TokenAuthenticator(self.path, InlineWorkers(), self.clock)
        authenticator.open()
        self.addCleanup(authenticator.close)
        return authenticator

    def authenticate(self, username: str, password: str) -> Principal | None:
        return self.result(self.authenticator.authenticate(Credentials(username, password)))

    def test_interface(self) -> None:
        self.assertTrue(verifyObject(IAuthenticator, self.authenticator))
        self.assertTrue(self.authenticator.is_usable())

    def test_every_carrier_gives_the_same_principal(self) -> None:
        """As ``__token__``, as the user's password, as a user name without a password, and alone."""
        expected = Principal("ci", self.token.limits)
        for username, password in [
            ("__token__", self.text),
            ("ci", self.text),
            (self.text, ""),
            ("", self.text),
        ]:
            self.assertEqual(self.authenticate(username, password), expected, username)

    def test_a_token_is_not_another_users_password(self) -> None:
        for username in ("bob", "CI", "ci ", self.other_text):
            self.assertIsNone(self.authenticate(username, self.text))

    def test_what_is_no_token_is_nobodys(self) -> None:
        for text in ("", "secret", self.text[:-1], f"{self.text}x", new("ci", set(), [], NOW, None)[0]):
            self.assertIsNone(self.authenticate("__token__", text))
            self.assertIsNone(self.authenticate(text, ""))

    def test_expired(self) -> None:
        self.clock.advance(timedelta(days=1).total_seconds())
        self.assertIsNone(self.authenticate("__token__", self.text))
        self.assertIsNotNone(self.authenticate("__token__", self.other_text))

    def test_a_revoked_token_ends_with_the_next_request(self) -> None:
        self.assertIsNotNone(self.authenticate("__token__", self.text))
        self.write(self.other)
        self.assertIsNone(self.authenticate("__token__", self.text))
        self.assertIsNotNone(self.authenticate("__token__", self.other_text))

    def test_a_new_token_is_known_with_the_next_request(self) -> None:
        text, token = new("ci", {Action.READ}, [], NOW, None)
        self.write(self.token, token)
        self.assertEqual(self.authenticate("__token__", text), Principal("ci", token.limits))

    def test_without_a_file_there_are_no_tokens_until_it_appears(self) -> None:
        self.path.unlink()
        self.authenticator = self.opened()
        self.assertFalse(self.authenticator.is_usable())
        self.assertIsNone(self.authenticate("__token__", self.text))
        self.write(self.token)
        self.assertTrue(self.authenticator.is_usable())
        self.assertIsNotNone(self.authenticate("__token__", self.text))

    def test_removing_the_file_revokes_all(self) -> None:
        self.path.unlink()
        self.assertIsNone(self.authenticate("__token__", self.text))

    def test_a_damaged_file_stops_a_start_and_nothing_else(self) -> None:
        self.path.write_bytes(b"{")
        self.assertIsNotNone(self.authenticate("__token__", self.text))
        self.assertRaisesRegex(CannotStart, "damaged: .*; restore it", self.opened)

    def test_fault_a3_a_failure_to_read_once_is_no_end(self) -> None:
        """The version that could not be read is read a second later: a token may be missing in it."""
        self.write(self.other)
        with (
            capturedLogs() as events,
            mock.patch.object(Path, "read_bytes", side_effect=OSError(errno.EIO, "failed")),
        ):
            for _ in range(3):
                self.assertIsNotNone(self.authenticate("__token__", self.text))
                self.clock.advance(1)
        [event] = [event for event in events if event["log_level"] is LogLevel.error]
        self.assertIn("failed; the tokens known before stay", formatEvent(event))
        self.assertIsNone(self.authenticate("__token__", self.text))
        self.assertIsNotNone(self.authenticate("__token__", self.other_text))

    def test_fault_a3_what_hides_the_file_revokes_nothing(self) -> None:
        """A directory that cannot be looked into for now is no file that is gone."""
        away = self.path.with_name("away")
        self.path.rename(away)
        self.path.symlink_to(self.path)
        self.assertIsNotNone(self.authenticate("__token__", self.text))
        self.path.unlink()
        self.assertIsNone(self.authenticate("__token__", self.text))

    def test_an_unreadable_file_stops_a_start(self) -> None:
        self.path.unlink()
        self.path.mkdir()
        self.assertRaisesRegex(CannotStart, "cannot read the tokens file .*: Is a directory", self.opened)

    def test_the_day_of_the_last_use_is_kept(self) -> None:
        self.authenticate("__token__", self.text)
        self.assertEqual(last_used(self.path), {self.token.id: "2026-11-21"})
        self.clock.advance(86_400 - 1)
        self.authenticator = self.opened()
        self.authenticate("__token__", self.text)
        self.assertEqual(last_used(self.path), {self.token.id: "2026-11-22"})
        self.authenticate("__token__", "pypid_wrong")
        self.assertEqual(len(last_used(self.path)), 1)

    def test_it_is_written_once_a_day(self) -> None:
        self.authenticate("__token__", self.text)
        used = self.path.with_name(f"{self.path.name}.used")
        used.unlink()
        self.authenticate("__token__", self.text)
        self.assertFalse(used.exists())

    def test_who_cannot_write_it_signs_in_all_the_same(self) -> None:
        self.path.with_name(f"{self.path.name}.used").mkdir()
        self.assertIsNotNone(self.authenticate("__token__", self.text))

    def test_a_damaged_note_of_uses_is_forgotten(self) -> None:
        for data in (b"{", b"[]", b"\xff"):
            self.path.with_name(f"{self.path.name}.used").write_bytes(data)
            self.assertEqual(last_used(self.path), {})
