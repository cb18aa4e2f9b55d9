"""The day of the last use of each token."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from attrs import define, field
from twisted.logger import Logger

from pypid.interfaces import IWorkers
from pypid.runtime.single_flight import shield

__all__ = ["TokenUse", "last_used"]


@define(eq=False)
class TokenUse:
    """Records the days in a small file beside the tokens, at most once a day for each token."""

    _tokens: Path
    _workers: IWorkers
    _days: dict[str, str] = field(factory=dict, init=False)
    _log = Logger()

    def open(self) -> None:
        """Read the recorded days. Blocks."""
        self._days = dict(last_used(self._tokens))

    def note(self, token: str, day: date) -> None:
        """Record that a token was used on ``day``, in the background."""
        if self._days.get(token) != day.isoformat():
            self._days[token] = day.isoformat()
            shield(self._write(dict(self._days)))

    async def _write(self, days: Mapping[str, str]) -> None:
        try:
            await self._workers.run(_write, _path(self._tokens), days)
        except OSError as error:
            # A statistic that cannot be written must not keep anybody out.
            self._log.warn("cannot note when tokens are used: {error}", error=error)


def last_used(tokens: Path) -> Mapping[str, str]:
    """Return the day of the last use of each token, as ``YYYY-MM-DD`` by the token's ID. Blocks.

    :param tokens: the path of the file of tokens.
    :returns: empty if the days cannot be read.
    """
    try:
        found = json.loads(_path(tokens).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    return {str(token): str(day) for token, day in found.items()} if isinstance(found, dict) else {}


def _path(tokens: Path) -> Path:
    return tokens.with_name(f"{tokens.name}.used")


def _write(path: Path, days: Mapping[str, str]) -> None:
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(json.dumps(days, indent=0, sort_keys=True) + "\n")
    temporary.replace(path)
