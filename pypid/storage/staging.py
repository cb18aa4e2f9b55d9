"""Uploads in flight to a directory storage."""

from __future__ import annotations

import os
from threading import Lock
from typing import BinaryIO

from attrs import define, field
from zope.interface import implementer

from pypid.errors import StorageUnavailable
from pypid.interfaces import Admit, IStaging
from pypid.model import FileRecord, Publication
from pypid.names import parse_filename
from pypid.storage.descriptors import open_file
from pypid.storage.failures import translate_errors
from pypid.storage.operations import Operations
from pypid.storage.publisher import Publisher

__all__ = ["DirectoryStaging"]


@implementer(IStaging)
@define(eq=False)
class DirectoryStaging:
    """A file in the staging directory of this process.

    Its receiver may go away, and discard it while a worker is still writing. So a lock admits one
    thread at a time, and calls after the end are refused. All methods block.
    """

    _name: str
    _directory: int
    _publisher: Publisher
    _operations: Operations
    _file: int | None = field(init=False)
    _lock: Lock = field(factory=Lock, init=False)

    def __attrs_post_init__(self) -> None:
        self._file = self._operations.create(self._directory, self._name)

    def write(self, data: bytes) -> None:
        """Append some bytes.

        :raises OutOfSpace: there is no room for the bytes.
        :raises StorageUnavailable: the bytes could not be written, or the upload has ended.
        """
        with self._lock, translate_errors("take a file"):
            self._operations.write(self._open_file(), data)

    def reader(self) -> BinaryIO:
        """Open the bytes written so far for reading and seeking; the caller closes the file."""
        with self._lock, translate_errors("read a file", reads=True):
            self._open_file()
            return open_file(self._directory, self._name)

    def publish(self, publication: Publication, admit: Admit) -> FileRecord:
        """Make the file visible under its name: all of it, durably, or not at all.

        :raises InvalidFilename: no file can have this name.
        """
        parse_filename(publication.filename, publication.project)
        with self._lock, translate_errors("keep a file", f"simple/{publication.project}"):
            file, self._file = self._open_file(), None
            try:
                return self._publisher.publish(self._name, file, publication, admit)
            finally:
                os.close(file)

    def discard(self) -> None:
        """Remove the file from staging. After :meth:`publish`, and when called again, this does nothing."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
                self._publisher.clear(self._name)

    def _open_file(self) -> int:
        if self._file is None:
            raise StorageUnavailable("the upload was given up")
        return self._file
