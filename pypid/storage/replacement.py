"""The replacement of a file by another one: either the old or the new one is there, whole, at any time.

Several names have to change: the archive, its record and its sidecar files. A file system changes one
name at a time. So the new record and each new sidecar file first get pending names beside the old
ones, and an empty marker file announces each sidecar file that will be removed. Readers choose
by the record that describes the archive. The commit point is the renaming of the archive. The rest only
tidies up, and any process may do it at any later time.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from attrs import define

from pypid.errors import FileExists
from pypid.formats.file_sha256 import file_sha256
from pypid.model import FileRecord, Publication
from pypid.names import Sidecar
from pypid.storage.descriptors import is_same, open_file, status
from pypid.storage.operations import Operations
from pypid.storage.records import MAX_RECORD, from_json, pending_name, pending_removal_name, record_name

__all__ = ["OLD", "Replacer"]

OLD = ".old"
"""The suffix of the old file in staging."""


@define(eq=False)
class Replacer:
    """Replaces files by way of one staging directory. The caller opens and locks directories. Blocks."""

    _staging: int
    _operations: Operations

    def replace(
        self, directory: int, publication: Publication, record: FileRecord, staged: Mapping[str, str]
    ) -> None:
        """Replace a file by a staged one. The result is durable when this returns.

        :param record: the record of the staged file.
        :param staged: final names by names in staging, the archive first.
        :raises FileExists: there is another file than the one to be replaced, or none.
        :raises OSError: it could not be made durable; the caller must call :meth:`restore`.
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
        """Put the old file back, if the one of this name in staging has replaced it."""
        if is_same(status(directory, filename), status(self._staging, archive)):
            self._operations.rename(self._staging, archive + OLD, directory, filename)
            # Until this is durable, a power cut may bring the new file back, which needs its pending names.
            self._operations.sync(directory)
        self.tidy(directory, filename)
        self._operations.sync(directory)

    def recover(self, directory: int, filename: str) -> None:
        """Finish a replacement that reached its commit point, or undo one that did not."""
        if self._is_replaced(directory, filename):
            # The process may have died before the rename was durable; the old file must not get new sidecars.
            self._operations.sync(directory)
        self.tidy(directory, filename)

    def tidy(self, directory: int, filename: str) -> None:
        """Rename or remove the pending names, once the archive is durable, be it the new or the old one."""
        sidecars = _sidecars(filename)
        record = record_name(filename)
        if self._is_replaced(directory, filename):
            for name in sidecars:
                if status(directory, pending_name(name)) is not None:
                    self._operations.rename(directory, pending_name(name), directory, name)
                elif status(directory, pending_removal_name(name)) is not None:
                    self._drop(directory, name)
            # Once the record has its final name, readers take the sidecar files by their final names.
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
        """Check that the file to be replaced is there, and that size or time distinguishes the two files."""
        found = status(directory, publication.filename)
        try:
            with open_file(directory, publication.filename) as file:
                digest = file_sha256(file)
        except FileNotFoundError:
            digest = ""
        if digest != publication.replaces or (
            found is not None and (found.st_size, found.st_mtime_ns) == (record.size, record.modified_ns)
        ):
            raise FileExists(
                f"File already exists: {publication.filename} was changed just now: upload it again"
            )


def _sidecars(filename: str) -> Sequence[str]:
    """Return the names of all sidecar files that a file may have."""
    return [sidecar.of(filename) for sidecar in Sidecar]
