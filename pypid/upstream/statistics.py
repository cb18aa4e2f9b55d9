"""Small numbers about what a cache is good for, kept from one start to the next."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

from attrs import asdict, define, field
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pypid.interfaces import IWorkers
from pypid.runtime.atomic_files import replace_file

__all__ = ["StatisticsFile", "read_statistics"]

_Numbers = dict[str, dict[str, int]]

INTERVAL = 60.0
"""How often, in seconds, they are written down."""


@define(eq=False)
class StatisticsFile:
    """Writes counters to a JSON file now and then.

    Several processes may count for one file at the same time: each adds what it counted itself.
    """

    path: Path
    """Where."""
    counters: Mapping[str, Any]
    """Values of classes made with attrs, all of whose fields count something, by name."""
    _workers: IWorkers
    _reactor: Any
    _written: _Numbers = field(factory=dict, init=False)
    _writing: LoopingCall | None = field(default=None, init=False)
    _log = Logger()

    def open(self) -> None:
        """Go on counting from what was written down last."""
        for name, group in read_statistics(self.path, self.counters).items():
            for key, value in group.items():
                setattr(self.counters[name], key, getattr(self.counters[name], key) + value)
        self._written = self._numbers()
        self._writing = LoopingCall(self._workers.run, self._write)
        self._writing.clock = self._reactor
        self._writing.start(INTERVAL, now=False)

    def close(self) -> None:
        """Write them down for the last time."""
        if self._writing is not None:
            self._writing.stop()
            self._writing = None
            self._write()

    def _numbers(self) -> _Numbers:
        return {name: asdict(counter) for name, counter in self.counters.items()}

    def _write(self) -> None:
        numbers = self._numbers()
        if numbers == self._written:
            return
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with _turn(self.path.parent):
                replace_file(self.path, [json.dumps(self._sums(numbers), indent=2), "\n"])
        except OSError as error:
            self._log.warn("Statistics are not kept: {error}", error=error.strerror)
        self._written = numbers

    def _sums(self, numbers: _Numbers) -> _Numbers:
        """Add what was counted since the last time to what is written there, by whomever."""
        if not self.path.exists():  # somebody cleared the cache away
            return numbers
        written = read_statistics(self.path, self.counters)
        return {
            name: {key: value - self._written[name][key] + written[name][key] for key, value in group.items()}
            for name, group in numbers.items()
        }


def read_statistics(path: Path, counters: Mapping[str, Any]) -> _Numbers:
    """Read what was written down for such counters; 0 where nothing of use was."""
    try:
        numbers = json.loads(path.read_text())
    except (OSError, ValueError, RecursionError):
        numbers = None
    numbers = numbers if isinstance(numbers, dict) else {}
    return {name: _group(numbers.get(name), asdict(counter)) for name, counter in counters.items()}


def _group(found: object, keys: Iterable[str]) -> dict[str, int]:
    values = found if isinstance(found, dict) else {}
    numbers = ((key, values.get(key)) for key in keys)
    return {key: value if isinstance(value, int) and value >= 0 else 0 for key, value in numbers}


@contextmanager
def _turn(directory: Path) -> Iterator[None]:
    """Let one process after the other do what is in the block."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)
