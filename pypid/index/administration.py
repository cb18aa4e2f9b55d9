"""Changes to what is published: yank, un-yank, remove; and to the status of a project, and its people.

Each is a plain function of the project as it is (:mod:`pypid.index.project_changes`), applied while
nobody else changes it, in any process. All of them end in the records that lie beside the files, so
whoever copies the tree has them too; and in the journal, which the catalog writes when it looks at the
project again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from attrs import define

from pypid.errors import InvalidForm, NotFound
from pypid.index.acceptance import Permit, Standing
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


def _permit_all(_standing: Standing) -> None:
    """Permit everything, as for the administrator."""


@define
class ProjectAdministration:
    """Changes projects that are published here; those of one project, one after the other.

    Projects are given by normalized name, versions in any spelling that PEP 440 takes for the same.
    Each method that changes something answers when that is durable and in the journal. Once begun it runs
    to its end, whoever waits. ``permit`` is shown what the project is right before it is changed,
    and may refuse that.
    """

    storage: ThreadedStorage
    """Keeps the files and their records."""
    catalog: ICatalog
    """Puts into the journal what changed."""
    now: Callable[[], datetime]
    """The time in UTC."""

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
        :returns: the names of the files that were not yanked before, or for another reason.
        :raises NotFound: there is no such project, release or file.
        :raises InvalidForm: the reason is too long, or has characters that cannot be shown.
        """
        return await self._change(name, permit, partial(mark, version, filename, _validated(reason)))

    async def unyank(
        self, name: str, version: str, filename: str | None = None, *, permit: Permit = _permit_all
    ) -> Sequence[str]:
        """Take back the yank of a release, or of one file of it (PEP 592).

        :returns: the names of the files that were yanked.
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

        The names stay taken: no other bytes can be published under them. So does the project's,
        which is not looked for upstream even when nothing of it is left.

        :returns: the names of the files that were removed.
        :raises NotFound: there is no such project, release or file.
        """
        return await self._change(name, permit, partial(remove, version, filename, self.now()))

    async def accept(
        self, name: str, filename: str | None = None, *, permit: Permit = _permit_all
    ) -> Sequence[str]:
        """Take the bytes of files that were changed on disk for theirs; they were withheld until then.

        :returns: the names of the files of which this was so.
        :raises NotFound: there is no such project or file.
        """
        return await self._change(name, permit, partial(accept, filename))

    async def set_status(
        self, name: str, status: Status, reason: str, *, permit: Permit = _permit_all
    ) -> Sequence[str]:
        """Set the status of a project (PEP 792).

        :param reason: for people; may be empty.
        :returns: the name of the project, unless it had that status, and for that reason.
        :raises NotFound: there is no such project.
        :raises InvalidForm: the reason is too long, or has characters that cannot be shown.
        """
        return await self._change(name, permit, partial(set_status, status, _validated(reason)))

    async def status(self, name: str) -> ProjectRecord:
        """Give a project's status. :raises NotFound: there is no such project."""
        return (await self._stored(name)).record

    async def add_person(
        self, name: str, role: Role, user: str, *, permit: Permit = _permit_all
    ) -> Sequence[str]:
        """Give somebody a role in a project; they need not be a user yet.

        :returns: the name of the user, unless they had it.
        :raises NotFound: there is no such project.
        :raises InvalidForm: nobody can be called so.
        :raises Forbidden: too many have it.
        """
        if not is_user_name(user):
            raise InvalidForm("no user can be called so: 1 to 64 of A-Z a-z 0-9 . _ @ -")
        return await self._change(name, permit, partial(add_person, role, user))

    async def remove_person(
        self, name: str, role: Role, user: str, *, permit: Permit = _permit_all
    ) -> Sequence[str]:
        """Take a role in a project from somebody.

        :returns: the name of the user, if they had it.
        :raises NotFound: there is no such project.
        :raises Forbidden: they are the only owner.
        """
        return await self._change(name, permit, partial(remove_person, role, user))

    async def people(self, name: str) -> Mapping[Role, Sequence[str]]:
        """Name those who have a role in a project. :raises NotFound: there is no such project."""
        project = await self._stored(name)
        return {role: project.people(role) for role in Role}

    async def files(
        self, name: str, version: str | None = None, filename: str | None = None
    ) -> Sequence[str]:
        """Name the files that :meth:`remove` would remove; raises the same."""
        return [file.filename for file in chosen(name, await self._stored(name), version, filename)]

    async def _change(self, name: str, permit: Permit, change: Change[T]) -> T:
        """Change a project; at the end, also a bad one, the journal is right."""

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
    """Give a reason as one line. :raises InvalidForm: it would harm records or pages."""
    line = " ".join(reason.split())
    if len(line) > MAX_REASON:
        raise InvalidForm(f"reason: it is longer than {MAX_REASON} characters")
    if not line.isprintable():
        raise InvalidForm("reason: it has characters that cannot be shown")
    return line
