"""Putting a file in the place of another one, so that either is there, whole, whatever happens.

Several names have to change: those of the archive, of its record and of its sidecars. A
file system changes one at a time. So the new record and each new sidecar file first get names of
their own beside the old ones, and where there is to be none any more, an empty file says so; and
who reads goes by the record that describes the archive. The commit point is the renaming of the
archive. What is left to do then only tidies up, and may be done by anybody at any later time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from hashlib import file_digest

from attrs import define

from pypid.errors import FileExists
from pypid.model import FileRecord, Publication
from pypid.names import Sidecar
from pypid.storage.descriptors import is_same, open_file, status
from pypid.storage.operations import Operations
from pypid.storage.records import MAX_RECORD, from_json, pending_name, pending_removal_name, record_name

__all__ = ["OLD", "Replacer"]

OLD = ".old"
"""The suffix that the old file has in staging."""


@define(eq=False)
class Replacer:
    """Replaces files by way of one staging directory; directories are open, and locked by the caller."""

    _staging: int
    _operations: Operations

    def replace(
        self, directory: int, publication: Publication, record: FileRecord, staged: Mapping[str, str]
    ) -> None:
        """Replace a file by a staged one. When this returns it lasts.

        :param record: that of the staged file.
        :param staged: the names in staging of what is to have the names that it is the value of,
            the archive first.
        :raises FileExists: it is another file than the one to be replaced, or there is none.
        :raises OSError: it could not be made durable; :meth:`restore` is to be called.
        """
        filename = publication.filename
        self.recover(directory, filename)
        self._check(directory, publication, record)
        archive = next(iter(staged))
        self._operations.link(directory, filename, self._staging, archive + OLD)
        for name, final in staged.items():
            self._operations.link(self._staging, name, directory, pending_name(final))
        for name in _sidecars(filename):
            if name not in staged.values() and status(directory, name) is not None:
                os.close(self._operations.create(directory, pending_removal_name(name)))
        self._operations.sync(directory)
        self._operations.rename(directory, pending_name(filename), directory, filename)
        self._operations.sync(directory)

    def restore(self, directory: int, filename: str, archive: str) -> None:
        """Put the old file back, if it was replaced already by the one of this name in staging."""
        if is_same(status(directory, filename), status(self._staging, archive)):
            self._operations.rename(self._staging, archive + OLD, directory, filename)
            # Until this lasts, the new one may come back, and needs what says what belongs to it.
            self._operations.sync(directory)
        self.tidy(directory, filename)
        self._operations.sync(directory)

    def recover(self, directory: int, filename: str) -> None:
        """Finish the replacing of a file that came as far as its commit point, or undo it."""
        if self._is_replaced(directory, filename):
            # Who replaced it may have died before that lasted; the old file must not get these sidecars.
            self._operations.sync(directory)
        self.tidy(directory, filename)

    def tidy(self, directory: int, filename: str) -> None:
        """Do what is left to do when the new file lasts, or the old one does."""
        sidecars = _sidecars(filename)
        record = record_name(filename)
        if self._is_replaced(directory, filename):
            for name in sidecars:
                if status(directory, pending_name(name)) is not None:
                    self._operations.rename(directory, pending_name(name), directory, name)
                elif status(directory, pending_removal_name(name)) is not None:
                    self._drop(directory, name)
            # Who finds the record in its place goes by all else that is in its place.
            self._operations.sync(directory)
            self._operations.rename(directory, pending_name(record), directory, record)
        for name in (filename, *sidecars, record):
            self._drop(directory, pending_name(name))
            self._drop(directory, pending_removal_name(name))

    def _drop(self, directory: int, name: str) -> None:
        if status(directory, name) is not None:
            self._operations.unlink(directory, name)

    def _is_replaced(self, directory: int, filename: str) -> bool:
        found = status(directory, filename)
        try:
            with open_file(directory, pending_name(record_name(filename))) as file:
                record = from_json(file.read(MAX_RECORD))
        except (FileNotFoundError, ValueError):
            return False
        return found is not None and (found.st_size, found.st_mtime_ns) == (record.size, record.modified_ns)

    def _check(self, directory: int, publication: Publication, record: FileRecord) -> None:
        """See that the file is there that is to be replaced, and that the two can be told apart."""
        found = status(directory, publication.filename)
        try:
            with open_file(directory, publication.filename) as file:
                digest = file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
        except FileNotFoundError:
            digest = ""
        if digest != publication.replaces or (
            found is not None and (found.st_size, found.st_mtime_ns) == (record.size, record.modified_ns)
        ):
            raise FileExists(
                f"File already exists: {publication.filename} was changed just now: upload it again"
            )


def _sidecars(filename: str) -> Sequence[str]:
    """Name what may lie beside a file."""
    return [sidecar.of(filename) for sidecar in Sidecar]
