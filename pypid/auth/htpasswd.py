"""Users of a password file in the format of Apache's ``htpasswd -B``.

bcrypt is slow on purpose. It runs in a few threads of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from pypid.auth.hashes import MAX_PASSWORD, decoys, matches
from pypid.auth.utf8_credentials import encode
from pypid.auth.watched_passwords import WatchedPasswords
from pypid.interfaces import IAuthenticator, IWorkers
from pypid.model import Credentials, Principal

__all__ = ["HtpasswdAuthenticator"]


@implementer(IAuthenticator)
class HtpasswdAuthenticator:
    """Authenticates the users of a password file.

    :param path: the password file.
    :param workers: a few threads for bcrypt alone, because other work would wait behind it.
    :param clock: decides when to look at the file again.
    :param optional: whether the file may be missing until somebody creates it.
    :param legacy: whether SHA-1 and apr1 hashes are accepted besides bcrypt.
    """

    _log = Logger()

    def __init__(
        self,
        path: Path,
        workers: IWorkers,
        clock: IReactorTime,
        *,
        optional: bool = False,
        legacy: bool = False,
    ) -> None:
        self._workers = workers
        self._file = WatchedPasswords(path, optional, workers, clock, legacy)
        self._users: Mapping[str, bytes] = {}
        self._decoys = decoys(())
        self._revision = 0

    def open(self) -> None:
        """Read the file. Blocks.

        :raises CannotStart: the file cannot be used; the message has the reason.
        """
        self._file.open()

    def close(self) -> None:
        """Do nothing: the file is open only while it is read."""

    def is_usable(self) -> bool:
        """Return whether the file has a user, or may have one by now."""
        return self._file.is_there

    @property
    def summary(self) -> str:
        """The number of users, for the log at start; empty if there are none."""
        number = self._file.number
        return f"{number} user{'' if number == 1 else 's'} of {self._file.path}" if number else ""

    async def revision(self) -> int:
        """Return the number of times that the users were found changed."""
        await self._refresh()
        return self._revision

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Return the user if name and password are right, else ``None``."""
        await self._refresh()
        encoded = encode(credentials)
        if encoded is None or not self._can_check(credentials.username, encoded[1]):
            return None
        hashed = self._users.get(credentials.username)
        right = await self._workers.run(matches, encoded[1], hashed, self._decoys)
        return Principal(credentials.username) if right else None

    async def _refresh(self) -> None:
        """Take the users from the file if they have changed."""
        users = await self._file.users()
        if users is not self._users:
            self._users, self._decoys = users, decoys(users.values())
            self._revision += 1

    def _can_check(self, username: str, password: bytes) -> bool:
        """Return whether the password is short enough for bcrypt, and log a warning if a user's is not.

        The client chooses the length, so a quick refusal reveals nothing.
        """
        if len(password) > MAX_PASSWORD and username in self._users:
            self._log.warn(
                'user "{user}": refused a password of more than {limit} bytes, which bcrypt cannot check',
                user=username,
                limit=MAX_PASSWORD,
            )
        return len(password) <= MAX_PASSWORD
