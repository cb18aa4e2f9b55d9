"""Changes to what is published: yank, un-yank, remove; and to the status of a project, and its people.

All of them end in the records that lie beside the files, so whoever copies the tree has
them too; and in the journal, which the catalog writes when it looks at the project again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from weakref import WeakValueDictionary

from attrs import define, evolve, field
from twisted.internet.defer import DeferredLock

from pypid.digests import sha256_of
from pypid.errors import Forbidden, InvalidForm, NotFound
from pypid.interfaces import ICatalog, IStorage
from pypid.model import ProjectRecord, Record, Role, Status, StoredFile, StoredProject
from pypid.names import canonical_version, parse_filename, version_key
from pypid.principals import is_user_name

__all__ = ["Changes"]

MAX_REASON = 1000
MAX_PEOPLE = 100
"""So many may have a role in a project; their names fit into its record."""


@define
class Changes:
    """Changes projects that are published here; those of one project, one after the other.

    Projects are given by normalized name, versions in any spelling that PEP 440 takes for the same.
    Each method answers when the change is durable and in the journal, and is to be run to its end.
    """

    storage: IStorage
    """Keeps the files and their records."""
    catalog: ICatalog
    """Puts into the journal what changed."""
    now: Callable[[], datetime]
    """The time in UTC."""
    _locks: WeakValueDictionary[str, DeferredLock] = field(factory=WeakValueDictionary, init=False)

    async def yank(self, name: str, version: str, reason: str, filename: str | None = None) -> Sequence[str]:
        """Yank a release, or one file of it (PEP 592).

        :param reason: for people; may be empty.
        :returns: the names of the files that were not yanked before, or for another reason.
        :raises NotFound: there is no such project, release or file.
        :raises InvalidForm: the reason is too long, or has characters that cannot be shown.
        """
        return await self._mark(name, version, filename, _vetted(reason))

    async def unyank(self, name: str, version: str, filename: str | None = None) -> Sequence[str]:
        """Take back the yank of a release, or of one file of it (PEP 592).

        :returns: the names of the files that were yanked.
        :raises NotFound: there is no such project, release or file.
        """
        return await self._mark(name, version, filename, None)

    async def remove(
        self, name: str, version: str | None = None, filename: str | None = None
    ) -> Sequence[str]:
        """Remove a file, a release, or all files of a project, for good.

        The names stay taken: no other bytes can be published under them. So does the project's,
        which is not looked for upstream even when nothing of it is left.

        :returns: the names of the files that were removed.
        :raises NotFound: there is no such project, release or file.
        """
        async with self._changing(name) as project:
            chosen = _choose(name, project, version, filename)
            for file in chosen:
                record = await self._record(name, file)
                await self.storage.remove(name, file.filename, evolve(record, removed=self.now()))
        return [file.filename for file in chosen]

    async def set_status(self, name: str, status: Status, reason: str) -> Sequence[str]:
        """Set the status of a project (PEP 792).

        :param reason: for people; may be empty.
        :returns: the name of the project, unless it had that status, and for that reason.
        :raises NotFound: there is no such project.
        :raises InvalidForm: the reason is too long, or has characters that cannot be shown.
        """
        reason = _vetted(reason)
        async with self._changing(name) as project:
            record = evolve(project.record, status=status, reason=reason or None)
            if project.record == record:
                return []
            await self.storage.amend_project(name, record)
        return [name]

    async def status(self, name: str) -> ProjectRecord:
        """Give a project's status. :raises NotFound: there is no such project."""
        return (await self._stored(name)).record

    async def add_person(self, name: str, role: Role, user: str) -> Sequence[str]:
        """Give somebody a role in a project; they need not be a user yet.

        :returns: the name of the user, unless they had it.
        :raises NotFound: there is no such project.
        :raises InvalidForm: nobody can be called so.
        :raises Forbidden: too many have it.
        """
        if not is_user_name(user):
            raise InvalidForm("no user can be called so: 1 to 64 of A-Z a-z 0-9 . _ @ -")
        async with self._changing(name) as project:
            people = project.people(role)
            if user in people:
                return []
            if len(people) >= MAX_PEOPLE:
                raise Forbidden(f"{name} has {MAX_PEOPLE} {role.value}s already: remove one first")
            await self._set_people(name, project, role, (*people, user))
        return [user]

    async def remove_person(self, name: str, role: Role, user: str) -> Sequence[str]:
        """Take a role in a project from somebody.

        :returns: the name of the user, if they had it.
        :raises NotFound: there is no such project.
        :raises Forbidden: they are the only owner.
        """
        async with self._changing(name) as project:
            people = project.people(role)
            if user not in people:
                return []
            if role is Role.OWNER and len(people) == 1:
                raise Forbidden(f"{user} is the only owner of {name}: add another one first")
            await self._set_people(name, project, role, tuple(one for one in people if one != user))
        return [user]

    async def people(self, name: str) -> Mapping[Role, Sequence[str]]:
        """Name those who have a role in a project. :raises NotFound: there is no such project."""
        project = await self._stored(name)
        return {role: project.people(role) for role in Role}

    async def files(
        self, name: str, version: str | None = None, filename: str | None = None
    ) -> Sequence[str]:
        """Name the files that :meth:`remove` would remove; raises the same."""
        return [file.filename for file in _choose(name, await self._stored(name), version, filename)]

    async def _mark(self, name: str, version: str, filename: str | None, yanked: str | None) -> Sequence[str]:
        """Have a release or a file yanked for a reason, or not at all."""
        changed = []
        async with self._changing(name) as project:
            for file in _choose(name, project, version, filename):
                record = await self._record(name, file)
                if record.yanked != yanked:
                    await self.storage.amend(name, file.filename, evolve(record, yanked=yanked))
                    changed.append(file.filename)
        return changed

    async def _set_people(
        self, name: str, project: StoredProject, role: Role, people: tuple[str, ...]
    ) -> None:
        # From now on the owners are named, whoever founded it.
        roles = {Role.OWNER: project.owners, Role.MAINTAINER: project.record.maintainers, role: people}
        record = evolve(project.record, owners=roles[Role.OWNER], maintainers=roles[Role.MAINTAINER])
        await self.storage.amend_project(name, record)

    @asynccontextmanager
    async def _changing(self, name: str) -> AsyncIterator[StoredProject]:
        """Wait for one's turn to change a project; at the end, also a bad one, the journal is right."""
        lock = self._locks.setdefault(name, DeferredLock())
        async with lock:
            project = await self._stored(name)
            try:
                yield project
            finally:
                await self.catalog.project(name)

    async def _stored(self, name: str) -> StoredProject:
        project: StoredProject | None = await self.storage.project(name)
        if project is None:
            raise NotFound(f"there is no project {name} here")
        return project

    async def _record(self, name: str, file: StoredFile) -> Record:
        """Give the record of a file; one that was copied here, or changed in place, gets it now."""
        record = file.record
        if record is not None and file.untouched:
            return record
        digest = await self.storage.read(name, file.filename, sha256_of)
        if record is not None and record.sha256 == digest:
            # Only its time is another, as in a tree that was restored without care.
            return evolve(record, modified_ns=file.modified_ns, removed=None)
        return Record(
            upload_time=datetime.fromtimestamp(file.modified_ns // 1_000_000_000, UTC),
            uploader=None,
            size=file.size,
            modified_ns=file.modified_ns,
            sha256=digest,
            founder=record.founder if record is not None else None,
        )


def _choose(
    name: str, project: StoredProject, version: str | None, filename: str | None
) -> Sequence[StoredFile]:
    """Give the files of a project that are of a version and of a name, if these are given.

    :raises NotFound: there are none.
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
    """Give what is equal for versions that PEP 440 takes for the same, and for no others."""
    return version_key(version) if canonical_version(version) is not None else version


def _vetted(reason: str) -> str:
    """Give a reason as one line. :raises InvalidForm: it would harm records or pages."""
    line = " ".join(reason.split())
    if len(line) > MAX_REASON:
        raise InvalidForm(f"reason: it is longer than {MAX_REASON} characters")
    if not line.isprintable():
        raise InvalidForm("reason: it has characters that cannot be shown")
    return line
