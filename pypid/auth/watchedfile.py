"""A password file that is read again when it changes, and believed when it is whole."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping
from pathlib import Path

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from pypid.auth.passwordfile import PasswordFile, parse
from pypid.errors import CannotStart
from pypid.interfaces import IWorkers
from pypid.tasks import SingleFlight
from pypid.watching import Version, read_regular, version_of

__all__ = ["WatchedFile"]

INTERVAL = 1.0
"""How often to look whether the file changed, in seconds."""
SETTLING = 1.0
"""How long after its last change a file may still be half written, in seconds."""


@define(eq=False)
class WatchedFile:
    """The users of a password file that other programs change at any time.

    Some of them, ``htpasswd`` itself among these, empty the file and write it anew, so a
    reading may be of half a file. Until a version of the file is a second old, or has been
    seen twice, those that it lacks are still users; and it is read once more after that.
    A file that is missing or unreadable, or has no usable user, changes nothing.
    """

    path: Path
    """Where the file is."""
    optional: bool
    """Whether it may be missing at first."""
    _workers: IWorkers
    _clock: IReactorTime
    _legacy: bool = False
    _users: Mapping[str, bytes] = field(factory=dict, init=False)
    _version: Version | None = field(default=None, init=False)
    _settled: bool = field(default=False, init=False)
    _looked: float = field(default=0.0, init=False)
    _look: SingleFlight[None] = field(factory=SingleFlight, init=False)
    _log = Logger()

    def open(self) -> None:
        """Read the file for the first time; it blocks.

        :raises CannotStart: there is no file, it cannot be read, or it has no usable user.
        """
        version = version_of(self.path)
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
        if not file.users:
            repair = next(iter(file.complaints), f"add one with: htpasswd {command}")
            raise CannotStart(f"no usable user in {self.path}; {repair}")
        self._users = file.users
        self._version, self._settled = version, _is_old(version)
        self._looked = self._clock.seconds()

    @property
    def is_there(self) -> bool:
        """Whether there are users, or a file that may have some."""
        return bool(self._users) or version_of(self.path) is not None

    @property
    def number(self) -> int:
        """How many users there were when it was last read."""
        return len(self._users)

    async def users(self) -> Mapping[str, bytes]:
        """Give the hash of each user: the very same mapping as before unless something changed."""
        # The reactor's clock is the wall's; after it was set back, nothing may wait for hours.
        if not 0 <= self._clock.seconds() - self._looked < INTERVAL:
            await self._look.run(None, self._refresh)
        return self._users

    async def _refresh(self) -> None:
        # One stat a second is too short to be worth a wait behind bcrypt in the workers' queue.
        version = version_of(self.path)
        if version != self._version or not self._settled:
            settled = version == self._version or _is_old(version)
            try:
                file = await self._workers.run(self._read)
            except OSError as error:
                if version is not None or self._users:
                    self._keep(error.strerror, settled)
            else:
                self._take(file, settled)
            self._version, self._settled = version, settled
        self._looked = self._clock.seconds()

    def _take(self, file: PasswordFile, settled: bool) -> None:
        """Go over to the users of a new reading, or add them to those known before."""
        if not file.users:
            self._keep("it has no usable user", settled)
            return
        users = file.users if settled else {**self._users, **file.users}
        if users != self._users:
            self._users = users
            self._log.info("{path}: changed; {number} users", path=self.path, number=len(users))
        if settled:
            self._complain(file)

    def _keep(self, reason: str | None, settled: bool) -> None:
        """Stay with the users known before; say so unless the file may be whole in a moment."""
        if settled:
            self._log.error("{path}: {reason}; the users known before stay", path=self.path, reason=reason)

    def _read(self) -> PasswordFile:
        return parse(read_regular(self.path), str(self.path), legacy=self._legacy)

    def _complain(self, file: PasswordFile) -> None:
        for complaint in file.complaints:
            self._log.warn("{complaint}", complaint=complaint)


def _is_old(version: Version | None) -> bool:
    """Tell whether whoever wrote this version has long since finished."""
    return version is not None and time.time() - version[0] / 1e9 >= SETTLING
