"""Who asks, and may they? Every route goes through here."""

from __future__ import annotations

import binascii
import re
from collections.abc import Hashable, Sequence

from attrs import field, frozen

from pypid.errors import Forbidden, StorageUnavailable, Unauthenticated
from pypid.formats.api_tokens import token_id
from pypid.interfaces import IAccessPolicy, IAuthenticator
from pypid.model import Action, Credentials, Limits, Principal, Role
from pypid.principals import TOKEN_USER
from pypid.runtime.single_flight import SingleFlight
from pypid.web.http.request import IndexRequest
from pypid.web.permissions.known_passwords import KnownPasswords
from pypid.web.permissions.login_throttle import LoginSource, LoginThrottle
from pypid.web.permissions.sign_in_queue import SignInQueue

__all__ = ["Authorization"]

MAX_CREDENTIALS = 8 * 1024
_BEARER = re.compile(rb"[A-Za-z0-9._~+/-]+=*")  # RFC 6750, section 2.1


@frozen
class _LimitedView:
    """What a token shows: of what its user may read that which it is for, and what anybody may read."""

    anybody: Hashable | None
    """The view of strangers."""
    own: Hashable | None
    """The view of the user."""
    limits: Limits
    """What the token is for."""


@frozen
class Authorization:
    """Authenticators, asked in order, and the policy that decides about their principals."""

    authenticators: Sequence[IAuthenticator]
    """Know the principals; empty if nobody can sign in."""
    policy: IAccessPolicy
    """Knows what they may do."""
    failures: LoginThrottle = field(factory=LoginThrottle)
    """Knows who guesses passwords."""
    command: str = ""
    """How the administrator calls the command on this index, where all who ask may know it."""
    queue: SignInQueue = field(factory=SignInQueue, init=False)
    """Lets those whose passwords are checked take turns."""
    _known: KnownPasswords = field(factory=KnownPasswords, init=False)
    """Which passwords were right before."""
    _sign_ins: SingleFlight[Principal | None] = field(factory=SingleFlight, init=False)

    async def principal(self, request: IndexRequest) -> Principal | None:
        """Give who sent a request, or ``None`` if it has no credentials.

        Who is remembered is let in, whatever others do who come from the same address.

        :raises Unauthenticated: it has credentials, and they are wrong. That is said on
            public pages too, so that a mistyped password shows at once.
        :raises TooManyFailures: they are not looked at, as too many were wrong.
        :raises StorageUnavailable: too many others wait, who come from the same address.
        """
        values = request.requestHeaders.getRawHeaders(b"Authorization")
        if not values:
            return None
        credentials = _credentials(values[0])
        known = await self._recall(credentials)
        if known is not None or not self.is_usable():
            return known
        # A token alone has no user; as a name it would be kept, and each guess be another guesser.
        username = credentials.username if credentials.password else ""
        guesser = LoginSource.of(request.getClientAddress(), username)
        # Many requests at once with one wrong password are one failure; and a guess counts, and
        # costs as much, when its client does not wait for the answer.
        principal = await self._sign_ins.run(
            (guesser, credentials), lambda: self._sign_in(guesser, credentials)
        )
        if principal is None:
            raise Unauthenticated("the user name or password is wrong")
        return principal

    async def _recall(self, credentials: Credentials) -> Principal | None:
        for authenticator in self.authenticators:
            principal = await authenticator.recall(credentials)
            if principal is not None:
                return principal
        return None

    async def _sign_in(self, guesser: LoginSource, credentials: Credentials) -> Principal | None:
        """Check a password in its turn. One that was right before neither waits for guessers nor counts.

        Behind a proxy that is not trusted they seem to come from the same address as its owner.
        """
        if credentials in self._known:
            async with self.queue.turn(("known", credentials.username)):
                principal = await self._authenticate(credentials)
            if principal is not None:
                return principal
            self._known.forget(credentials)
        return await self._guess(guesser, credentials)

    async def _guess(self, guesser: LoginSource, credentials: Credentials) -> Principal | None:
        self.failures.check(guesser)
        if self.queue.is_full(guesser.address):
            # Nor does it count, or guessers could have others forgotten at no cost.
            raise StorageUnavailable("too many sign-ins at once; try again")
        self.failures.begin(guesser)
        try:
            async with self.queue.turn(guesser.address):
                principal = await self._authenticate(credentials)
        except BaseException:
            self.failures.take_back(guesser)
            raise
        if principal is not None:
            self.failures.forget(guesser)
            self._known.remember(credentials)
        return principal

    async def _authenticate(self, credentials: Credentials) -> Principal | None:
        for authenticator in self.authenticators:
            principal = await authenticator.authenticate(credentials)
            if principal is not None:
                return principal
        return None

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
            how = f"{self.command or 'pypid'} user add NAME"
            more = "" if self.command else "; the log of the daemon's start has the whole line"
            raise Forbidden(
                f"nobody can sign in to this index yet; its administrator makes a user with `{how}`{more}"
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

    def view(self, principal: Principal | None) -> Hashable | None:
        """Give a value that is equal for those who may read the same projects, ``None`` for all projects.

        See :meth:`pypid.interfaces.IAccessPolicy.view`.
        """
        own = self.policy.view(principal)
        if principal is None or principal.limits is None:
            return own
        limits = principal.limits
        is_for_all = Action.READ in limits.actions and not limits.projects
        if self.is_public(None) or (own is None and is_for_all):
            return None
        return _LimitedView(self.policy.view(None), own, limits)

    async def check(self, request: IndexRequest, action: Action, project: str | None) -> Principal | None:
        """Give who sent a request, if they may do this; every route begins here.

        :raises Unauthenticated: as :meth:`principal` and :meth:`require` say.
        :raises TooManyFailures: as :meth:`principal` says.
        :raises Forbidden: as :meth:`require` says.
        """
        principal = await self.principal(request)
        self.require(principal, action, project)
        request.anybody_may_read = action is Action.READ and self.is_public(project)
        return principal

    async def check_header(
        self, header: bytes | None, action: Action, project: str | None
    ) -> Principal | None:
        """Do as :meth:`check` does, for a request of which only the ``Authorization`` header is at hand.

        :raises LookupError: whose credentials it has must be found out first.
        """
        principal = await self._recall(_credentials(header)) if header is not None else None
        if header is not None and principal is None and self.is_usable():
            raise LookupError("nobody who is remembered")
        self.require(principal, action, project)
        return principal

    def is_usable(self) -> bool:
        """Tell whether anybody can sign in at all."""
        return any(authenticator.is_usable() for authenticator in self.authenticators)

    def is_open_to_strangers(self) -> bool:
        """True if there are uploads that need no sign-in."""
        return self.permits(None, Action.UPLOAD, None) or self.permits(None, Action.CREATE, None)

    def is_public(self, project: str | None) -> bool:
        """Tell whether anybody may read, so that shared caches may keep the answer.

        :param project: a normalized name. ``None`` asks whether that holds for every project.
        """
        may_read = self.policy.permits(None, Action.READ, project, frozenset())
        return may_read and (project is not None or self.policy.view(None) is None)


def _credentials(header: bytes) -> Credentials:
    """Take Basic credentials (RFC 7617) or a Bearer token (RFC 6750) out of an ``Authorization`` header.

    :raises Unauthenticated: they are malformed or of another scheme.
    """
    scheme, _, encoded = header.partition(b" ")
    if scheme.lower() == b"bearer" and len(encoded) <= MAX_CREDENTIALS:
        if _BEARER.fullmatch(token := encoded.strip()) is None:
            raise Unauthenticated("the credentials are malformed")
        return Credentials("", token.decode("ascii"))
    if scheme.lower() != b"basic" or len(encoded) > MAX_CREDENTIALS:
        raise Unauthenticated("sign in with HTTP Basic authentication, or a Bearer token")
    try:
        decoded = binascii.a2b_base64(encoded.strip(), strict_mode=True).decode("utf-8")
    except (binascii.Error, UnicodeDecodeError):
        raise Unauthenticated("the credentials are malformed") from None
    username, colon, password = decoded.partition(":")
    username, password = _without_blanks(username, password)
    if not colon or not (username + password).isprintable():
        raise Unauthenticated("the credentials are malformed")
    return Credentials(username, password)


def _without_blanks(username: str, password: str) -> tuple[str, str]:
    """Return a name and a password without what was pasted around a token; a password stays as it is."""
    if username == TOKEN_USER or token_id(password.strip()) is not None:
        return username, password.strip()
    if not password.strip() and token_id(username.strip()) is not None:
        return username.strip(), ""
    return username, password
