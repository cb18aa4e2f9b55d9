"""Changes to published projects: yank, un-yank, remove, status, owners and maintainers.

Each change is a plain function of the project (:mod:`pypid.index.project_changes`), applied while
nobody else changes the project, in any process. Its result is in the records beside the files, so
a copy of the tree contains it; and in the journal, which the catalog writes when it reads the
project again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from attrs import define

from pypid.errors import InvalidForm, NotFound
from pypid.index.acceptance import Permit, ProjectState
from pypid.index.project_changes import (
    Change,
    accept,
    add_person,
    apply,
    chosen,
    mark,
    remove,
    remove_person,
    set_status,
)
from pypid.interfaces import ICatalog
from pypid.model import ProjectRecord, Role, Status, StoredProject
from pypid.principals import is_user_name
from pypid.runtime.single_flight import shield
from pypid.runtime.threaded_storage import ThreadedStorage

__all__ = ["ProjectAdministration"]

MAX_REASON = 1000

T = TypeVar("T")


def _permit_all(_state: ProjectState) -> None:
    """Permit everything, as for the administrator."""


@define
class ProjectAdministration:
    """Changes local projects; the changes of one project run one after the other.

    Projects are given by normalized name, versions in any spelling that is equal by PEP 440.
    A method that changes a project returns when the change is durable and in the journal. Once begun, a
    change runs to its end, even if the caller is cancelled. ``permit`` is called with the state of the
    project right before the change, and may refuse it by raising an error, which is raised here.
    """

    storage: ThreadedStorage
    """The storage of the files and their records."""
    catalog: ICatalog
    """The catalog, which writes the changes to its journal."""
    now: Callable[[], datetime]
    """Returns the current time, in UTC."""

    async def yank(
        self,
        name: str,
        version: str,
        reason: str,
        filename: str | None = None,
        *,
        permit: Permit = _permit_all,
    ) -> Sequence[str]:
        """Yank a release, or one file of it (PEP 592).

        :param reason: for people; may be empty.
        :returns: the names of the files that changed: not yanked before, or for another reason.
        :raises NotFound: there is no such project, release or file.
        :raises InvalidForm: the reason is too long, or has characters that cannot be shown.
        """
        return await self._change(name, permit, partial(mark, version, filename, _validated(reason)))

    async def unyank(
        self, name: str, version: str, filename: str | None = None, *, permit: Permit = _permit_all
    ) -> Sequence[str]:
        """Un-yank a release, or one file of it (PEP 592).

        :returns: the names of the files that changed: those that were yanked.
        :raises NotFound: there is no such project, release or file.
        """
        return await self._change(name, permit, partial(mark, version, filename, None))

    async def remove(
        self,
        name: str,
        version: str | None = None,
        filename: str | None = None,
        *,
        permit: Permit = _permit_all,
    ) -> Sequence[str]:
        """Remove a file, a release, or all files of a project, for good.

        The file names stay reserved: no other bytes can be published under them. The project's name stays
        local: it is not looked up upstream even when no file is left.

        :returns: the names of the removed files.
        :raises NotFound: there is no such project, release or file.
        """
        return await self._change(name, permit, partial(remove, version, filename, self.now()))

    async def accept(
        self, name: str, filename: str | None = None, *, permit: Permit = _permit_all
    ) -> Sequence[str]:
        """Accept files that were changed on disk, which are withheld until then.

        :returns: the names of the accepted files.
        :raises NotFound: there is no such project or file.
        """
        return await self._change(name, permit, partial(accept, filename))

    async def set_status(
        self, name: str, status: Status, reason: str, *, permit: Permit = _permit_all
    ) -> Sequence[str]:
        """Set the status of a project (PEP 792).

        :param reason: for people; may be empty.
        :returns: the name of the project; empty if it already had that status for that reason.
        :raises NotFound: there is no such project.
        :raises InvalidForm: the reason is too long, or has characters that cannot be shown.
        """
        return await self._change(name, permit, partial(set_status, status, _validated(reason)))

    async def status(self, name: str) -> ProjectRecord:
        """Return the record of a project, with its status.

        :raises NotFound: there is no such project.
        """
        return (await self._stored(name)).record

    async def add_person(
        self, name: str, role: Role, user: str, *, permit: Permit = _permit_all
    ) -> Sequence[str]:
        """Add a role in a project for a user, who need not exist yet.

        :returns: the name of the user; empty if they already had the role.
        :raises NotFound: there is no such project.
        :raises InvalidForm: this is not a valid user name.
        :raises Forbidden: too many users have the role.
        """
        if not is_user_name(user):
            raise InvalidForm("no user can be called so: 1 to 64 of A-Z a-z 0-9 . _ @ -")
        return await self._change(name, permit, partial(add_person, role, user))

    async def remove_person(
        self, name: str, role: Role, user: str, *, permit: Permit = _permit_all
    ) -> Sequence[str]:
        """Remove the role of a user in a project.

        :returns: the name of the user; empty if they did not have the role.
        :raises NotFound: there is no such project.
        :raises Forbidden: the user is the only owner.
        """
        return await self._change(name, permit, partial(remove_person, role, user))

    async def people(self, name: str) -> Mapping[Role, Sequence[str]]:
        """Return the names of the users with each role in a project.

        :raises NotFound: there is no such project.
        """
        project = await self._stored(name)
        return {role: project.people(role) for role in Role}

    async def files(
        self, name: str, version: str | None = None, filename: str | None = None
    ) -> Sequence[str]:
        """Return the names of the files that :meth:`remove` would remove; the errors are the same."""
        return [file.filename for file in chosen(name, await self._stored(name), version, filename)]

    async def _change(self, name: str, permit: Permit, change: Change[T]) -> T:
        """Apply a change to a project, and bring the journal up to date, also if the change fails."""

        async def run() -> T:
            try:
                return await self.storage.change(partial(apply, name, permit, change))
            finally:
                await self.catalog.project(name)

        return await shield(run())

    async def _stored(self, name: str) -> StoredProject:
        project = await self.storage.project(name)
        if project is None:
            raise NotFound(f"there is no project {name} here")
        return project


def _validated(reason: str) -> str:
    """Return a reason as one line.

    :raises InvalidForm: the reason is too long, or has characters that cannot be shown.
    """
    line = " ".join(reason.split())
    if len(line) > MAX_REASON:
        raise InvalidForm(f"reason: it is longer than {MAX_REASON} characters")
    if not line.isprintable():
        raise InvalidForm("reason: it has characters that cannot be shown")
    return line
