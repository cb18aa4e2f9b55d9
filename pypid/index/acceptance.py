"""Which uploads a project accepts: who may publish in it, what its status says, and which names are taken.

An upload is judged twice: by the project's page before its archive is looked at, which may take
seconds, and by the project's records right before the file becomes visible. Both are one function.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from attrs import field, frozen

from pypid.errors import FileExists, Forbidden
from pypid.model import Principal, Project, Role, Status, StoredProject
from pypid.names import SUFFIXES, ArchiveKind, Filename, Identity, identity, version_key
from pypid.upload import UploadRules

__all__ = ["Candidate", "Permit", "Standing"]


@frozen
class Standing:
    """What of a project decides on an upload; of one that is not there, nothing is known."""

    is_founded: bool = False
    """Whether anything is, or was, in it."""
    owners: tuple[str, ...] = ()
    """Who owns it."""
    maintainers: tuple[str, ...] = ()
    """Who maintains it."""
    status: Status = Status.ACTIVE
    """Its status (PEP 792)."""
    files: Mapping[str, str | None] = field(factory=dict)
    """The SHA-256 digests of its files, by name; ``None`` where it is not known without reading."""
    removed: Mapping[str, str] = field(factory=dict)
    """The SHA-256 digests of files that were removed, by name."""

    @classmethod
    def of_page(cls, project: Project | None) -> Standing:
        """Tell it from a project as pages show it."""
        if project is None:
            return cls()
        # Of what is withheld it is known that it is not what was published.
        files = {file.filename: file.hashes["sha256"] for file in project.files}
        files |= dict.fromkeys(project.withheld, "")
        people = project.owners, project.maintainers
        return cls(project.is_founded, *people, project.status, files, project.tombstones)

    @classmethod
    def of_records(cls, project: StoredProject | None) -> Standing:
        """Tell it from what a storage keeps."""
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
        """Return the roles that somebody has in it; strangers have none."""
        people = {Role.OWNER: self.owners, Role.MAINTAINER: self.maintainers}
        return frozenset(role for role in Role if principal is not None and principal.name in people[role])


Permit = Callable[[Standing], None]
"""Raises what is to be raised if somebody may not publish in a project; pure, for any thread."""


@frozen
class Candidate:
    """A file that is to be published, and by which rules."""

    filename: Filename
    """Its name."""
    digest: str
    """The SHA-256 digest of its bytes, in lower-case hexadecimal."""
    rules: UploadRules
    """Which files may be replaced."""

    def judge(self, standing: Standing, permit: Permit) -> str | None:
        """See that the file may be published, and return the digest of the one that has its name already.

        It may be published if that is its own digest, or if that one may be replaced, or if there
        is none. It is ``None`` also where the digest of the one that is there is not known.

        :raises Forbidden: the project takes no uploads; or whatever ``permit`` raises.
        :raises FileExists: the name is, or was, that of other bytes.
        """
        permit(standing)
        name = self.filename.filename
        if standing.status in (Status.ARCHIVED, Status.QUARANTINED):
            raise Forbidden(
                f"the project {self.filename.project} is {standing.status.value}: it takes no uploads"
            )
        for removed, theirs in standing.removed.items():
            if removed.casefold() == name.casefold() and theirs != self.digest:
                raise FileExists(
                    f"File already exists: {removed} was removed; its name is not for other content"
                )
        present = standing.files.get(name)
        if present not in (None, self.digest) and not self.rules.may_replace(self.filename.version):
            raise FileExists(f"File already exists: {name}, with other content")
        return present

    def compare(self, standing: Standing) -> tuple[str, ...]:
        """See that no other file of the project is this one, spelled otherwise; for a worker's thread.

        Where its own name is there already, those beside it are let be.

        :returns: warnings of what stricter rules refuse.
        :raises FileExists: one is, or was before it was removed.
        :raises InvalidUpload: the rules are as strict as PyPI's, which wants one sdist of a release, and the
            same bytes under one name only.
        """
        name, project = self.filename.filename, self.filename.project
        mine = identity(name, project)
        if name in standing.files:
            return ()
        for removed in standing.removed:
            if removed == name or _is_another_wheel(removed, mine):
                continue
            if identity(removed, project) == mine:
                raise FileExists(f"File already exists: {name} (it is {removed}, which was removed)")
        objections = []
        for other, digest in standing.files.items():
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
        return self.rules.weigh(objections)


def _is_another_wheel(filename: str, mine: Identity) -> bool:
    """Return whether a file is a wheel, and not of that very release: most are, and that is soon told."""
    wheel = filename.endswith(".whl")
    return wheel and (mine.suffix != ".whl" or version_key(filename.split("-", 2)[1]) != mine.version)
