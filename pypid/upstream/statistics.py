"""Statistics of a cache, stored in a file across restarts."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from fcntl import LOCK_EX, flock
from pathlib import Path
from typing import Any

from attrs import asdict, define, field
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pypid.interfaces import IWorkers
from pypid.runtime.atomic_files import replace_file

__all__ = ["StatisticsFile", "read_statistics"]

_Numbers = dict[str, dict[str, int]]

INTERVAL = 60.0
"""Interval of writing the statistics, in seconds."""


@define(eq=False)
class StatisticsFile:
    """Writes counters to a JSON file at regular intervals.

    Several processes may share the file: each adds its own increments.
    """

    path: Path
    """Path of the file."""
    counters: Mapping[str, Any]
    """Counters by name: attrs values whose fields are all numbers."""
    _workers: IWorkers
    _reactor: IReactorTime
    _written: _Numbers = field(factory=dict, init=False)
    _writing: LoopingCall | None = field(default=None, init=False)
    _log = Logger()

    def open(self) -> None:
        """Add the stored numbers to the counters, and begin to write them regularly. Blocks briefly."""
        for name, group in read_statistics(self.path, self.counters).items():
            for key, value in group.items():
                setattr(self.counters[name], key, getattr(self.counters[name], key) + value)
        self._written = self._numbers()
        self._writing = LoopingCall(self._workers.run, self._write)
        self._writing.clock = self._reactor
        self._writing.start(INTERVAL, now=False)

    def close(self) -> None:
        """Write the statistics for the last time. Blocks briefly."""
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
            with _locked(self.path.parent):
                replace_file(self.path, [json.dumps(self._sums(numbers), indent=2), "\n"])
        except OSError as error:
            self._log.warn("Statistics are not kept: {error}", error=error.strerror)
        self._written = numbers

    def _sums(self, numbers: _Numbers) -> _Numbers:
        """Return the numbers in the file plus the increments since the last write."""
        if not self.path.exists():  # the cache was deleted
            return numbers
        written = read_statistics(self.path, self.counters)
        return {
            name: {key: value - self._written[name][key] + written[name][key] for key, value in group.items()}
            for name, group in numbers.items()
        }


def read_statistics(path: Path, counters: Mapping[str, Any]) -> _Numbers:
    """Return the stored numbers of some counters; 0 for a missing or malformed one. Blocks briefly."""
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
def _locked(directory: Path) -> Iterator[None]:
    """Lock a directory against other processes during the block. Blocks."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)
