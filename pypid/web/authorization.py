"""Who asks, and may they? Every route goes through here."""

from __future__ import annotations

import binascii
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from attrs import frozen
from twisted.web.http_headers import Headers

from pypid.errors import Forbidden, Unauthenticated
from pypid.interfaces import IAccessPolicy, IAuthenticator
from pypid.model import Action, Credentials, Principal, Role

if TYPE_CHECKING:
    from pypid.web.request import IndexRequest

__all__ = ["Authorization"]

MAX_CREDENTIALS = 8 * 1024
_BEARER = re.compile(rb" *[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1


@frozen
class Authorization:
    """Authenticators, asked in order, and the policy that decides about their principals."""

    authenticators: Sequence[IAuthenticator]
    """Know the principals; empty if nobody can sign in."""
    policy: IAccessPolicy
    """Knows what they may do."""

    async def principal(self, headers: Headers) -> Principal | None:
        """Give who sent a request, or ``None`` if it has no credentials.

        :raises Unauthenticated: it has credentials, and they are wrong. That is said on
            public pages too, so that a mistyped password shows at once.
        """
        values = headers.getRawHeaders(b"Authorization")
        return await self._principal(values[0]) if values else None

    async def _principal(self, header: bytes) -> Principal | None:
        credentials = _credentials(header)
        for authenticator in self.authenticators:
            principal = await authenticator.authenticate(credentials)
            if principal is not None:
                return principal
        if not self.is_usable():
            return None
        raise Unauthenticated("the user name or password is wrong")

    def require(
        self,
        principal: Principal | None,
        action: Action,
        project: str | None,
        roles: frozenset[Role] = frozenset(),
    ) -> None:
        """Check that somebody may do something.

        :param roles: what they are in the project; reading does not depend on it.
        :raises Unauthenticated: not as a stranger.
        :raises Forbidden: not at all.
        """
        if self.permits(principal, action, project, roles):
            return
        # The same is said of a project that is here, and of one that is not.
        verb = Action.UPLOAD.value if action is Action.CREATE else action.value
        if principal is not None:
            subject = f"project {project}" if project is not None else "this index"
            who = principal.name if principal.limits is None else f"this token of {principal.name}"
            raise Forbidden(f"{who} may not {verb} here: not permitted for {subject}")
        if not self.is_usable():
            raise Forbidden(
                "nobody can sign in to this index yet; its administrator makes a user with"
                " `pypid --root ROOT user add NAME`"
            )
        raise Unauthenticated(f"to {verb} here, sign in with a user name and password, or a token")

    def permits(
        self,
        principal: Principal | None,
        action: Action,
        project: str | None,
        roles: frozenset[Role] = frozenset(),
    ) -> bool:
        """Tell whether somebody may do something; with a token, what its user may and the token is for.

        What strangers may read a token may read too; but it changes nothing that it is not for.
        """
        if principal is not None and principal.limits is not None:
            if action is Action.READ and self.policy.permits(None, action, project, frozenset()):
                return True
            if not principal.limits.permit(action, project):
                return False
        return self.policy.permits(principal, action, project, roles)

    async def check(self, request: IndexRequest, action: Action, project: str | None) -> Principal | None:
        """Give who sent a request, if they may do this; every route begins here.

        :raises Unauthenticated: as :meth:`principal` and :meth:`require` say.
        :raises Forbidden: as :meth:`require` says.
        """
        principal = await self.principal(request.requestHeaders)
        self.require(principal, action, project)
        return principal

    async def check_header(self, header: bytes | None, action: Action, project: str | None) -> None:
        """Do as :meth:`check` does, for a request of which only the ``Authorization`` header is at hand."""
        principal = await self._principal(header) if header is not None else None
        self.require(principal, action, project)

    def is_usable(self) -> bool:
        """Tell whether anybody can sign in at all."""
        return any(authenticator.is_usable() for authenticator in self.authenticators)

    def is_public(self, project: str | None) -> bool:
        """Tell whether anybody may read, so that shared caches may keep the answer."""
        return self.policy.permits(None, Action.READ, project, frozenset())


def _credentials(header: bytes) -> Credentials:
    """Take Basic credentials (RFC 7617) or a Bearer token (RFC 6750) out of an ``Authorization`` header.

    :raises Unauthenticated: they are malformed or of another scheme.
    """
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() == b"bearer" and len(encoded) <= MAX_CREDENTIALS:
        if _BEARER.fullmatch(encoded) is None:
            raise Unauthenticated("the credentials are malformed")
        return Credentials("", encoded.strip().decode("ascii"))
    if scheme.lower() != b"basic" or len(encoded) > MAX_CREDENTIALS:
        raise Unauthenticated("sign in with HTTP Basic authentication, or a Bearer token")
    try:
        decoded = binascii.a2b_base64(encoded.strip(), strict_mode=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthenticated("the credentials are malformed") from None
    username, colon, password = decoded.partition(":")
    if not colon or not decoded.isprintable():
        raise Unauthenticated("the credentials are malformed")
    return Credentials(username, password)
