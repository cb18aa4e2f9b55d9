"""The check of one directory of a project: each archive, its record and its sidecar files."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from stat import S_IRUSR, S_ISDIR, S_ISLNK, S_ISREG

from attrs import define, frozen

from pypid import archives
from pypid.catalog.rows import Content
from pypid.errors import InvalidArchive, InvalidFilename, InvalidMetadata, InvalidUpload
from pypid.formats import attestations, core_metadata
from pypid.formats.file_sha256 import file_sha256
from pypid.maintenance.findings import Finding
from pypid.maintenance.repairs import Repairs
from pypid.model import FileRecord
from pypid.names import ArchiveKind, Sidecar, parse_filename
from pypid.storage.descriptors import open_file, read_file, status
from pypid.storage.records import (
    MAX_RECORD,
    PROJECT_RECORD,
    from_json,
    project_from_json,
    published_as,
    record_name,
)
from pypid.upload.signatures import check_signature

__all__ = ["ProjectDirectory", "subject"]

MAX_SIDECAR = 64 * 1024 * 1024
"""The greatest length of a sidecar file that is compared, in bytes."""

_LEFTOVERS = (".coming", ".going")
_BACK = "copy the right file back from a backup"


def subject(project: str, name: str) -> str | None:
    """Return the archive that a name in a project's directory belongs to, or ``None`` if to none."""
    inner = name
    if inner.startswith("."):
        inner = inner[1:]
        for suffix in _LEFTOVERS:
            inner = inner.removesuffix(suffix)
        inner = inner.removesuffix(".json")
    for sidecar in Sidecar:
        inner = inner.removesuffix(sidecar.value)
    try:
        parse_filename(inner, project)
    except InvalidFilename:
        return None
    return inner


@frozen
class _Read:
    """An archive as it lies there."""

    status: os.stat_result
    digest: str | None
    """The SHA-256 digest of its bytes; ``None`` if they were not read."""


@define(eq=False)
class ProjectDirectory:
    """Finds out what is wrong in an open directory of a project. All methods block."""

    project: str
    """The project's normalized name."""
    place: str
    """The path of the directory below the root."""
    _directory: int
    _known: Content | None
    """The project as the catalog has it; ``None`` if it has none."""
    _reads: Callable[[str], bool]
    """Decides whether an archive is read from end to end."""

    def findings(self, names: Collection[str], only: Collection[str] | None = None) -> Iterator[Finding]:
        """Yield what is wrong.

        :param names: the names in the directory.
        :param only: the archives to check, and the name of the project's record; ``None`` for all.
        """
        if PROJECT_RECORD in names and (only is None or PROJECT_RECORD in only):
            yield from self._project_record()
        groups: dict[str, list[str]] = {}
        for name in sorted(names):
            filename = subject(self.project, name)
            if filename is not None and (only is None or filename in only):
                groups.setdefault(filename, []).append(name)
        for filename, group in groups.items():
            yield from self._file(filename, group)

    def _project_record(self) -> Iterator[Finding]:
        try:
            project_from_json(read_file(self._directory, PROJECT_RECORD, MAX_RECORD))
        except FileNotFoundError:
            yield self._at(PROJECT_RECORD, "it is not a regular file", "remove it")
        except ValueError as error:
            mend = self._repairs.project_record(self._known)
            yield self._at(PROJECT_RECORD, f"it is no record: {error}", "" if mend else _BACK, mend)

    def _file(self, filename: str, group: Collection[str]) -> Iterator[Finding]:
        if any(name.endswith(_LEFTOVERS) for name in group):
            problem = "it was being replaced by a process that died"
            yield self._at(filename, problem, repair=self._repairs.recover(filename))
            return
        record, fault = self._record(filename)
        found = status(self._directory, filename)
        if found is None:
            yield from self._missing(filename, record, fault, group)
        elif not S_ISREG(found.st_mode):
            problem = f"it is {_kind(found.st_mode)}, and only regular files are offered"
            yield self._at(filename, problem, f"{_BACK}, or remove it")
        elif not found.st_mode & S_IRUSR:
            yield self._at(filename, "its owner may not read it", repair=self._repairs.permit(filename))
        else:
            yield from self._present(filename, found, record, fault)

    def _record(self, filename: str) -> tuple[FileRecord | None, str | None]:
        """Return the record of a file, or the reason why it is none."""
        try:
            data = read_file(self._directory, record_name(filename), MAX_RECORD)
            record, owner = from_json(data), published_as(data)
        except FileNotFoundError:
            return None, None
        except (ValueError, InvalidFilename) as error:
            return None, f"it is no record: {error}"
        if owner != (self.project, filename):
            return None, f"it is the record of {owner[1]}"
        return record, None

    def _missing(
        self, filename: str, record: FileRecord | None, fault: str | None, group: Collection[str]
    ) -> Iterator[Finding]:
        """Yield what is wrong around an archive that is not there."""
        if fault is not None:
            yield self._at(record_name(filename), fault, f"{_BACK}, or remove it: its archive is gone, too")
        elif record is None:
            for name in group:
                yield self._at(
                    name, f"there is no {filename}", "copy that back from a backup, or remove this"
                )
        elif record.removed is None:
            remedy = f"{_BACK}; or, if it shall stay away, remove {record_name(filename)}"
            yield self._at(filename, "it was published, and is missing", remedy)
        else:
            for name in sorted({*group} - {record_name(filename)}):
                problem = f"{filename} was removed, and this was left"
                yield self._at(name, problem, repair=self._repairs.drop(name))

    def _present(
        self, filename: str, found: os.stat_result, record: FileRecord | None, fault: str | None
    ) -> Iterator[Finding]:
        untouched = record is not None and (record.size, record.modified_ns) == (
            found.st_size,
            found.st_mtime_ns,
        )
        if fault is None and not self._reads(filename):
            read = _Read(found, record.sha256 if record is not None and untouched else None)
        else:
            with open_file(self._directory, filename) as file:
                read = _Read(found, file_sha256(file))
        if fault is not None:
            mend = self._repairs.file_record(filename, found, read.digest, self._known)
            yield self._at(record_name(filename), fault, "" if mend else _BACK, mend)
            return
        if record is not None and untouched and record.removed is not None:
            problem = "its removal was interrupted"
            yield self._at(filename, problem, repair=self._repairs.finish_removal(filename))
            return
        if record is not None and read.digest is not None and read.digest != record.sha256:
            if untouched:  # otherwise the index withholds it, and the catalog names it
                yield self._at(
                    filename,
                    f"its bytes have the SHA-256 digest {read.digest}, and {record.sha256} was published,"
                    " though size and time are the same: the disk may be failing",
                    _BACK,
                    self._repairs.withhold(filename, found),
                    heals=False,
                )
            return
        yield from self._contents(filename, record)
        yield from self._sidecars(filename)

    def _contents(self, filename: str, record: FileRecord | None) -> Iterator[Finding]:
        """Yield whether an archive can be read, and whether its core metadata lie beside it."""
        if not self._reads(filename):
            return
        name = parse_filename(filename, self.project)
        try:
            with open_file(self._directory, filename) as file:
                expected = archives.core_metadata(file, name)
        except InvalidArchive as error:
            if record is None:
                yield self._at(
                    filename, f"it cannot be read as an archive: {error}", f"{_BACK}, or remove it"
                )
            return
        beside = Sidecar.METADATA.of(filename)
        there = self._sidecar(beside)
        if expected is None or there == expected:
            return
        repair = self._repairs.write(beside, expected)
        if there is not None:
            yield self._at(beside, "it is not what the archive has", repair=repair)
        elif (
            # Whoever copies a wheel by hand need not have any; the index reads them out of it.
            record is not None
            and record.uploader is not None
            and name.kind is ArchiveKind.WHEEL
            and _is_parsed(expected)
        ):
            yield self._at(beside, "it is missing", repair=repair)

    def _sidecars(self, filename: str) -> Iterator[Finding]:
        provenance = self._sidecar(Sidecar.PROVENANCE.of(filename))
        if provenance is not None and not attestations.is_provenance(provenance):
            yield self._at(Sidecar.PROVENANCE.of(filename), "it is no provenance object", _BACK)
        signature = self._sidecar(Sidecar.SIGNATURE.of(filename))
        if signature is not None:
            try:
                check_signature(signature.decode("utf-8", "replace"))
            except InvalidUpload:
                yield self._at(Sidecar.SIGNATURE.of(filename), "it is no armored signature", _BACK)

    def _sidecar(self, name: str) -> bytes | None:
        try:
            return read_file(self._directory, name, MAX_SIDECAR)
        except FileNotFoundError:
            return None

    @property
    def _repairs(self) -> Repairs:
        return Repairs(self._directory, self.project)

    def _at(
        self,
        name: str,
        problem: str,
        remedy: str = "",
        repair: Callable[[], str] | None = None,
        *,
        heals: bool = True,
    ) -> Finding:
        return Finding(f"{self.place}/{name}", problem, remedy, repair, heals)


def _kind(mode: int) -> str:
    """Return what a file is that is not regular."""
    return "a directory" if S_ISDIR(mode) else "a symbolic link" if S_ISLNK(mode) else "a special file"


def _is_parsed(metadata: bytes) -> bool:
    try:
        core_metadata.parse(metadata)
    except InvalidMetadata:
        return False
    return True
