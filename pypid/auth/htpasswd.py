"""Users from a password file as Apache's ``htpasswd -B`` makes it.

bcrypt is slow on purpose, and clients send credentials with every request. So it runs in a
few threads of its own with a bounded queue, equal checks at the same time are one check, and
successes are remembered. All that is kept of a password is a MAC under a key that dies with
the process.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from functools import partial
from hashlib import blake2b
from pathlib import Path

import bcrypt
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from zope.interface import implementer

from pypid.auth.passwordfile import decoy
from pypid.auth.successes import Successes
from pypid.auth.watchedfile import WatchedFile
from pypid.errors import StorageUnavailable
from pypid.interfaces import IAuthenticator, IWorkers
from pypid.model import Credentials, Principal
from pypid.tasks import SingleFlight

__all__ = ["HtpasswdAuthenticator"]

MAX_CHECKS = 64
MAX_PASSWORD = 72


@implementer(IAuthenticator)
class HtpasswdAuthenticator:
    """Knows the users of a password file.

    :param path: the file.
    :param optional: whether it may be missing, until somebody makes it.
    :param workers: few threads, for bcrypt alone; others would wait for it.
    :param clock: tells when to look at the file again, and what to forget.
    """

    _log = Logger()

    def __init__(self, path: Path, workers: IWorkers, clock: IReactorTime, *, optional: bool = False) -> None:
        self._workers = workers
        self._file = WatchedFile(path, optional, workers, clock)
        self._users: Mapping[str, bytes] = {}
        self._decoy = decoy({})
        self._successes = Successes(clock)
        self._key = secrets.token_bytes(32)
        self._flights: SingleFlight[bool] = SingleFlight()
        self._checks = 0

    def open(self) -> None:
        """Read the file; it blocks. :raises CannotStart: it is of no use, and why."""
        self._file.open()

    def close(self) -> None:
        """Forget what was verified."""
        self._successes.forget()

    def is_usable(self) -> bool:
        """Tell whether there is, or may be by now, any user."""
        return self._file.is_there

    async def authenticate(self, credentials: Credentials) -> Principal | None:
        """Give the user whose name and password these are, or ``None``.

        :raises StorageUnavailable: too many others wait already.
        """
        users = await self._file.users()
        if users is not self._users:
            self._users, self._decoy = users, decoy(users)
            self._successes.forget()
        username, password = _encode(credentials.username), _encode(credentials.password)
        if username is None or password is None or not self._can_check(credentials.username, password):
            return None
        hashed = users.get(credentials.username, self._decoy)
        # BLAKE2 with a key is a MAC (RFC 7693, section 2.9), and takes a fifth of the time of HMAC here.
        key = blake2b(b"\0".join([username, password, hashed]), key=self._key, digest_size=32).digest()
        if key in self._successes or await self._flights.run(
            key, partial(self._check, key, password, hashed)
        ):
            return Principal(credentials.username)
        return None

    def _can_check(self, username: str, password: bytes) -> bool:
        """Tell whether bcrypt takes the password. It is the client's choice, so the time tells nothing."""
        if len(password) > MAX_PASSWORD and username in self._users:
            self._log.warn(
                'user "{user}": refused a password of more than {limit} bytes, which bcrypt cannot check',
                user=username,
                limit=MAX_PASSWORD,
            )
        return len(password) <= MAX_PASSWORD and b"\0" not in password

    async def _check(self, key: bytes, password: bytes, hashed: bytes) -> bool:
        if self._checks >= MAX_CHECKS:
            raise StorageUnavailable("too many sign-ins at once; try again")
        self._checks += 1
        try:
            right = await self._workers.run(_matches, password, hashed)
        finally:
            self._checks -= 1
        if right:
            self._successes.remember(key)
        return right


def _encode(text: str) -> bytes | None:
    """Give the bytes as they were sent, if they were UTF-8."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def _matches(password: bytes, hashed: bytes) -> bool:
    """Check a password; it blocks for as long as the hash's cost says."""
    try:
        return bcrypt.checkpw(password, hashed)
    except ValueError:  # not for what was vetted, yet none may ever get out
        return False
