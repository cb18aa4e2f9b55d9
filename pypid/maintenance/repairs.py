"""Repairs of one directory of a project, each of which leaves either the old or the new state."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from stat import S_IRUSR

from attrs import evolve, field, frozen

from pypid.catalog.rows import Content
from pypid.model import FileRecord
from pypid.names import Sidecar
from pypid.storage.operations import Operations
from pypid.storage.records import PROJECT_RECORD, project_to_json, record_name, to_json
from pypid.storage.replacement import Replacer

__all__ = ["Repairs"]

Repair = Callable[[], str]
"""Does a repair and returns a line about it. Blocks. :raises OSError: it failed."""


@frozen
class Repairs:
    """Makes repairs for an open directory of a project, whose lock the caller holds when they are done."""

    _directory: int
    _project: str
    _operations: Operations = field(factory=Operations)

    def recover(self, filename: str) -> Repair:
        """Return the repair of a replacement that a dead process left: it is finished or undone."""

        def repair() -> str:
            # Only the making of a replacement needs staging, and not the end of one.
            Replacer(-1, self._operations).recover(self._directory, filename)
            self._operations.sync(self._directory)
            return "that was finished, or undone if it had hardly begun"

        return repair

    def permit(self, filename: str) -> Repair:
        """Return the repair of a file that its owner may not read."""

        def repair() -> str:
            # chmod() cannot be told not to follow links, and this descriptor can be opened without rights.
            descriptor = os.open(filename, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=self._directory)
            try:
                mode = os.fstat(descriptor).st_mode
                os.chmod(f"/proc/self/fd/{descriptor}", (mode & 0o777) | S_IRUSR)  # noqa: PTH101
            finally:
                os.close(descriptor)
            return "its owner may read it now"

        return repair

    def drop(self, name: str) -> Repair:
        """Return the repair of a sidecar file that is left over."""

        def repair() -> str:
            self._operations.unlink(self._directory, name)
            self._operations.sync(self._directory)
            return "it was removed"

        return repair

    def finish_removal(self, filename: str) -> Repair:
        """Return the repair of a removal that ended after its record was written."""

        def repair() -> str:
            for name in (filename, *(sidecar.of(filename) for sidecar in Sidecar)):
                with suppress(FileNotFoundError):
                    self._operations.unlink(self._directory, name)
            self._operations.sync(self._directory)
            return "it was finished: the file is gone, as its record says"

        return repair

    def withhold(self, filename: str, found: os.stat_result) -> Repair:
        """Return the measure against an archive with wrong bytes that looks right: the index will hash it.

        :param found: the file's ``stat``; the new time is a second off, so nobody takes it for the old one.
        """

        def repair() -> str:
            times = (found.st_atime_ns, found.st_mtime_ns + 1_000_000_000)
            os.utime(filename, ns=times, dir_fd=self._directory, follow_symlinks=False)
            self._operations.sync(self._directory)
            return "from now on it is withheld, so that nobody installs it"

        return repair

    def write(self, name: str, data: bytes) -> Repair:
        """Return the repair that gives a file other bytes."""

        def repair() -> str:
            self._replace(name, data)
            return "it was read out of the archive"

        return repair

    def project_record(self, known: Content | None) -> Repair | None:
        """Return the repair of a project's record from the catalog; ``None`` if that does not have it."""
        if known is None:
            return None
        record = known.record

        def repair() -> str:
            self._replace(PROJECT_RECORD, project_to_json(record))
            return "it is as the catalog had it"

        return repair

    def file_record(
        self, filename: str, found: os.stat_result, digest: str | None, known: Content | None
    ) -> Repair | None:
        """Return the repair of an archive's record from the catalog.

        ``None`` if the catalog does not have the file, or if the archive has other bytes than in the catalog.

        :param digest: the SHA-256 digest of the archive's bytes now; ``None`` if they were not read.
        """
        row = known.rows.get(filename) if known is not None else None
        if row is None or row.description is None or row.description.sha256 != digest or row.is_withheld:
            return None
        owners = known.record.owners if known is not None else None
        record = FileRecord(
            upload_time=row.upload_time,
            uploader=None,
            size=found.st_size,
            modified_ns=found.st_mtime_ns,
            sha256=digest,
            yanked=row.yanked,
        )
        if owners:  # the record may have been the one that names the founder
            record = evolve(record, founder=owners[0])

        def repair() -> str:
            self._replace(record_name(filename), to_json(record, self._project, filename))
            return "it is as the catalog had it, but who uploaded the file is lost"

        return repair

    def _replace(self, name: str, data: bytes) -> None:
        temporary = f".{secrets.token_hex(8)}"
        file = self._operations.create(self._directory, temporary)
        try:
            try:
                self._operations.write(file, data)
                self._operations.sync(file)
            finally:
                os.close(file)
            self._operations.rename(self._directory, temporary, self._directory, name)
        except BaseException:
            with suppress(OSError):
                self._operations.unlink(self._directory, temporary)
            raise
        self._operations.sync(self._directory)
