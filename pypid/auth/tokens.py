"""API tokens for machines, from the file that ``pypid token`` edits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from pypid.auth.token_use import TokenUse
from pypid.errors import CannotStart, InvalidTokens
from pypid.formats.api_tokens import Token, is_token, load, token_id
from pypid.interfaces import IAuthenticator, IWorkers
from pypid.model import Credentials, Principal
from pypid.principals import TOKEN_USER
from pypid.runtime.single_flight import SingleFlight
from pypid.runtime.watched_file import Version, version_of

__all__ = ["TokenAuthenticator"]

RETRY = 1.0
"""After how many seconds an unreadable file is read again."""


@implementer(IAuthenticator)
class TokenAuthenticator:
    """Authenticates the users of API tokens.

    A client sends a token as the password of ``__token__`` or of the token's user, or as a user name
    without a password. Whoever changes the file replaces it atomically, so one ``stat`` for each
    token presented is enough to notice that it was revoked.

    :param path: the file of tokens, which need not exist yet.
    :param workers: one thread, which reads the file and records when tokens were used.
    :param clock: tells the time, by which tokens expire.
    """

    _log = Logger()

    def __init__(self, path: Path, workers: IWorkers, clock: IReactorTime) -> None:
        self._path = path
        self._workers = workers
        self._clock = clock
        self._use = TokenUse(path, workers)
        self._tokens: Mapping[str, Token] = {}
        self._version: Version | None = None
        self._failed: tuple[object, float, str] | None = None
        """The version of the file that could not be read, the time of the attempt, and the reason."""
        self._reading: SingleFlight[None] = SingleFlight()

    def open(self) -> None:
        """Read the file if it exists. Blocks.

        :raises CannotStart: the file exists, but cannot be used.
        """
        self._version = version_of(self._path)
        try:
            self._tokens = _read(self._path)
        except InvalidTokens as error:
            raise CannotStart(
                f"{error}: {self._path}; restore it, or remove it to revoke all tokens"
            ) from None
        except OSError as error:
            raise CannotStart(f"cannot read the tokens file {self._path}: {error.strerror}") from None
        self._use.open()

    def close(self) -> None:
        """Do nothing: the use of tokens is recorded when it happens."""

    def is_usable(self) -> bool:
        """Return whether there is any token, or a file that may have one."""
        return bool(self._tokens) or version_of(self._path) is not None

    @property
    def summary(self) -> str:
        """The number of tokens, for the log at start; empty if there are none."""
        number = len(self._tokens)
        return f"{number} token{'' if number == 1 else 's'} in {self._path}" if number else ""

    async def revision(self) -> None:
        """Return ``None``: a token cannot be guessed, and its check is fast."""

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Return the user of a token; ``None`` if the credentials are not a valid token."""
        text = credentials.password or credentials.username
        name = token_id(text) if is_token(text) else None
        if name is None:
            return None
        version = version_of(self._path)
        if version != self._version and not self._failed_lately(version):
            await self._reading.run(version, lambda: self._read_again(version))
        token = self._tokens.get(name)
        now = datetime.fromtimestamp(self._clock.seconds(), UTC)
        if token is None or not token.matches(text, now):
            return None
        if credentials.password and credentials.username not in (TOKEN_USER, "", token.user):
            return None
        self._use.note(name, now.date())
        return Principal(token.user, token.limits)

    def _failed_lately(self, version: Version | None) -> bool:
        if self._failed is None or self._failed[0] != version:
            return False
        return 0 <= self._clock.seconds() - self._failed[1] < RETRY

    async def _read_again(self, version: Version | None) -> None:
        try:
            self._tokens = await self._workers.run(_read, self._path)
        except (OSError, InvalidTokens) as error:
            # The tokens known before stay valid, so that a typing error does not lock out all machines.
            before, self._failed = self._failed, (version, self._clock.seconds(), str(error))
            if before is None or (before[0], before[2]) != (version, str(error)):
                self._log.error(
                    "{path}: {reason}; the tokens known before stay", path=self._path, reason=error
                )
        else:
            self._version, self._failed = version, None
            self._log.info("{path}: changed; {number} tokens", path=self._path, number=len(self._tokens))


def _read(path: Path) -> Mapping[str, Token]:
    try:
        return {token.id: token for token in load(path.read_bytes())}
    except FileNotFoundError:
        return {}
