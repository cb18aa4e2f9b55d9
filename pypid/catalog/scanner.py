"""Looking at projects: what is known of them, what is listed, and what has to be read."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial

from attrs import evolve, frozen
from twisted.logger import Logger

from pypid.catalog.database import Unavailable
from pypid.catalog.parallel import in_parallel
from pypid.catalog.project_scan import ProjectScan
from pypid.catalog.reader import Reader
from pypid.catalog.reconciler import UNKNOWN, Reconciled, Reconciler, assembled
from pypid.catalog.rows import Description
from pypid.errors import PypidError
from pypid.interfaces import IStorage, IWorkers
from pypid.model import Project, StoredFile
from pypid.names import same_files, version_key
from pypid.runtime.threaded_storage import ThreadedStorage

__all__ = ["Scanner"]

SOME = 20
"""So many projects are looked at together."""
MAX_FILES = 200
"""So many files are listed, read or written down in one go: nobody else waits for longer."""
LARGE = 256 * 1024
"""Files of so many bytes are read one by one, while others go on."""

_Piece = Sequence[tuple[ProjectScan, StoredFile]]


@frozen(eq=False)
class Scanner:
    """Looks at projects, one for each caller or some at a time.

    What the catalog has is looked up before the storage lists, and written only if it is still that.
    So of two processes neither can undo, with an old listing, what the other has written.
    """

    _storage: ThreadedStorage
    _workers: IWorkers
    _settler: Reconciler
    _reader: Reader
    _is_closed: Callable[[], bool]
    _log = Logger()

    async def note(self, names: Sequence[str]) -> Sequence[str]:
        """Write down what is listed of the first of some projects, unread.

        :returns: the names of those that are left to do.
        :raises Unavailable: the tables cannot be used.
        """
        looks = await self._look_up(names[:SOME])
        if looks[0].before is UNKNOWN:
            raise Unavailable("the catalog cannot be used")
        listed = await self._storage.scan(partial(self._list, looks))
        for look in listed:
            if look.failure is not None:
                self._log.warn(
                    "{project} cannot be looked at: {error}", project=look.name, error=str(look.failure)
                )
        right = [look for look in listed if look.failure is None]
        return [*await self._workers.run(self._settler.note, right), *names[len(listed) :]]

    async def scan(
        self, name: str, last: Project | None, least: int, begin: Callable[[], Awaitable[None]]
    ) -> tuple[ProjectScan, Reconciled, Project | None]:
        """Read those files of a project that are new, write down what changed, and put it together.

        :param last: the project as it was put together the last time; given back if it is the same.
        :param least: the serial that it was shown with before; none below it is given.
        :param begin: waits, but not for long, until the journal has begun.
        :raises StorageUnavailable: it cannot be listed, or a file of which nothing is known cannot be read.
        """

        def settle(look: ProjectScan) -> tuple[Reconciled, Project | None] | None:
            [settled] = self._settler.settle([look])
            if settled is None:
                return None
            settled = evolve(settled, serial=max(settled.serial, least))
            project = assembled(look, settled.serial)
            return settled, last if project == last else project

        has_waited = False
        while True:
            [look] = await self._look_up([name])
            if not look.before.numbered and not has_waited:
                has_waited = True
                await begin()
                continue
            await self._read([look])
            if look.failure is not None:
                raise look.failure
            outcome = await self._workers.run(settle, look)
            if outcome is not None and look.missing is not None:
                raise look.missing
            if outcome is not None:
                return look, *outcome

    async def scan_some(self, names: Sequence[str]) -> Sequence[tuple[ProjectScan, Reconciled | None]]:
        """Do the same with the first of some projects, but do not put them together.

        :returns: ``None`` for a project that is to be looked at on its own.
        """
        looks = await self._read(await self._look_up(names[:SOME]))
        right = [look for look in looks if look.failure is None]
        settled = dict(zip(right, await self._workers.run(self._settler.settle, right), strict=True))
        return [(look, settled.get(look)) for look in looks]

    async def _look_up(self, names: Sequence[str]) -> Sequence[ProjectScan]:
        """Begin to look at projects."""
        fingerprints = [self._storage.fingerprint(name) for name in names]
        found = await self._workers.run(self._settler.look_up, names)
        return [ProjectScan(*one) for one in zip(names, fingerprints, found, strict=True)]

    async def _read(self, looks: Sequence[ProjectScan]) -> Sequence[ProjectScan]:
        """List the first of some projects, read what is new of them, and give the looks at them."""

        def list_and_read(storage: IStorage) -> tuple[Sequence[ProjectScan], Sequence[_Piece]]:
            listed = self._list(looks, storage)
            pieces = list(_pieces(listed))
            if len(pieces) != 1 or _is_large(pieces[0]):
                return listed, pieces
            self._read_piece(pieces[0], storage)
            return listed, ()

        async def read(piece: _Piece) -> None:
            # Large files wait for the disk rather than to be computed with, and nobody's page waits for them.
            ask = self._storage.read_large if _is_large(piece) else self._storage.scan
            await ask(partial(self._read_piece, piece))

        listed, pieces = await self._storage.scan(list_and_read)
        await in_parallel(pieces, read)
        self._name_withheld(listed)
        return listed

    def _name_withheld(self, looks: Iterable[ProjectScan]) -> None:
        """Say of which files the bytes were changed on disk, but not while somebody still writes to them."""
        for look in looks:
            for file in look.stored.files if look.stored is not None else ():
                row = look.rows.get(file.filename)
                if row is not None and row.is_withheld and not row.is_young:
                    self._reader.name_withheld(look.name, file, row)

    def _list(self, looks: Sequence[ProjectScan], storage: IStorage) -> Sequence[ProjectScan]:
        """List the first of some projects, and give the looks at them."""
        files = 0
        for number, look in enumerate(looks, 1):
            try:
                look.list(storage.project(look.name), self._settler.now())
                self._name_same_files(look)
            except PypidError as error:
                look.failure = error
            files += len(look.rows)
            if files >= MAX_FILES:
                return looks[:number]
        return looks

    def _name_same_files(self, look: ProjectScan) -> None:
        """Say of files that are new here that they are others, too, in whichever spelling."""
        new = {file.filename: file for file in look.unread}
        releases = {(look.rows[name].kind, version_key(look.rows[name].version)) for name in new}
        # What is of another release needs no closer look.
        near = [name for name, row in look.rows.items() if (row.kind, version_key(row.version)) in releases]
        for first, *others in same_files(near, look.name) if len(near) > 1 else ():
            for other in others:
                file = new.get(other) or new.get(first)
                if file is not None:
                    text = f"{look.name} has {first} and {other}: installers take either for the other"
                    self._reader.name(look.name, file, text)

    def _read_piece(self, piece: _Piece, storage: IStorage) -> None:
        for look, file in piece:
            if self._is_closed():
                raise Unavailable("the catalog is closed")
            read = self._reader.read(storage, look.name, file)
            look.hear(file, read, self._settler.now())
            if not isinstance(read, Description):
                self._reader.name(look.name, file, _unread(look, file), read)


def _unread(look: ProjectScan, file: StoredFile) -> str:
    """Return what is to be said of a file that could not be read."""
    if look.missing is not None:
        return f"{look.name} is not shown while {{file}} cannot be read: {{error}}"
    if file.filename in look.kept:
        return "{file} is shown as it was when it could be read: {error}"
    return "{file} is not listed: {error}"


def _pieces(looks: Iterable[ProjectScan]) -> Iterator[_Piece]:
    """Cut what is unread into pieces: large files on their own, and small ones together."""
    piece: list[tuple[ProjectScan, StoredFile]] = []
    for look in looks:
        for file in look.unread:
            if file.size >= LARGE:
                yield [(look, file)]
                continue
            piece.append((look, file))
            if len(piece) == 2 * MAX_FILES:  # room for the files of the last project that was listed
                yield piece
                piece = []
    if piece:
        yield piece


def _is_large(piece: _Piece) -> bool:
    return piece[0][1].size >= LARGE
