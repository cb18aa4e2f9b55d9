"""The routes that change published projects: yank, un-yank, status, people, removal.

Once begun, a change continues even if its client disconnects.
"""

from __future__ import annotations

from collections.abc import Coroutine, Mapping, Sequence
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import parse_qs

from twisted.internet.defer import Deferred

from pypid.errors import InvalidForm
from pypid.model import Role, Status
from pypid.runtime.audit import audit
from pypid.runtime.single_flight import shield
from pypid.web.http.request import IndexRequest
from pypid.web.http.request_bodies import SmallBody
from pypid.web.http.responses import Response, respond, text
from pypid.web.routes.needs import PermittedChange
from pypid.web.routes.services import Services

__all__ = ["change_people", "remove_file", "remove_release", "set_status", "unyank", "yank"]

E = TypeVar("E", bound=Enum)


async def yank(services: Services, request: IndexRequest, change: PermittedChange, version: str) -> bytes:
    """Yank a release, or only the file that the form names (PEP 592)."""
    form = _form(request, "reason", "file")
    yank = services.administration.yank(
        change.project, version, form.get("reason", ""), form.get("file"), permit=change.permit
    )
    return respond(request, await shield(_report("yanked", yank, change)))


async def unyank(services: Services, request: IndexRequest, change: PermittedChange, version: str) -> bytes:
    """Un-yank a release, or only the file that the form names (PEP 592)."""
    unyank = services.administration.unyank(
        change.project, version, _form(request, "file").get("file"), permit=change.permit
    )
    return respond(request, await shield(_report("un-yanked", unyank, change)))


async def set_status(services: Services, request: IndexRequest, change: PermittedChange) -> bytes:
    """Set a project's status (PEP 792)."""
    form = _form(request, "status", "reason")
    status = _choice(Status, form, "status")
    setting = services.administration.set_status(
        change.project, status, form.get("reason", ""), permit=change.permit
    )
    return respond(request, await shield(_report(f"made {status.value}:", setting, change)))


async def change_people(services: Services, request: IndexRequest, change: PermittedChange) -> bytes:
    """Add a user to a role in a project, or remove a user from it."""
    form = _form(request, "role", "add", "remove")
    role = _choice(Role, form, "role")
    if ("add" in form) == ("remove" in form):
        raise InvalidForm("add, remove: one of them must be there, with the name of a user")
    if "add" in form:
        added = services.administration.add_person(change.project, role, form["add"], permit=change.permit)
        return respond(request, await shield(_report(f"added as {role.value}:", added, change)))
    removed = services.administration.remove_person(
        change.project, role, form["remove"], permit=change.permit
    )
    return respond(request, await shield(_report(f"removed as {role.value}:", removed, change)))


async def remove_release(
    services: Services, request: IndexRequest, change: PermittedChange, version: str
) -> bytes:
    """Remove all files of a release."""
    removal = services.administration.remove(change.project, version, permit=change.permit)
    return respond(request, await shield(_report("removed", removal, change)))


async def remove_file(
    services: Services, request: IndexRequest, change: PermittedChange, filename: str
) -> bytes:
    """Remove one file of a project."""
    removal = services.administration.remove(change.project, filename=filename, permit=change.permit)
    return respond(request, await shield(_report("removed", removal, change)))


def _choice(kind: type[E], form: Mapping[str, str], field: str) -> E:
    """Return the member of an enumeration that a form field names.

    :raises InvalidForm: the field is missing, or names no member.
    """
    try:
        return kind(form.get(field))
    except ValueError:
        known = ", ".join(one.value for one in kind)
        raise InvalidForm(f"{field}: it must be one of {known}") from None


def _form(request: IndexRequest, *known: str) -> Mapping[str, str]:
    """Return the fields of the short form in a request's body; none if the request has no body.

    :param known: the permitted fields. Other fields are refused: if ``filename`` instead of ``file`` were
        ignored, a whole release would be yanked.
    :raises InvalidForm: the body is not a form, has other fields, or has a field twice.
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
    verb: str, making: Coroutine[Deferred[Any], Any, Sequence[str]], change: PermittedChange
) -> Response:
    """Make a change, log the changed items, and return them as the response to the client."""
    changed = ", ".join(await making)
    if not changed:
        return text(200, "nothing to do: it is so already")
    who = change.principal.name if change.principal is not None else "anybody"
    audit(
        f"{verb} {changed} for {who}",
        action=verb.rstrip(":"),
        who=who,
        project=change.project,
        changed=changed,
    )
    return text(200, f"{verb} {changed}")
