"""The index: which project and file a name means, and what may be published.

What is here goes before what is upstream; a published file never changes, unless its version is
one that may be overwritten, and the name of a removed one takes no other bytes; of a
quarantined project nothing is offered.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime
from enum import Enum
from hashlib import sha256

from attrs import define, evolve, field, frozen

from pypid import archives
from pypid.errors import FileExists, NotFound
from pypid.index.acceptance import Candidate, Permit, Standing
from pypid.index.resolution import Resolver
from pypid.interfaces import ICatalog, IContent, IUpstream, IWorkers
from pypid.model import File, Principal, Project, Publication, Redirect, StoredProject
from pypid.names import ArchiveKind, Filename, Sidecar, parse_filename
from pypid.runtime.threaded_storage import StagedFile, ThreadedStorage
from pypid.upload import CheckedContent, UploadRules, check_content, sidecars
from pypid.upload.form import UploadForm

__all__ = ["Index", "UploadOutcome", "UploadResult"]


class UploadOutcome(Enum):
    """What came of an upload that was not refused."""

    PUBLISHED = "published"
    """The file is there, durably, and on the project's page."""
    REPLACED = "replaced"
    """So it is, in place of another one of the same name."""
    UNCHANGED = "unchanged"
    """The very same bytes were published before; nothing changed."""


@frozen
class UploadResult:
    """What came of an upload that was not refused, or would."""

    outcome: UploadOutcome
    """What happened."""
    warnings: Sequence[str] = ()
    """What stricter rules refuse, each in one line that names the field or the file."""


def _permit_all() -> Permit:
    """Permit everything, as for the administrator."""
    return lambda _standing: None


@define
class Index:
    """The projects that are published here, and behind them those of the upstreams."""

    storage: ThreadedStorage
    """Keeps the files."""
    catalog: ICatalog
    """Knows what pages show of them."""
    upstreams: Sequence[IUpstream]
    """Asked in order for projects that are not here."""
    workers: IWorkers
    """Where what readers ask for is put together, if that takes long."""
    now: Callable[[], datetime]
    """The time in UTC."""
    reserved: Sequence[str] = field(default=())
    """Patterns of normalized names that are never asked for upstream, such as ``acme-*``."""
    rules: UploadRules = field(factory=UploadRules)
    """What is published."""
    verify: sidecars.Verify | None = field(default=None)
    """Looks at the signatures of attestations, if anybody is to."""
    checks: IWorkers = field()
    """Where uploads are checked; readers do not wait for that."""
    _sources: Resolver = field(init=False)

    @checks.default
    def _check_where_the_rest_is(self) -> IWorkers:
        return self.workers

    @_sources.default
    def _make_sources(self) -> Resolver:
        return Resolver(self.catalog, self.upstreams, self.reserved)

    async def projects(self) -> Mapping[str, int]:
        """Give the serial of the last change of each project that is here, by normalized name, sorted."""
        return await self.catalog.projects()

    async def project(self, name: str, *, refresh: bool = False) -> Project | Redirect:
        """Give a project by normalized name, or where its page is; a quarantined one has no files (PEP 792).

        While nothing changed it is the very same object.

        :param refresh: ask an upstream even if what it keeps is fresh, as a client demanded.
        :raises NotFound: neither it is here nor any upstream has it.
        :raises NameWithheld: rules about names say that no upstream is to be asked for it, or none
            of those that may be asked has it.
        :raises UpstreamFailed: an upstream could not say; the ones after it are not asked,
            since their project of that name might be a stranger's.
        """
        return await self._sources.project(name, refresh=refresh)

    def version_key(self, name: str) -> Hashable | None:
        """Return a value that differs whenever :meth:`project` may return another project.

        ``None`` if only :meth:`project` can tell. See :meth:`pypid.interfaces.ICatalog.version_key`.
        """
        return None if self._sources.is_merged(name) else self.catalog.version_key(name)

    async def open_file(self, name: str, filename: str) -> tuple[File, IContent | Redirect]:
        """Open a file for sending, or tell where it is; the caller closes the content.

        :raises NotFound: there is none of that name.
        :raises Withheld: a rule says that it is not offered.
        :raises UpstreamFailed: it cannot be fetched.
        """
        file, upstream = await self._sources.file(name, filename)
        if upstream is not None:
            return file, await upstream.content(name, file)
        content = await self.storage.content(name, filename)
        if (content.length, content.modified_ns) == (file.size, file.modified_ns):
            return file, content
        # Changed behind our back, and in place, so that the directory does not tell.
        content.close()
        self.catalog.forget(name)
        file, _ = await self._sources.file(name, filename)
        return file, await self.storage.content(name, filename)

    async def core_metadata(self, name: str, filename: str) -> tuple[File, bytes]:
        """Give the core metadata of a file; of a local one if its project's page advertises it (PEP 658).

        :raises NotFound: there is no such file, or it has none.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: it cannot be fetched.
        """
        file, upstream = await self._sources.file(name, filename)
        if upstream is not None:
            return file, await upstream.metadata(name, file)
        if file.core_metadata is None:
            raise NotFound("the file has no core metadata to be had alone")
        found = await self.storage.sidecar(name, filename, Sidecar.METADATA)
        if found is None or sha256(found).hexdigest() != file.core_metadata:
            parsed = parse_filename(filename, name)
            found = await self.storage.read(name, filename, lambda f: archives.core_metadata(f, parsed))
        if found is None:
            raise NotFound("the file has no core metadata to be had alone")
        return file, found

    async def sidecar(self, name: str, filename: str, sidecar: Sidecar) -> bytes:
        """Give the signature or the provenance of a file, if its project's page tells of one.

        :raises NotFound: there is no such file, or it has none.
        :raises Withheld: a rule says that the file is not offered.
        :raises UpstreamFailed: it cannot be fetched.
        """
        file, upstream = await self._sources.file(name, filename)
        if upstream is not None and sidecar is Sidecar.PROVENANCE:
            return await upstream.provenance(name, file)
        told = {Sidecar.SIGNATURE: file.signed, Sidecar.PROVENANCE: file.provenance}
        found = await self.storage.sidecar(name, filename, sidecar) if told.get(sidecar) else None
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
        """Publish what was staged, or find that it is there already. Ends the staging.

        :param form: the form that it came with, found right by
            :func:`pypid.upload.check_form`, and ``filename`` as found there.
        :param permit: makes what is shown the project before all else, and raises what is to be raised if
            the principal may not publish a file of it. It is made anew after the archive was looked at.
        :param dry_run: whether to find out what would happen, and change nothing.
        :raises InvalidUpload: the archive is not what the form says, or not what the rules want,
            or what came with it is not right.
        :raises FileExists: other bytes are, or once were, published under that name.
        :raises Forbidden: the project's status is one that takes no uploads. As all that is said about the
            project, it is also judged by what the project is right before the file becomes visible.
        """
        candidate = Candidate(filename, form.hashes["sha256"], self.rules)
        try:
            project = await self.catalog.project(filename.project)
            standing = Standing.of_page(project)
            present = candidate.judge(standing, permit())
            uploader = principal.name if principal else None

            def check() -> tuple[CheckedContent, bytes | None, bytes | None]:
                warnings = candidate.compare(standing)
                with staging.reader() as file:
                    checked = check_content(file, form, filename, self.rules)
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
            # That took its time: both the project and what is permitted may be others now.
            permitted = permit()

            def admit(stored: StoredProject | None) -> None:
                standing = Standing.of_records(stored)
                candidate.judge(standing, permitted)
                candidate.compare(standing)

            try:
                await staging.publish(publication, admit)
            except FileExists:
                # With the same bytes that is as good; and only now it is certain to be durable.
                project = await self.catalog.project(filename.project)
                if candidate.judge(Standing.of_page(project), permitted) != candidate.digest:
                    raise
                return UploadResult(UploadOutcome.UNCHANGED, checked.warnings)
            # So that it is in the journal before anybody is told.
            await self.catalog.project(filename.project)
            return UploadResult(outcome, checked.warnings)
        finally:
            await staging.discard()
