"""Where a running daemon reads its configuration again: the flags of its start, variables, and the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from attrs import define
from twisted.internet.task import deferLater

from pypid.daemon.config import Config
from pypid.daemon.configuration.combination import config_of
from pypid.daemon.configuration.origin import Origin, Problem, Source, WrongConfiguration
from pypid.daemon.configuration.schema import BY_NAME
from pypid.daemon.configuration.settings import gather
from pypid.daemon.plugin_loading import Plugins
from pypid.interfaces import IWorkers
from pypid.runtime.reactors import IIndexReactor
from pypid.runtime.watched_file import age, version_of

__all__ = ["ConfigurationSource", "Flags"]

SETTLING = 1.0
"""How long the file must not have changed before it is read, in seconds: an editor may still write it."""
STEP = 0.2
"""Seconds between two looks at a file that has just changed."""
PATIENCE = 30.0
"""How long to wait for a file that goes on changing, in seconds."""


@define
class Flags:
    """The command line of the daemon, and where it was written."""

    flags: Sequence[tuple[str, str]]
    """Name and value of each flag, in their order."""
    environment: Mapping[str, str]
    """The environment variables."""
    directory: Path
    """The working directory at that time, where relative paths begin."""

    def read(self) -> Config:
        """Return the configuration at the start. Blocks. :raises ConfigurationError: it is wrong."""
        return config_of(gather(self.flags, self.environment, directory=self.directory))

    def as_understood(self) -> Flags:
        """Return flags that mean the same in any directory: a bare file name is a description now."""
        flags = [
            (name, str(BY_NAME[name].parse(text)) if BY_NAME[name].factory is not None else text)
            for name, text in self.flags
        ]
        return Flags(flags, self.environment, self.directory)


@define
class ConfigurationSource:
    """Reads the configuration again."""

    _flags: Flags
    _file: Path | None
    """The file that was read at the start, which must still be there."""
    _plugins: Plugins
    _workers: IWorkers
    _reactor: IIndexReactor

    async def read(self) -> Config:
        """Return the configuration as it is now. The file is read when nobody is writing it.

        :raises ConfigurationError: it is wrong.
        """
        for _ in range(int(PATIENCE / STEP)):
            version = await self._settled()
            config = await self._workers.run(self._read)
            if self._file is None or version_of(self._file) == version:
                return config
        raise self._still_changing()

    def _read(self) -> Config:
        settings = gather(
            self._flags.flags,
            self._flags.environment,
            lambda: self._plugins,
            self._file,
            self._flags.directory,
        )
        return config_of(settings)

    async def _settled(self) -> object:
        """Return the version of the file, once it has not changed for a while."""
        if self._file is None:
            return None
        version, quiet = version_of(self._file), 0.0
        for _ in range(int(PATIENCE / STEP)):
            # The time of the file may be wrong, or in the future; what was seen here counts as well.
            if quiet >= SETTLING or age(self._file, version) >= SETTLING:
                return version
            await deferLater(self._reactor, STEP)
            now = version_of(self._file)
            version, quiet = now, quiet + STEP if now == version else 0.0
        raise self._still_changing()

    def _still_changing(self) -> WrongConfiguration:
        origin = Origin(Source.FILE, "", self._file)
        return WrongConfiguration([Problem(origin, "somebody is writing it; reload when it is complete")])
