"""The uploads that a project accepts: by whom, in which status, and under which names.

An upload is judged twice: against the project's page before its archive is inspected, which may take
seconds, and against the project's records right before the file becomes visible. One function does both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property

from attrs import field, frozen

from pypid.errors import FileExists, Forbidden
from pypid.model import Principal, Project, Role, Status, StoredProject
from pypid.names import SUFFIXES, ArchiveKind, Filename, Identity, identity, version_key
from pypid.upload import UploadRules

__all__ = ["Candidate", "Permit", "ProjectState"]


@frozen
class ProjectState:
    """The facts about a project that decide on an upload; the defaults are those of a missing project."""

    is_founded: bool = False
    """Whether the project has, or had, any files or a record."""
    owners: tuple[str, ...] = ()
    """The names of its owners."""
    maintainers: tuple[str, ...] = ()
    """The names of its maintainers."""
    status: Status = Status.ACTIVE
    """Its status (PEP 792)."""
    files: Mapping[str, str | None] = field(factory=dict)
    """The SHA-256 digests of its files, by name; ``None`` if a digest is unknown until the file is read."""
    removed: Mapping[str, str] = field(factory=dict)
    """The SHA-256 digests of its removed files, by name."""

    @classmethod
    def of_page(cls, project: Project | None) -> ProjectState:
        """Return the state of a project of the catalog."""
        if project is None:
            return cls()
        # A withheld file differs from the published one, so no upload has its digest.
        files = {file.filename: file.hashes["sha256"] for file in project.files}
        files |= dict.fromkeys(project.withheld, "")
        people = project.owners, project.maintainers
        return cls(project.is_founded, *people, project.status, files, project.tombstones)

    @classmethod
    def of_records(cls, project: StoredProject | None) -> ProjectState:
        """Return the state of a project of a storage."""
        if project is None:
            return cls()
        files = {
            file.filename: file.record.sha256 if file.record is not None and file.untouched else None
            for file in project.files
        }
        removed = {name: record.sha256 for name, record in project.tombstones.items()}
        people = project.owners, project.record.maintainers
        return cls(project.is_founded, *people, project.record.status, files, removed)

    def roles(self, principal: Principal | None) -> frozenset[Role]:
        """Return the roles of a principal in the project; empty for strangers."""
        people = {Role.OWNER: self.owners, Role.MAINTAINER: self.maintainers}
        return frozenset(role for role in Role if principal is not None and principal.name in people[role])


Permit = Callable[[ProjectState], None]
"""Raises an error if the principal may not publish in a project; pure, for any thread."""


@frozen
class Candidate:
    """A file to be published, and the rules for it."""

    filename: Filename
    """The parsed file name."""
    digest: str
    """The SHA-256 digest of the file's bytes, in lower-case hexadecimal."""
    rules: UploadRules
    """The rules of the index, such as which files may be replaced."""

    @cached_property
    def _identity(self) -> Identity:
        return identity(self.filename.filename, self.filename.project)

    def check(self, state: ProjectState, permit: Permit) -> str | None:
        """Check that the file may be published, and return the digest of the present file of that name.

        The file may be published if no file has its name, if the present one has the same digest, or if
        the rules allow to replace it.

        :returns: the digest; ``None`` if there is no such file, or its digest is not known.
        :raises Forbidden: the project accepts no uploads. What ``permit`` raises is raised too.
        :raises FileExists: a present or removed file has the name, with other bytes.
        """
        permit(state)
        name = self.filename.filename
        if state.status in (Status.ARCHIVED, Status.QUARANTINED):
            raise Forbidden(
                f"the project {self.filename.project} is {state.status.value}: it takes no uploads"
            )
        for removed, theirs in state.removed.items():
            if removed.casefold() == name.casefold() and theirs != self.digest:
                raise FileExists(
                    f"File already exists: {removed} was removed; its name is not for other content"
                )
        present = state.files.get(name)
        if present not in (None, self.digest) and not self.rules.may_replace(self.filename.version):
            raise FileExists(f"File already exists: {name}, with other content")
        return present

    def check_spellings(self, state: ProjectState) -> tuple[str, ...]:
        """Check that no other file of the project is the same one under another spelling.

        This may take some milliseconds, so it runs in a worker's thread. If a file of the very same name
        is present, the others are not checked.

        :returns: warnings about faults that strict rules refuse.
        :raises FileExists: a present or removed file has the name in another spelling.
        :raises InvalidUpload: the rules are strict, like PyPI's, and the release has an sdist already, or the
            same bytes are published under another name.
        """
        name, project, mine = self.filename.filename, self.filename.project, self._identity
        if name in state.files:
            return ()
        for removed in state.removed:
            if removed == name or _is_another_wheel(removed, mine):
                continue
            if identity(removed, project) == mine:
                raise FileExists(f"File already exists: {name} (it is {removed}, which was removed)")
        objections = []
        for other, digest in state.files.items():
            if digest == self.digest:
                objections.append(f"content: the same bytes are published as {other}")
            if _is_another_wheel(other, mine):
                continue
            theirs = identity(other, project)
            if theirs == mine:
                raise FileExists(f"File already exists: {name} (it is {other}, spelled otherwise)")
            are_sdists = SUFFIXES[theirs.suffix] is self.filename.kind is ArchiveKind.SDIST
            if are_sdists and theirs.version == mine.version:
                objections.append(f"content: the release has an sdist already, {other}")
        return self.rules.to_warnings(objections)


def _is_another_wheel(filename: str, mine: Identity) -> bool:
    """Return whether a file is a wheel of another release: a quick test that spares most comparisons."""
    wheel = filename.endswith(".whl")
    return wheel and (mine.suffix != ".whl" or version_key(filename.split("-", 2)[1]) != mine.version)
