"""Access by the rules in a file, which is read again when it changes."""

from __future__ import annotations

from collections.abc import Hashable
from errno import ENOENT
from pathlib import Path

from attrs import define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from zope.interface import implementer

from pypid.access.rule_file import Rules, load
from pypid.errors import CannotStart, InvalidRules
from pypid.interfaces import IAccessPolicy, IWorkers
from pypid.model import Action, Principal, Role
from pypid.runtime.watched_file import SettledFile, read_regular

__all__ = ["RulesAccess"]

INTERVAL = 1.0
"""Seconds between two looks at the file. A version seen twice is complete."""


@implementer(IAccessPolicy)
@define(eq=False)
class RulesAccess:
    """Decides by the rules in a file. While the file is wrong or missing, the rules known before hold."""

    path: Path
    """The path of the file."""
    _workers: IWorkers
    _clock: IReactorTime
    _file: SettledFile = field(init=False)
    _rules: Rules = field(factory=Rules, init=False)
    _generation: int = field(default=0, init=False)
    _polling: LoopingCall = field(init=False)
    _log = Logger()

    def __attrs_post_init__(self) -> None:
        self._file = SettledFile(self.path)
        self._polling = LoopingCall(self._poll)
        self._polling.clock = self._clock

    @property
    def summary(self) -> str:
        """One line for the log at start."""
        return f"who may do what stands in {self.path}"

    def open(self) -> None:
        """Read the file, and start to watch it. Blocks.

        :raises CannotStart: the file is missing or wrong.
        """
        try:
            self._rules = load(read_regular(self.path))
        except InvalidRules as error:
            raise CannotStart(f"{self.path}: {error}") from None
        except OSError as error:
            hint = "; make it, or name another with --access rules:FILE" if error.errno == ENOENT else ""
            raise CannotStart(f"cannot read the access rules {self.path}: {error.strerror}{hint}") from None
        self._polling.start(INTERVAL, now=False)

    def close(self) -> None:
        """Stop watching the file."""
        if self._polling.running:
            self._polling.stop()

    def permits(
        self, principal: Principal | None, action: Action, project: str | None, roles: frozenset[Role]
    ) -> bool:
        """Return whether the first rule that matches ``project`` lets ``principal`` do ``action``."""
        return self._rules.permits(principal, action, project, roles)

    def visibility_key(self, principal: Principal | None) -> Hashable | None:
        """Return a value that is equal for principals who may read the same projects.

        :returns: ``None`` if the principal may read every project.
        """
        readable = self._rules.readable(principal)
        return None if readable is None else (self._generation, readable)

    async def _poll(self) -> None:
        try:
            data = await self._workers.run(self._file.poll)
            rules = self._rules if data is None else load(data)
        except (InvalidRules, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            self._log.error(
                "{path}: {reason}; the rules known before stay", path=str(self.path), reason=str(reason)
            )
            return
        if rules != self._rules:
            self._rules = rules
            self._generation += 1
            self._log.info("{path}: changed; the new rules hold from now on", path=str(self.path))
