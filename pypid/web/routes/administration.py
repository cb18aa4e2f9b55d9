"""The routes of changes: yank, un-yank, status, people, removal."""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred
from twisted.logger import Logger

from pypid.errors import InvalidForm
from pypid.index.acceptance import Permit
from pypid.index.administration import ProjectAdministration
from pypid.model import Action, Principal, Role, Status
from pypid.names import normalize
from pypid.runtime.single_flight import shield
from pypid.web.http.cross_site import check_host, refuse_cross_site
from pypid.web.http.request import IndexRequest
from pypid.web.http.request_bodies import SmallBody
from pypid.web.http.responses import Response, respond, text
from pypid.web.permissions.project_permissions import ProjectPermissions
from pypid.web.routes.converters import app

__all__ = ["ChangeRoutes"]

E = TypeVar("E", bound=Enum)
_log = Logger()


class ChangeRoutes:
    """What changes that is published already. Once begun, a change goes on without its client."""

    rights: ProjectPermissions
    changes: ProjectAdministration
    public_url: str | None

    @app.route("/project/<name:name>/<version>/yank", methods=["POST"])
    async def yank(self, request: IndexRequest, name: str, version: str) -> bytes:
        """Yank a release, or the one of its files that the form names (PEP 592)."""
        project, principal, permit = await self._permitted(request, Action.YANK, name)
        form = _form(request, "reason", "file")
        yank = self.changes.yank(project, version, form.get("reason", ""), form.get("file"), permit=permit)
        return respond(request, await shield(_report("yanked", yank, principal)))

    @app.route("/project/<name:name>/<version>/unyank", methods=["POST"])
    async def unyank(self, request: IndexRequest, name: str, version: str) -> bytes:
        """Take a yank back (PEP 592)."""
        project, principal, permit = await self._permitted(request, Action.YANK, name)
        unyank = self.changes.unyank(project, version, _form(request, "file").get("file"), permit=permit)
        return respond(request, await shield(_report("un-yanked", unyank, principal)))

    @app.route("/project/<name:name>/status", methods=["POST"])
    async def set_status(self, request: IndexRequest, name: str) -> bytes:
        """Set a project's status (PEP 792)."""
        project, principal, permit = await self._permitted(request, Action.ADMINISTER, name)
        form = _form(request, "status", "reason")
        status = _choice(Status, form, "status")
        change = self.changes.set_status(project, status, form.get("reason", ""), permit=permit)
        return respond(request, await shield(_report(f"made {status.value}:", change, principal)))

    @app.route("/project/<name:name>/people", methods=["POST"])
    async def change_people(self, request: IndexRequest, name: str) -> bytes:
        """Give somebody a role in a project, or take it from them."""
        project, principal, permit = await self._permitted(request, Action.ADMINISTER, name)
        form = _form(request, "role", "add", "remove")
        role = _choice(Role, form, "role")
        if ("add" in form) == ("remove" in form):
            raise InvalidForm("add, remove: one of them must be there, with the name of a user")
        if "add" in form:
            added = self.changes.add_person(project, role, form["add"], permit=permit)
            return respond(request, await shield(_report(f"added as {role.value}:", added, principal)))
        removed = self.changes.remove_person(project, role, form["remove"], permit=permit)
        return respond(request, await shield(_report(f"removed as {role.value}:", removed, principal)))

    @app.route("/project/<name:name>/<version>/", methods=["DELETE"])
    @app.route("/project/<name:name>/<version>", methods=["DELETE"])
    async def remove_release(self, request: IndexRequest, name: str, version: str) -> bytes:
        """Remove all files of a release."""
        project, principal, permit = await self._permitted(request, Action.DELETE, name)
        removal = self.changes.remove(project, version, permit=permit)
        return respond(request, await shield(_report("removed", removal, principal)))

    @app.route("/packages/<name:name>/<filename:filename>", methods=["DELETE"])
    async def remove_file(self, request: IndexRequest, name: str, filename: str) -> bytes:
        """Remove one file."""
        project, principal, permit = await self._permitted(request, Action.DELETE, name)
        removal = self.changes.remove(project, filename=filename, permit=permit)
        return respond(request, await shield(_report("removed", removal, principal)))

    async def _permitted(
        self, request: IndexRequest, action: Action, name: str
    ) -> tuple[str, Principal | None, Permit]:
        """Give the project's normalized name, and who asks, if they may; and what asks that once more."""
        refuse_cross_site(request.requestHeaders, self.public_url)
        project = normalize(name)
        principal = await self.rights.check(request, action, project)
        if principal is None:
            check_host(request.requestHeaders, self.public_url)
        return project, principal, self.rights.permit(principal, action, project)


def _choice(kind: type[E], form: Mapping[str, str], field: str) -> E:
    """Read a field that names one of a few. :raises InvalidForm: it is missing, or none of them."""
    try:
        return kind(form.get(field))
    except ValueError:
        known = ", ".join(one.value for one in kind)
        raise InvalidForm(f"{field}: it must be one of {known}") from None


def _form(request: IndexRequest, *known: str) -> Mapping[str, str]:
    """Read the short form that is a request's body, if it has one.

    :param known: the fields it may have. Any other is refused: with ``filename`` for ``file``
        a whole release would be yanked.
    :raises InvalidForm: it has others, or one twice, or is none.
    """
    if not isinstance(request.body, SmallBody):
        return {}
    try:
        fields = parse_qs(
            request.body.data.decode("utf-8"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=len(known),
        )
    except ValueError:
        raise InvalidForm(f"the form cannot be read: its fields are {', '.join(known)}") from None
    if not fields.keys() <= set(known) or any(len(values) > 1 for values in fields.values()):
        raise InvalidForm(f"the form has other fields than {', '.join(known)}, or one of them twice")
    return {name: values[0] for name, values in fields.items()}


async def _report(
    verb: str, change: Coroutine[Deferred[Any], Any, Sequence[str]], principal: Principal | None
) -> Response:
    """Make a change, and say in the log and to the client what was changed."""
    changed = ", ".join(await change)
    if not changed:
        return text(200, "nothing to do: it is so already")
    who = principal.name if principal is not None else "anybody"
    _log.info("{verb} {changed} for {who}", verb=verb, changed=changed, who=who)
    return text(200, f"{verb} {changed}")
