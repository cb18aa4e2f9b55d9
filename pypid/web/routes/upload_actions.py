"""The legacy upload API, as used by twine, uv, Poetry and setuptools."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from attrs import field, frozen
from twisted.logger import Logger

from pypid.errors import InvalidForm, OutOfSpace, PypidError, StorageRefused, StorageUnavailable
from pypid.index.administration import ProjectAdministration
from pypid.index.publishing import Index, UploadOutcome
from pypid.model import Action, Principal
from pypid.names import is_name, normalize
from pypid.runtime.audit import audit
from pypid.runtime.outcome_tally import OutcomeTally
from pypid.upload import check_form
from pypid.upload.form import UploadForm
from pypid.web.http.request_bodies import UploadBody
from pypid.web.http.responses import Response, text
from pypid.web.http.tallies import Tallies
from pypid.web.permissions.project_permissions import ProjectPermissions
from pypid.web.routes.classifiers import list_of_classifiers

__all__ = ["UploadActions"]

_log = Logger()
_HARMLESS = ("submit", "submit_pkg_info", "verify")
_DONE = {
    UploadOutcome.PUBLISHED: "published {}",
    UploadOutcome.REPLACED: "published {} in place of another file of that name",
    UploadOutcome.UNCHANGED: "{} is published already, with the same content",
}
_WOULD_BE_DONE = {
    UploadOutcome.PUBLISHED: "would publish {}",
    UploadOutcome.REPLACED: "would publish {} in place of another file of that name",
    UploadOutcome.UNCHANGED: "{} is published already, with the same content",
}

_OUTCOMES = {
    UploadOutcome.PUBLISHED: "published",
    UploadOutcome.REPLACED: "replaced",
    UploadOutcome.UNCHANGED: "unchanged",
}
"""The words of the metric."""


@frozen
class UploadActions:
    """Receives forms, and publishes their files."""

    index: Index
    """The index that publishes the files."""
    administration: ProjectAdministration
    """The service that removes releases."""
    permissions: ProjectPermissions
    """The permissions to upload and remove."""
    tally: OutcomeTally = field(factory=lambda: Tallies().uploads)
    """The counts of uploads."""

    async def receive(self, body: UploadBody, action: str | None, *, dry_run: bool) -> Response:
        """Perform the action of a form, and return the response.

        :param action: the ``:action`` of the query string; it is used if the form has none.
        :param dry_run: if true, only report the result that an upload would have, and change nothing.
        """
        form = await body.form()
        try:
            with _final_if_lasting():
                return await self._perform(form, body, action, dry_run=dry_run)
        finally:
            await body.staging.discard()

    async def _perform(
        self, form: UploadForm, body: UploadBody, action: str | None, *, dry_run: bool
    ) -> Response:
        action = form.first(":action") or action
        if action == "file_upload":
            return await self._publish(form, body, dry_run=dry_run)
        if action == "remove_pkg" and not dry_run:
            return await self._remove(form, body.principal)
        if action in _HARMLESS:
            return text(200, "nothing to do: projects are made by their first upload")
        if action == "list_classifiers":
            return list_of_classifiers()
        if action == "doc_upload":
            return text(410, "documentation is not hosted here")
        raise InvalidForm(":action: it must be file_upload")

    async def _publish(self, form: UploadForm, body: UploadBody, *, dry_run: bool) -> Response:
        with self._counted_failures():
            filename = await self.index.checks.run(check_form, form, self.index.rules)
            permit = partial(self.permissions.permit, body.principal, Action.UPLOAD, filename.project)
            result = await self.index.publish(
                form, filename, body.staging, body.principal, permit=permit, dry_run=dry_run
            )
        self.tally.add("tried" if dry_run else _OUTCOMES[result.outcome])
        done = _WOULD_BE_DONE[result.outcome] if dry_run else _DONE[result.outcome]
        said = done.format(filename.filename)
        who = _name(body.principal)
        if dry_run or result.outcome is UploadOutcome.UNCHANGED:
            _log.info("{who} uploads: {said}", said=said, who=who)
        else:
            outcome = _OUTCOMES[result.outcome]
            audit(
                f"{who} uploads: {said}",
                action="publish",
                who=who,
                project=filename.project,
                changed=filename.filename,
                outcome=outcome,
            )
        for warning in result.warnings:
            _log.warn("{who} uploads {file}: {warning}", who=who, file=filename.filename, warning=warning)
        return text(200, "\n".join([said, *(f"warning: {warning}" for warning in result.warnings)]))

    @contextmanager
    def _counted_failures(self) -> Iterator[None]:
        """Count an upload that is not published, by whether the uploader or this index is to blame."""
        try:
            yield
        except (OutOfSpace, StorageUnavailable):
            self.tally.add("failed")
            raise
        except PypidError:
            self.tally.add("refused")
            raise
        except BaseException:
            self.tally.add("failed")
            raise

    async def _remove(self, form: UploadForm, principal: Principal | None) -> Response:
        """Remove a release, as pypiserver does."""
        name, version = form.first("name"), form.first("version")
        if name is None or version is None or not is_name(name):
            raise InvalidForm("name, version: both must be there to remove a release")
        project = normalize(name)
        await self.permissions.require(principal, Action.DELETE, project)
        permit = self.permissions.permit(principal, Action.DELETE, project)
        removed = ", ".join(await self.administration.remove(project, version, permit=permit))
        who = _name(principal)
        audit(f"removed {removed} for {who}", action="removed", who=who, project=project, changed=removed)
        return text(200, f"removed {removed}")


@contextmanager
def _final_if_lasting() -> Iterator[None]:
    """Report a lasting failure as permanent, even a failure to read, so that clients do not retry.

    :raises StorageRefused: in place of a lasting :exc:`StorageUnavailable`.
    """
    try:
        yield
    except StorageUnavailable as error:
        if error.lasting:
            raise StorageRefused(str(error)) from error
        raise


def _name(principal: Principal | None) -> str:
    return principal.name if principal is not None else "anybody"
