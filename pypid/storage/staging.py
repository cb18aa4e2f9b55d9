"""Files that are being received into a directory storage."""

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

    Whoever receives it may have gone, and discard it while a worker is still writing. So
    only one thread is at work at a time, and what comes after the end is refused.
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

        :raises OutOfSpace: there is no room for them.
        :raises StorageUnavailable: they could not be written.
        """
        with self._lock, translate_errors("take a file"):
            self._operations.write(self._given(), data)

    def reader(self) -> BinaryIO:
        """Open what was written so far for reading and seeking; the caller closes it."""
        with self._lock, translate_errors("read a file", reads=True):
            self._given()
            return open_file(self._directory, self._name)

    def publish(self, publication: Publication, admit: Admit) -> FileRecord:
        """Make the file visible under its name: all of it, durably, or not at all.

        :raises InvalidFilename: it is a name that nothing is ever published under.
        """
        parse_filename(publication.filename, publication.project)
        with self._lock, translate_errors("keep a file", f"simple/{publication.project}"):
            file, self._file = self._given(), None
            try:
                return self._publisher.publish(self._name, file, publication, admit)
            finally:
                os.close(file)

    def discard(self) -> None:
        """Forget the file. After :meth:`publish`, and when called again, this does nothing."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None
                self._publisher.clear(self._name)

    def _given(self) -> int:
        if self._file is None:
            raise StorageUnavailable("the upload was given up")
        return self._file
