"""Looking at a project: what is known of it, what is listed, and what has to be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Hashable
from functools import partial

from attrs import frozen

from pypid.catalog.database import Unavailable
from pypid.catalog.parallel import in_parallel
from pypid.catalog.reading import Reader
from pypid.catalog.rows import Description
from pypid.catalog.settling import UNKNOWN, Settled, Settler
from pypid.interfaces import IStorage, IWorkers
from pypid.model import Project, StoredFile

__all__ = ["Scanner"]


@frozen(eq=False)
class Scanner:
    """Looks at one project at a time for each caller.

    What the catalog has is looked up before the storage lists, and written only if it is still that.
    So of two processes neither can undo, with an old listing, what the other has written.
    """

    _storage: IStorage
    _workers: IWorkers
    _settler: Settler
    _reader: Reader

    async def note(self, name: str) -> None:
        """Write down what is listed of a project, unread. :raises Unavailable: the tables cannot be used."""
        noted = False
        while not noted:
            before = await self._workers.run(self._settler.look_up, name)
            if before is UNKNOWN:
                raise Unavailable("the catalog cannot be used")
            stored = await self._storage.project(name)
            noted = await self._workers.run(self._settler.note, name, before, stored)

    async def scan(
        self, name: str, last: Project | None, least: int, begin: Callable[[], Awaitable[None]]
    ) -> tuple[Hashable, Settled]:
        """Read those files of a project that are new, write down what changed, and put it together.

        :param last: the project as it was put together the last time.
        :param least: the serial that it was shown with before.
        :param begin: waits, but not for long, until the journal has begun.
        :returns: also the fingerprint that it is right for.
        """
        found: dict[StoredFile, Description | None] = {}
        has_waited = False
        settled: Settled | None = None

        async def read(file: StoredFile) -> None:
            found[file] = await self._reader.read(name, file)

        while settled is None:
            fingerprint = self._storage.fingerprint(name)
            before = await self._workers.run(self._settler.look_up, name)
            if not before.numbered and not has_waited:
                has_waited = True
                await begin()
                continue
            stored = await self._storage.project(name)
            settle = partial(self._settler.settle, name, before, stored, found, last, least)
            settled = await self._workers.run(settle)
            if settled is not None and settled.unread:
                await in_parallel(settled.unread, read)
                settled = await self._workers.run(settle)
        return fingerprint, settled
