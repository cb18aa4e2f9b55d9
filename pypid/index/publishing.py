"""The index: it finds projects and files by name, and publishes uploads.

Local projects go before upstream ones. A published file never changes, unless its version
may be overwritten; the name of a removed file is never used for other bytes. The files of a
quarantined project are not offered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from hashlib import sha256
from typing import BinaryIO

from attrs import define, evolve, field, frozen

from pypid import archives
from pypid.errors import FileExists, NotFound
from pypid.index.acceptance import Candidate, Permit, ProjectState
from pypid.index.resolution import Resolver
from pypid.interfaces import ICatalog, IContent, IUpstream, IWorkers
from pypid.model import File, Principal, Project, Publication, Redirect, StoredProject
from pypid.names import ArchiveKind, Filename, Sidecar, parse_filename
from pypid.runtime.threaded_storage import StagedFile, ThreadedStorage
from pypid.upload import CheckedContent, UploadRules, check_content, sidecars
from pypid.upload.form import UploadForm

__all__ = ["Index", "UploadOutcome", "UploadResult"]


class UploadOutcome(Enum):
    """The outcome of an upload that was not refused."""

    PUBLISHED = "published"
    """The file is published durably, and listed on the project's page."""
    REPLACED = "replaced"
    """The same, and it replaced another file of that name."""
    UNCHANGED = "unchanged"
    """The same bytes were published before; nothing changed."""


@frozen
class UploadResult:
    """The result of an upload that was not refused, or of a dry run."""

    outcome: UploadOutcome
    """The outcome."""
    warnings: Sequence[str] = ()
    """Warnings about faults that strict rules refuse, one line each, which names the field or the file."""


def _permit_all() -> Permit:
    """Return a function that permits everything, as for the administrator."""
    return lambda _standing: None


@define
class Index:
    """The local projects, and behind them those of the upstreams. Used in the reactor's thread."""

    storage: ThreadedStorage
    """The storage of the files."""
    catalog: ICatalog
    """The catalog of the local projects."""
    upstreams: Sequence[IUpstream]
    """The upstreams, in the order in which they are asked for projects that are not local."""
    workers: IWorkers
    """The threads that render long pages for readers."""
    now: Callable[[], datetime]
    """Returns the current time, in UTC."""
    reserved: Sequence[str] = field(default=())
    """Patterns of normalized names that are never looked up upstream, such as ``acme-*``."""
    rules: UploadRules = field(factory=UploadRules)
    """The rules for uploads."""
    verify: sidecars.Verify | None = field(default=None)
    """Verifies the signatures of attestations; ``None`` if they are not verified."""
    checks: IWorkers = field()
    """The threads that check uploads, so that readers do not wait for that; default: ``workers``."""
    check: Callable[[BinaryIO, UploadForm, Filename, UploadRules], CheckedContent] = field(
        default=check_content
    )
    """Checks an archive, as :func:`pypid.upload.check_content` does, perhaps in another process."""
    _resolver: Resolver = field(init=False)

    @checks.default
    def _default_checks(self) -> IWorkers:
        return self.workers

    @_resolver.default
    def _make_resolver(self) -> Resolver:
        return Resolver(self.catalog, self.upstreams, self.reserved)

    async def projects(self) -> Mapping[str, int]:
        """Return the serial of the last change of each local project, by normalized name, sorted."""
        return await self.catalog.projects()

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect:
        """Return a project by normalized name, or the address of its page.

        A quarantined project has no files (PEP 792). While nothing has changed, this returns the very same
        object.

        :param refresh: ask an upstream even if its cached page is fresh, as a client demanded.
        :raises NotFound: the project is neither local nor at any upstream.
        :raises NameWithheld: rules about names forbid to ask any upstream for it, or some upstreams, and
            the others do not have it.
        :raises UpstreamFailed: an upstream could not be asked. The upstreams after it are not asked,
            since their project of that name might be a stranger's.
        """
        return await self._resolver.project(name, refresh=refresh)

    def validator(self, name: str, project: Project | None = None) -> Hashable | None:
        """Return a value that differs whenever :meth:`project` may return another project.

        ``None`` if only :meth:`project` can tell. See :meth:`pypid.interfaces.ICatalog.validator`.

        :param project: the project that :meth:`project` has just returned, if it is at hand.
        """
        return None if self._resolver.is_merged(name) else self.catalog.validator(name, project)

    async def open_file(self, name: str, filename: str) -> tuple[File, IContent | Redirect]:
        """Return a file, and its content opened for sending or its address; the caller closes the content.

        :raises NotFound: there is no file of that name.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: the file cannot be fetched.
        """
        file, upstream = await self._resolver.file(name, filename)
        if upstream is not None:
            return file, await upstream.content(name, file)
        content = await self.storage.content(name, filename)
        if (content.length, content.modified_ns) == (file.size, file.modified_ns):
            return file, content
        # The file was changed in place, which does not change its directory.
        content.close()
        self.catalog.forget(name)
        file, _ = await self._resolver.file(name, filename)
        return file, await self.storage.content(name, filename)

    async def core_metadata(self, name: str, filename: str) -> tuple[File, bytes]:
        """Return a file and its core metadata; for a local file only if the page announces them (PEP 658).

        :raises NotFound: there is no such file, or it has none.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: it cannot be fetched.
        """
        for is_first in (True, False):
            file, upstream = await self._resolver.file(name, filename)
            if upstream is not None:
                return file, await upstream.metadata(name, file)
            if file.core_metadata is None:
                break
            found = await self._announced_metadata(name, file)
            if found is not None:
                return file, found
            if is_first:  # the archive was changed in place, which its directory does not show
                self.catalog.forget(name)
        raise NotFound("the file has no core metadata to be had alone")

    async def _announced_metadata(self, name: str, file: File) -> bytes | None:
        """Return the core metadata beside a local file or in it, or ``None`` if the page announces others."""
        found = await self.storage.sidecar(name, file.filename, Sidecar.METADATA)
        if found is None or sha256(found).hexdigest() != file.core_metadata:
            parsed = parse_filename(file.filename, name)
            found = await self.storage.read(name, file.filename, lambda f: archives.core_metadata(f, parsed))
        if found is None or sha256(found).hexdigest() != file.core_metadata:
            return None
        return found

    async def sidecar(self, name: str, filename: str, sidecar: Sidecar) -> bytes:
        """Return the signature or the provenance of a file, if its project's page announces it.

        :raises NotFound: there is no such file, or it has no such sidecar file.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: the sidecar file cannot be fetched.
        """
        file, upstream = await self._resolver.file(name, filename)
        if upstream is not None and sidecar is Sidecar.PROVENANCE:
            return await upstream.provenance(name, file)
        announced = {Sidecar.SIGNATURE: file.signed, Sidecar.PROVENANCE: file.provenance}
        found = await self.storage.sidecar(name, filename, sidecar) if announced.get(sidecar) else None
        if found is None:
            raise NotFound(f"the file has no {sidecar.name.lower()}")
        return found

    async def publish(
        self,
        form: UploadForm,
        filename: Filename,
        staging: StagedFile,
        principal: Principal | None,
        *,
        permit: Callable[[], Permit] = _permit_all,
        dry_run: bool = False,
    ) -> UploadResult:
        """Publish a staged file, or find that it is already published. This ends the staging in any case.

        Everything about the project is checked twice: before the archive is inspected, and right before
        the file becomes visible.

        :param form: the form of the upload, checked by :func:`pypid.upload.check_form`.
        :param filename: the result of that check.
        :param principal: the uploader; ``None`` for a client without credentials.
        :param permit: returns a function that raises an error if the principal may not publish in
            the project. It is called again after the archive was inspected, when the rights may be others.
        :param dry_run: find the outcome, and change nothing.
        :raises InvalidUpload: the archive or a sidecar file is not valid, differs from the form, or is
            refused by the rules.
        :raises FileExists: other bytes are, or were, published under that name.
        :raises Forbidden: the project's status does not allow uploads.
        """
        candidate = Candidate(filename, form.hashes["sha256"], self.rules)
        try:
            project = await self.catalog.project(filename.project)
            state = ProjectState.of_page(project)
            present = candidate.check(state, permit())
            uploader = principal.name if principal else None

            def check() -> tuple[CheckedContent, bytes | None, bytes | None]:
                warnings = candidate.check_spellings(state)
                with staging.reader() as file:
                    checked = self.check(file, form, filename, self.rules)
                checked = evolve(checked, warnings=(*checked.warnings, *warnings))
                return checked, *sidecars.checked(form, filename, uploader, self.verify)

            checked, signature, provenance = await self.checks.run(check)
            outcome = UploadOutcome.PUBLISHED if present is None else UploadOutcome.REPLACED
            if dry_run:
                unchanged = present == candidate.digest
                return UploadResult(UploadOutcome.UNCHANGED if unchanged else outcome, checked.warnings)
            publication = Publication(
                project=filename.project,
                filename=filename.filename,
                upload_time=self.now(),
                uploader=uploader,
                sha256=candidate.digest,
                metadata=checked.metadata if filename.kind is ArchiveKind.WHEEL else None,
                signature=signature,
                provenance=provenance,
                replaces=present if present != candidate.digest else None,
                founder=uploader,
            )
            # The inspection took time: both the project and the permissions may have changed.
            permitted = permit()

            def admit(stored: StoredProject | None) -> None:
                state = ProjectState.of_records(stored)
                candidate.check(state, permitted)
                candidate.check_spellings(state)

            try:
                await staging.publish(publication, admit)
            except FileExists:
                # The same bytes are a success, and by now they are certain to be durable.
                project = await self.catalog.project(filename.project)
                if candidate.check(ProjectState.of_page(project), permitted) != candidate.digest:
                    raise
                return UploadResult(UploadOutcome.UNCHANGED, checked.warnings)
            # The change must be in the journal before the client gets an answer.
            await self.catalog.project(filename.project)
            return UploadResult(outcome, checked.warnings)
        finally:
            await staging.discard()
