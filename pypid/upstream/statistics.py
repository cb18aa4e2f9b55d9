"""Small numbers about what a cache is good for, kept from one start to the next."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from attrs import asdict, define, field
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from pypid.interfaces import IWorkers
from pypid.upstream.replacing import replace_file

__all__ = ["StatisticsFile"]

INTERVAL = 60.0
"""How often, in seconds, they are written down."""


@define(eq=False)
class StatisticsFile:
    """Writes counters to a JSON file now and then."""

    path: Path
    """Where."""
    counters: Mapping[str, Any]
    """Values of classes made with attrs, all of whose fields count something, by name."""
    _workers: IWorkers
    _reactor: Any
    _written: object = field(default=None, init=False)
    _writing: LoopingCall | None = field(default=None, init=False)
    _log = Logger()

    def open(self) -> None:
        """Go on counting from what was written down last."""
        self._read()
        self._writing = LoopingCall(self._workers.run, self._write)
        self._writing.clock = self._reactor
        self._writing.start(INTERVAL, now=False)

    def close(self) -> None:
        """Write them down for the last time."""
        if self._writing is not None:
            self._writing.stop()
            self._writing = None
            self._write()

    def _write(self) -> None:
        numbers = {name: asdict(counter) for name, counter in self.counters.items()}
        if numbers == self._written:
            return
        try:
            replace_file(self.path, [json.dumps(numbers, indent=2), "\n"])
        except OSError as error:
            self._log.warn("Statistics are not kept: {error}", error=error.strerror)
        self._written = numbers

    def _read(self) -> None:
        try:
            numbers = json.loads(self.path.read_text())
        except (OSError, ValueError, RecursionError):
            return
        for name, counter in self.counters.items():
            group = numbers.get(name) if isinstance(numbers, dict) else None
            for key in asdict(counter):
                value = group.get(key) if isinstance(group, dict) else None
                if isinstance(value, int) and value >= 0:
                    setattr(counter, key, getattr(counter, key) + value)
