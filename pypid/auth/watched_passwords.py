"""A password file that is read again when it changes, and trusted once it is complete."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pypid.auth.password_file import PasswordFile, parse
from pypid.errors import CannotStart
from pypid.interfaces import IWorkers
from pypid.runtime.single_flight import SingleFlight
from pypid.runtime.watched_file import Version, age, read_regular, version_of

__all__ = ["WatchedPasswords"]

INTERVAL = 1.0
"""The least time between two looks at the file, in seconds."""
SETTLING = 1.0
"""How long after its last change a file may still be incomplete, in seconds."""
EMPTYING = 2.0
"""How long a file must have had no user, or been missing, before its users are forgotten, in seconds."""


@define(eq=False)
class WatchedPasswords:
    """The users of a password file that other programs change at any time.

    Some programs, including ``htpasswd`` itself, truncate the file and write it again, so a read
    may see only a part of it. Until a version of the file is old enough, the users missing from it
    remain users. After that the file is read once more, and its content is trusted, even if it has
    no user left, or if the file is gone. A file that cannot be read proves nothing: its users stay,
    and the read is repeated.
    """

    path: Path
    """The path of the file."""
    optional: bool
    """Whether the file may be missing, or have no user, at start."""
    _workers: IWorkers
    _clock: IReactorTime
    _legacy: bool = False
    _users: Mapping[str, bytes] = field(factory=dict, init=False)
    _version: Version | None = field(default=None, init=False)
    _since: float = field(default=0.0, init=False)
    """The time at which that version was first seen."""
    _settled: bool = field(default=False, init=False)
    """Whether that version is trusted, and need not be read again."""
    _told: str | None = field(default=None, init=False)
    """The last logged reason why the file cannot be read."""
    _looked: float = field(default=0.0, init=False)
    _look: SingleFlight[None] = field(factory=SingleFlight, init=False)
    _log = Logger()

    def open(self) -> None:
        """Read the file for the first time. Blocks.

        :raises CannotStart: the file is missing, cannot be read, or has no usable user.
        """
        self._version = version_of(self.path)
        self._since = self._looked = self._clock.seconds()
        command = f"-B -C 10 {shlex.quote(str(self.path))} USER"
        try:
            file = self._read()
        except FileNotFoundError:
            if self.optional:
                return
            raise CannotStart(f"no password file {self.path}; make one with: htpasswd -c {command}") from None
        except OSError as error:
            raise CannotStart(f"cannot read the password file {self.path}: {error.strerror}") from None
        self._complain(file)
        if not file.users and not (self.optional and not file.complaints):
            repair = next(iter(file.complaints), f"add one with: htpasswd {command}")
            hint = file.legacy_hint(str(self.path))
            raise CannotStart(f"no usable user in {self.path}; {repair}{f'; {hint}' if hint else ''}")
        self._users = file.users
        self._settled = self._lasts(SETTLING)

    @property
    def is_there(self) -> bool:
        """Whether there are users, or a file that may have some by now."""
        nobody = self._version if self._settled else None
        return bool(self._users) or version_of(self.path) not in (None, nobody)

    @property
    def number(self) -> int:
        """The number of users known at present."""
        return len(self._users)

    async def users(self) -> Mapping[str, bytes]:
        """Return the hash of each user. It is the same object as before unless something changed."""
        # The reactor uses the wall clock; if that was set back, the next look must not wait for hours.
        # Without users, the first one may have been added just now, and a look is cheap.
        if not self._users or not 0 <= self._clock.seconds() - self._looked < INTERVAL:
            await self._look.run(None, self._refresh)
        return self._users

    async def _refresh(self) -> None:
        # One stat a second blocks too briefly to be worth a wait behind bcrypt in the workers' queue.
        version, now = version_of(self.path), self._clock.seconds()
        if version != self._version or now < self._since:
            self._version, self._since, self._settled = version, now, False
        if not self._settled:
            await self._read_again(version)
        self._looked = self._clock.seconds()

    async def _read_again(self, version: Version | None) -> None:
        try:
            file = await self._workers.run(self._read)
        except FileNotFoundError:
            file = PasswordFile({}, ())
        except OSError as error:
            self._keep(error.strerror or type(error).__name__)
            return
        # If the file changed while it was read, the content may be incomplete.
        if version_of(self.path) == version:
            self._told = None
            self._take(file)

    def _take(self, file: PasswordFile) -> None:
        """Replace the users by those just read, or add them if the file may still be incomplete."""
        self._settled = self._lasts(SETTLING if file.users else EMPTYING)
        users = file.users if self._settled else {**self._users, **file.users}
        if users != self._users:
            self._users = users
            if users:
                self._log.info("{path}: changed; {number} users", path=self.path, number=len(users))
            else:
                state = "is gone" if self._version is None else "has no usable user"
                self._log.warn("{path}: it {state}; its users cannot sign in", path=self.path, state=state)
        if self._settled:
            self._complain(file)

    def _lasts(self, seconds: float) -> bool:
        """Return whether this version has been unchanged for so many seconds, so that its writer is done."""
        seen = self._clock.seconds() - self._since
        return seen >= seconds or age(self.path, self._version) >= seconds

    def _keep(self, reason: str) -> None:
        """Keep the users known before, and log that once for each reason."""
        if reason != self._told:
            self._told = reason
            self._log.error("{path}: {reason}; the users known before stay", path=self.path, reason=reason)

    def _read(self) -> PasswordFile:
        data = read_regular(self.path)
        if b"\0" in data:
            # No program writes NUL bytes; they are left by a power cut.
            raise OSError(0, "it is damaged: it has NUL bytes")
        return parse(data, str(self.path), legacy=self._legacy)

    def _complain(self, file: PasswordFile) -> None:
        for complaint in file.complaints:
            self._log.warn("{complaint}", complaint=complaint)
        if hint := file.legacy_hint(str(self.path)):
            self._log.warn("{path}: {hint}", path=self.path, hint=hint)
