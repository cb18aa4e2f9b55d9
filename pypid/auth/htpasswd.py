"""Users from a password file as Apache's ``htpasswd -B`` makes it.

bcrypt is slow on purpose, so it runs in a few threads of its own, and for the same password
only once in a while.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from pypid.auth.checks import Checks, encode
from pypid.auth.hashes import decoys, matches
from pypid.auth.successes import Successes
from pypid.auth.watchedfile import WatchedFile
from pypid.interfaces import IAuthenticator, IWorkers
from pypid.model import Credentials, Principal

__all__ = ["HtpasswdAuthenticator"]

MAX_PASSWORD = 72


@implementer(IAuthenticator)
class HtpasswdAuthenticator:
    """Knows the users of a password file.

    :param path: the file.
    :param workers: few threads, for bcrypt alone; others would wait for it.
    :param clock: tells when to look at the file again, and what to forget.
    :param optional: whether it may be missing, until somebody makes it.
    :param legacy: whether SHA-1 and apr1 hashes are taken, too.
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
        self._file = WatchedFile(path, optional, workers, clock, legacy)
        self._users: Mapping[str, bytes] = {}
        self._decoys = decoys(())
        self._checks = Checks(Successes(clock))

    def open(self) -> None:
        """Read the file; it blocks. :raises CannotStart: it is of no use, and why."""
        self._file.open()

    def close(self) -> None:
        """Forget what was verified."""
        self._checks.forget()

    def is_usable(self) -> bool:
        """Tell whether there is, or may be by now, any user."""
        return self._file.is_there

    @property
    def summary(self) -> str:
        """Whom the file has, for the log at the start; empty for nobody."""
        number = self._file.number
        return f"{number} user{'' if number == 1 else 's'} of {self._file.path}" if number else ""

    async def recall(self, credentials: Credentials) -> Principal | None:
        """Give the user whose password this is and lately was, while the file has the same hash."""
        await self._refresh()
        encoded = encode(credentials)
        if encoded is None or self._mac(credentials.username, encoded) not in self._checks:
            return None
        return Principal(credentials.username)

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Give the user whose name and password these are, or ``None``.

        :raises StorageUnavailable: too many others wait already.
        """
        await self._refresh()
        encoded = encode(credentials)
        if encoded is None or not self._can_check(credentials.username, encoded[1]):
            return None
        hashed = self._users.get(credentials.username)
        check = partial(self._workers.run, matches, encoded[1], hashed, self._decoys)
        right = await self._checks.run(self._mac(credentials.username, encoded), check)
        return Principal(credentials.username) if right else None

    async def _refresh(self) -> None:
        """Go over to what the file says by now."""
        users = await self._file.users()
        if users is not self._users:
            self._users, self._decoys = users, decoys(users.values())
            self._checks.forget()

    def _mac(self, username: str, encoded: tuple[bytes, bytes]) -> bytes:
        """Give what stands for a check against the hash that the user has now."""
        return self._checks.mac(*encoded, self._users.get(username, b""))

    def _can_check(self, username: str, password: bytes) -> bool:
        """Tell whether bcrypt takes the password. It is the client's choice, so the time tells nothing."""
        if len(password) > MAX_PASSWORD and username in self._users:
            self._log.warn(
                'user "{user}": refused a password of more than {limit} bytes, which bcrypt cannot check',
                user=username,
                limit=MAX_PASSWORD,
            )
        return len(password) <= MAX_PASSWORD
