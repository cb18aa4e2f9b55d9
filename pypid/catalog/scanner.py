"""The scanning of projects: look up, list, read new files, save."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial

from attrs import evolve, frozen
from twisted.logger import Logger

from pypid.catalog.database import Unavailable
from pypid.catalog.parallel import in_parallel
from pypid.catalog.project_scan import ProjectScan
from pypid.catalog.reader import LARGE, Reader
from pypid.catalog.reconciler import UNKNOWN, Reconciled, Reconciler, assemble
from pypid.catalog.rows import Description
from pypid.errors import PypidError
from pypid.interfaces import IStorage, IWorkers
from pypid.model import Project, StoredFile
from pypid.names import same_files, version_key
from pypid.runtime.threaded_storage import ThreadedStorage

__all__ = ["Scanner"]

SOME = 20
"""The number of projects to scan together."""
MAX_FILES = 200
"""The number of files to list, read or save in one go: this bounds the waiting time of others."""
MAX_BYTES = 8 * 1024 * 1024
"""The number of bytes to read in one go."""
MANY = 50
"""The number of new files from which on worker processes describe them, if no page waits for that."""

_Piece = Sequence[tuple[ProjectScan, StoredFile]]


@frozen(eq=False)
class Scanner:
    """Scans projects, one by one or some at a time.

    The catalog's state is looked up before the storage's listing, and replaced only if it is still the same.
    So no process can overwrite, with an old listing, a newer state saved by another one.
    """

    _storage: ThreadedStorage
    _workers: IWorkers
    _reconciler: Reconciler
    _reader: Reader
    _is_closed: Callable[[], bool]
    _log = Logger()

    async def save_listings(self, names: Sequence[str]) -> Sequence[str]:
        """Save the listings of the first of some projects, without reading their files.

        :returns: the names of the projects still to do.
        :raises Unavailable: the tables cannot be used.
        """
        scans = await self._look_up(names[:SOME])
        if scans[0].before is UNKNOWN:
            raise Unavailable("the catalog cannot be used")
        listed = await self._storage.scan(partial(self._list, scans))
        for scan in listed:
            if scan.failure is not None:
                self._log.warn(
                    "{project} cannot be looked at: {error}", project=scan.name, error=str(scan.failure)
                )
        usable = [scan for scan in listed if scan.failure is None]
        return [*await self._workers.run(self._reconciler.save_listings, usable), *names[len(listed) :]]

    async def scan(
        self, name: str, last: Project | None, least: int, begin: Callable[[], Awaitable[None]]
    ) -> tuple[ProjectScan, Reconciled, Project | None]:
        """Read the new files of a project, save the changes, and return the scan, its result and the project.

        :param last: the project of the last scan; the same object is returned if it is equal.
        :param least: the serial that pages have shown already; the result is never below it.
        :param begin: waits until the journal has begun, for a bounded time.
        :raises StorageUnavailable: the project cannot be listed, or an unknown file cannot be read.
        """

        def reconcile(scan: ProjectScan) -> tuple[Reconciled, Project | None] | None:
            [reconciled] = self._reconciler.reconcile([scan])
            if reconciled is None:
                return None
            reconciled = evolve(reconciled, serial=max(reconciled.serial, least))
            project = assemble(scan, reconciled.serial)
            return reconciled, last if project == last else project

        has_waited = False
        while True:
            [scan] = await self._look_up([name])
            if not scan.before.numbered and not has_waited:
                has_waited = True
                await begin()
                continue
            await self._read([scan], is_requested=True)
            if scan.failure is not None:
                raise scan.failure
            outcome = await self._workers.run(reconcile, scan)
            if outcome is not None and scan.missing is not None:
                raise scan.missing
            if outcome is not None:
                return scan, *outcome

    async def scan_some(self, names: Sequence[str]) -> Sequence[tuple[ProjectScan, Reconciled | None]]:
        """Scan the first of some projects together, without assembling them.

        :returns: the scans with their results; ``None`` for a project that needs a scan of its own.
        """
        scans = await self._read(await self._look_up(names[:SOME]), is_requested=False)
        usable = [scan for scan in scans if scan.failure is None]
        reconciled = dict(
            zip(usable, await self._workers.run(self._reconciler.reconcile, usable), strict=True)
        )
        return [(scan, reconciled.get(scan)) for scan in scans]

    async def _look_up(self, names: Sequence[str]) -> Sequence[ProjectScan]:
        """Return new scans of projects, with fingerprints and the states in the catalog."""
        fingerprints = [self._storage.fingerprint(name) for name in names]
        found = await self._workers.run(self._reconciler.look_up, names)
        return [ProjectScan(*one) for one in zip(names, fingerprints, found, strict=True)]

    async def _read(self, scans: Sequence[ProjectScan], *, is_requested: bool) -> Sequence[ProjectScan]:
        """List the first of some projects, read their new files, and return their scans.

        :param is_requested: whether a page waits for it. Worker processes yield to whatever else runs on
            the machine, so they only read for those that can wait.
        """

        def list_and_read(storage: IStorage) -> tuple[Sequence[ProjectScan], Sequence[_Piece]]:
            listed = self._list(scans, storage)
            pieces = list(_pieces(listed))
            if len(pieces) != 1 or _is_large(pieces[0]) or is_for_processes(pieces[0]):
                return listed, pieces
            self._read_piece(pieces[0], False, storage)
            return listed, ()

        def is_for_processes(piece: _Piece) -> bool:
            return not is_requested and (len(piece) >= MANY or _is_large(piece))

        async def read(piece: _Piece) -> None:
            # Large files mostly wait for the disk, and many for processes; no page waits for these threads.
            in_processes = is_for_processes(piece)
            ask = self._storage.read_large if in_processes or _is_large(piece) else self._storage.scan
            await ask(partial(self._read_piece, piece, in_processes))

        listed, pieces = await self._storage.scan(list_and_read)
        await in_parallel(pieces, read)
        self._name_withheld(listed)
        return listed

    def _name_withheld(self, scans: Iterable[ProjectScan]) -> None:
        """Log the withheld files, except those that may still be written to."""
        for scan in scans:
            for file in scan.stored.files if scan.stored is not None else ():
                row = scan.rows.get(file.filename)
                if row is not None and row.is_withheld and not row.is_young:
                    self._reader.name_withheld(scan.name, file, row)

    def _list(self, scans: Sequence[ProjectScan], storage: IStorage) -> Sequence[ProjectScan]:
        """List the first of some projects, and return their scans. Blocks."""
        files = 0
        for number, scan in enumerate(scans, 1):
            try:
                scan.list(storage.project(scan.name), self._reconciler.now())
                self._name_same_files(scan)
            except PypidError as error:
                scan.failure = error
            files += len(scan.rows)
            if files >= MAX_FILES:
                return scans[:number]
        return scans

    def _name_same_files(self, scan: ProjectScan) -> None:
        """Log new files that installers cannot distinguish from other ones of the project."""
        new = {file.filename: file for file in scan.unread}
        releases = {(scan.rows[name].kind, version_key(scan.rows[name].version)) for name in new}
        # What is of another release needs no closer look.
        near = [name for name, row in scan.rows.items() if (row.kind, version_key(row.version)) in releases]
        for first, *others in same_files(near, scan.name) if len(near) > 1 else ():
            for other in others:
                file = new.get(other) or new.get(first)
                if file is not None:
                    text = f"{scan.name} has {first} and {other}: installers take either for the other"
                    self._reader.name(scan.name, file, text)

    def _read_piece(self, piece: _Piece, in_processes: bool, storage: IStorage) -> None:
        files = [(scan.name, file) for scan, file in piece]
        readings = self._reader.read(storage, files, in_processes=in_processes)
        for (scan, file), read in zip(piece, readings, strict=True):
            if self._is_closed():
                raise Unavailable("the catalog is closed")
            scan.add_reading(file, read, self._reconciler.now())
            if not isinstance(read, Description):
                self._reader.name(scan.name, file, _unread(scan, file), read)


def _unread(scan: ProjectScan, file: StoredFile) -> str:
    """Return the log message for a file that could not be read."""
    if scan.missing is not None:
        return f"{scan.name} is not shown while {{file}} cannot be read: {{error}}"
    if file.filename in scan.retained:
        return "{file} is shown as it was when it could be read: {error}"
    return "{file} is not listed: {error}"


def _pieces(scans: Iterable[ProjectScan]) -> Iterator[_Piece]:
    """Yield the unread files in pieces: each large file alone, and small ones together."""
    piece: list[tuple[ProjectScan, StoredFile]] = []
    size = 0
    for scan in scans:
        for file in scan.unread:
            if file.size >= LARGE:
                yield [(scan, file)]
                continue
            piece.append((scan, file))
            size += file.size
            # There is room for the files of the last listed project.
            if len(piece) == 2 * MAX_FILES or size >= MAX_BYTES:
                yield piece
                piece, size = [], 0
    if piece:
        yield piece


def _is_large(piece: _Piece) -> bool:
    return piece[0][1].size >= LARGE
