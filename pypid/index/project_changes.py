"""Changes to one project: plain functions of its state, applied while nobody else changes it.

All functions block; one worker's thread runs a whole change.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TypeVar

from attrs import define, evolve, field

from pypid.errors import Forbidden, NotFound, StorageUnavailable
from pypid.formats.file_sha256 import file_sha256
from pypid.index.acceptance import Permit, ProjectState
from pypid.interfaces import ILockedProject, IStorage
from pypid.model import FileRecord, Role, Status, StoredFile, StoredProject
from pypid.names import canonical_version, parse_filename, version_key

__all__ = [
    "Change",
    "Digests",
    "Unread",
    "accept",
    "add_person",
    "apply",
    "chosen",
    "mark",
    "remove",
    "remove_person",
    "set_status",
]

MAX_PEOPLE = 100
"""The most users that may have one role in a project; their names fit into its record."""
ATTEMPTS = 3
"""The most attempts to lock a project; after all but the last, files are read without the lock."""

T = TypeVar("T")


class Unread(Exception):
    """The bytes of some files must be read before the change."""

    def __init__(self, files: Sequence[StoredFile]) -> None:
        super().__init__(files)
        self.files = files


@define
class Digests:
    """The SHA-256 digests of files that have no valid record, as far as they were read."""

    _known: dict[StoredFile, str] = field(factory=dict)

    def read(self, storage: IStorage, name: str, files: Sequence[StoredFile]) -> None:
        """Read more files; blocks. A file that is removed meanwhile is skipped."""
        for file in files:
            try:
                self._known[file] = storage.read(name, file.filename, file_sha256)
            except NotFound:
                continue

    def records(self, files: Sequence[StoredFile]) -> Sequence[FileRecord]:
        """Return the records of files; a file that was copied here, or changed in place, gets a new one.

        :raises Unread: some files must be read first.
        """
        unread = [file for file in files if not file.untouched and file not in self._known]
        if unread:
            raise Unread(unread)
        return [self._record(file) for file in files]

    def _record(self, file: StoredFile) -> FileRecord:
        record = file.record
        if record is not None and file.untouched:
            return record
        digest = self._known[file]
        if record is not None and record.sha256 == digest:
            # Only its time differs, as in a tree that was restored without modification times.
            return evolve(record, modified_ns=file.modified_ns, removed=None)
        if record is not None:
            # It was published with other bytes and is withheld: only accept() adopts the new bytes.
            return record
        return self.accepted(file)

    def digest(self, file: StoredFile) -> str:
        """Return the digest of a file. :raises Unread: the file must be read first."""
        if file not in self._known:
            raise Unread([file])
        return self._known[file]

    def accepted(self, file: StoredFile) -> FileRecord:
        """Return a record of a file's current bytes. :raises Unread: the file must be read first."""
        record = file.record
        return FileRecord(
            upload_time=datetime.fromtimestamp(file.modified_ns // 1_000_000_000, UTC),
            uploader=None,
            size=file.size,
            modified_ns=file.modified_ns,
            sha256=self.digest(file),
            yanked=record.yanked if record is not None else None,
            founder=record.founder if record is not None else None,
        )


Change = Callable[[str, ILockedProject, Digests], T]
"""Changes a locked project of that name. It gets all records that it needs before its first change."""


def apply(name: str, permit: Permit, change: Change[T], storage: IStorage) -> T:
    """Lock a project, apply a change to it, and return the result of the change.

    Files without a record may be long; they are read while the project is not locked.

    :param permit: is called with the locked project, and may refuse the change by raising an error.
    :raises StorageUnavailable: files of the project are changed by hand again and again.
    """
    digests = Digests()
    for attempt in range(1, ATTEMPTS + 1):
        with storage.changing(name) as locked:
            permit(ProjectState.of_records(locked.project))
            try:
                return change(name, locked, digests)
            except Unread as unread:
                files = unread.files
            if attempt == ATTEMPTS:
                digests.read(storage, name, files)
                with suppress(Unread):
                    return change(name, locked, digests)
        digests.read(storage, name, files)
    raise StorageUnavailable(f"files of {name} are being changed by hand just now; try again later")


def mark(
    version: str,
    filename: str | None,
    yanked: str | None,
    name: str,
    locked: ILockedProject,
    digests: Digests,
) -> Sequence[str]:
    """Yank a release or a file for a reason, or un-yank it for ``None``; return the changed files' names."""
    files = chosen(name, locked.project, version, filename)
    changed = []
    for file, record in zip(files, digests.records(files), strict=True):
        if record.yanked != yanked:
            locked.amend(file.filename, evolve(record, yanked=yanked))
            changed.append(file.filename)
    return changed


def remove(
    version: str | None,
    filename: str | None,
    now: datetime,
    name: str,
    locked: ILockedProject,
    digests: Digests,
) -> Sequence[str]:
    """Remove files, and leave tombstones; return the names of the removed files."""
    files = chosen(name, locked.project, version, filename)
    for file, record in zip(files, digests.records(files), strict=True):
        # If the process dies half-way, the tombstone describes the file that is still there.
        described = evolve(record, size=file.size, modified_ns=file.modified_ns)
        locked.remove(file.filename, evolve(described, removed=now))
    return [file.filename for file in files]


def accept(filename: str | None, name: str, locked: ILockedProject, digests: Digests) -> Sequence[str]:
    """Accept the current bytes of files that were changed on disk; return the names of these files.

    Their sidecar files, such as signatures, belong to the published bytes and are removed.
    """
    touched = [
        file
        for file in chosen(name, locked.project, None, filename)
        if file.record is not None and not file.untouched
    ]
    digests.records(touched)
    changed = [file for file in touched if file.record and file.record.sha256 != digests.digest(file)]
    for file in changed:
        locked.strip(file.filename)
        locked.amend(file.filename, digests.accepted(file))
    return [file.filename for file in changed]


def set_status(
    status: Status, reason: str, name: str, locked: ILockedProject, _digests: Digests
) -> Sequence[str]:
    """Set the status of a project; return its name if its record changed."""
    record = evolve(locked.project.record, status=status, reason=reason or None)
    if locked.project.record == record:
        return []
    locked.amend_project(record)
    return [name]


def add_person(role: Role, user: str, name: str, locked: ILockedProject, _digests: Digests) -> Sequence[str]:
    """Add a role for a user; return the user's name if that is new.

    :raises Forbidden: too many users have the role.
    """
    people = locked.project.people(role)
    if user in people:
        return []
    if len(people) >= MAX_PEOPLE:
        raise Forbidden(f"{name} has {MAX_PEOPLE} {role.value}s already: remove one first")
    _set_people(locked, role, (*people, user))
    return [user]


def remove_person(
    role: Role, user: str, name: str, locked: ILockedProject, _digests: Digests
) -> Sequence[str]:
    """Remove the role of a user; return the user's name if they had it.

    :raises Forbidden: the user is the only owner.
    """
    people = locked.project.people(role)
    if user not in people:
        return []
    if role is Role.OWNER and len(people) == 1:
        raise Forbidden(f"{user} is the only owner of {name}: add another one first")
    _set_people(locked, role, tuple(one for one in people if one != user))
    return [user]


def chosen(
    name: str, project: StoredProject, version: str | None, filename: str | None
) -> Sequence[StoredFile]:
    """Return the files of a project, filtered by version and file name unless these are ``None``.

    :raises NotFound: no file is left.
    """
    chosen = [file for file in project.files if filename in (None, file.filename)]
    if version is not None:
        wanted = _comparable(version)
        chosen = [
            file for file in chosen if _comparable(parse_filename(file.filename, name).version) == wanted
        ]
    if chosen:
        return chosen
    if filename is not None:
        raise NotFound(f"there is no such file of {name}")
    raise NotFound(f"there is no such release of {name}" if version is not None else f"{name} has no files")


def _comparable(version: str) -> object:
    """Return a key that two versions share only if they are equal by PEP 440, or letter for letter."""
    return version_key(version) if canonical_version(version) is not None else version


def _set_people(locked: ILockedProject, role: Role, people: tuple[str, ...]) -> None:
    # From now on the record names the owners; the founder no longer counts.
    project = locked.project
    roles = {Role.OWNER: project.owners, Role.MAINTAINER: project.record.maintainers, role: people}
    record = evolve(project.record, owners=roles[Role.OWNER], maintainers=roles[Role.MAINTAINER])
    locked.amend_project(record)
