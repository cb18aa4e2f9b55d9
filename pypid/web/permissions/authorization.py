"""Authentication and authorization of requests. Every route uses this module."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Sequence

from attrs import evolve, field, frozen

from pypid.errors import Forbidden, StorageUnavailable, TooManyFailures, Unauthenticated
from pypid.interfaces import IAccessPolicy, IAuthenticator
from pypid.model import Action, Credentials, Limits, Principal, Role
from pypid.runtime.audit import audit
from pypid.runtime.outcome_tally import OutcomeTally
from pypid.runtime.single_flight import SingleFlight
from pypid.web.http.request import IndexRequest
from pypid.web.http.tallies import Tallies
from pypid.web.permissions.authorization_header import header_credentials
from pypid.web.permissions.known_passwords import KnownPasswords
from pypid.web.permissions.login_throttle import LoginSource, LoginThrottle
from pypid.web.permissions.sign_in_cache import SignInCache
from pypid.web.permissions.sign_in_queue import SignInQueue

__all__ = ["Authorization"]


@frozen
class _LimitedVisibility:
    """The projects that a token can read.

    They are the public projects, and the projects of its user that are within the token's limits.
    """

    anybody: Hashable | None
    """The visibility key of a client without credentials."""
    own: Hashable | None
    """The visibility key of the token's user."""
    limits: Limits
    """The limits of the token."""


@frozen
class Authorization:
    """Identifies the principal of a request, and checks that the access policy permits the request."""

    authenticators: Sequence[IAuthenticator]
    """The authenticators, asked in this order; empty if nobody can sign in."""
    policy: IAccessPolicy
    """The access policy, which decides what a principal may do."""
    command: str = ""
    """The administrator's command line for this index; empty if clients must not see it."""
    tally: OutcomeTally = field(factory=lambda: Tallies().sign_ins)
    """The counts of sign-ins."""
    seconds: Callable[[], float] = time.monotonic
    """The clock by which right and wrong passwords are forgotten."""
    throttle: LoginThrottle = field(kw_only=True)
    """The throttle for wrong passwords."""
    queue: SignInQueue = field(factory=SignInQueue, kw_only=True)
    """The queue of password checks."""
    _known: KnownPasswords = field(factory=KnownPasswords, kw_only=True)
    """The passwords that were right before."""
    _sign_ins: SingleFlight[Principal | None] = field(factory=SingleFlight, init=False)
    _cache: SignInCache = field(kw_only=True)

    @throttle.default
    def _make_throttle(self) -> LoginThrottle:
        return LoginThrottle(self.seconds)

    @_cache.default
    def _make_cache(self) -> SignInCache:
        return SignInCache(self.authenticators, self.seconds)

    def succeeded_by(
        self, authenticators: Sequence[IAuthenticator], policy: IAccessPolicy, command: str
    ) -> Authorization:
        """Return an authorization with other providers, which knows the same wrong and right passwords.

        Successes are remembered on only if the authenticators are the very same.
        """
        is_same = list(map(id, authenticators)) == list(map(id, self.authenticators))
        cache = self._cache if is_same else SignInCache(authenticators, self.seconds)
        return evolve(self, authenticators=authenticators, policy=policy, command=command, cache=cache)

    async def principal(self, request: IndexRequest) -> Principal | None:
        """Return the principal of a request, or ``None`` if the request has no credentials.

        A remembered principal is accepted regardless of other clients at the same address.

        :raises Unauthenticated: the request has wrong credentials. Public pages raise this too, so that a
            mistyped password is noticed at once.
        :raises TooManyFailures: the credentials are not checked, because too many were wrong before.
        :raises StorageUnavailable: too many other sign-ins from the same address are waiting.
        """
        values = request.requestHeaders.getRawHeaders(b"Authorization")
        if not values:
            return None
        try:
            credentials = header_credentials(values[0])
        except Unauthenticated:
            self.tally.add("malformed")
            raise
        known = await self._cache.recall(credentials)
        if known is not None:
            request.user_name = known.name
        if known is not None or not self.is_usable():
            return known
        # A token alone has no user name. If the token were taken as the name, it would be kept in memory,
        # and each guessed token would count as a new source.
        username = credentials.username if credentials.password else ""
        source = LoginSource.of(request.getClientAddress(), username)
        # Simultaneous requests with the same wrong password count as one failure. A guess costs and
        # counts the same if its client disconnects before the answer.
        principal = await self._sign_ins.run(
            (source, credentials), lambda: self._counted_sign_in(source, credentials)
        )
        if principal is None:
            raise Unauthenticated("the user name or password is wrong")
        request.user_name = principal.name
        return principal

    async def _counted_sign_in(self, source: LoginSource, credentials: Credentials) -> Principal | None:
        try:
            principal = await self._sign_in(source, credentials)
        except TooManyFailures:
            self.tally.add("throttled")
            raise
        except StorageUnavailable:
            self.tally.add("busy")
            raise
        self.tally.add("accepted" if principal is not None else "wrong")
        if principal is None:
            audit(f"wrong password of {source}", action="sign-in", who=str(source), outcome="wrong")
        return principal

    async def _sign_in(self, source: LoginSource, credentials: Credentials) -> Principal | None:
        """Check a password when its turn comes, and return its principal, or ``None`` if it is wrong.

        A password that was right before neither waits behind guesses nor counts as a guess. Otherwise
        guessers could lock its owner out: behind an untrusted proxy, all clients seem to have one address.
        """
        if credentials in self._known:
            async with self.queue.turn(("known", credentials.username)):
                principal = await self._cache.authenticate(credentials)
            if principal is not None:
                return principal
            self._known.forget(credentials)
        return await self._guess(source, credentials)

    async def _guess(self, source: LoginSource, credentials: Credentials) -> Principal | None:
        self.throttle.check(source)
        if self.queue.is_full(source.address):
            # This refusal does not count as a guess. Otherwise guessers could push others out of the
            # throttle's memory at no cost.
            raise StorageUnavailable("too many sign-ins at once; try again")
        self.throttle.count_attempt(source)
        try:
            async with self.queue.turn(source.address):
                principal = await self._cache.authenticate(credentials)
        except BaseException:
            self.throttle.forgive(source)
            raise
        if principal is not None:
            self.throttle.clear(source)
            self._known.remember(credentials)
        return principal

    def require(
        self,
        principal: Principal | None,
        action: Action,
        project: str | None,
        roles: frozenset[Role] = frozenset(),
    ) -> None:
        """Check that a principal may perform an action.

        :param roles: the principal's roles in the project; permission to read does not depend on them.
        :raises Unauthenticated: the action is not permitted without signing in.
        :raises Forbidden: the action is not permitted to this principal, or nobody can sign in.
        """
        if self.permits(principal, action, project, roles):
            return
        # The message is the same whether or not the project exists.
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
        """Return whether a principal may perform an action.

        A token permits an action if its limits permit it and its user may perform it. A token can also
        read all public projects, but it never permits a change outside its limits.
        """
        if principal is not None and principal.limits is not None:
            if action is Action.READ and self.policy.permits(None, action, project, frozenset()):
                return True
            if not principal.limits.permits(action, project):
                return False
        return self.policy.permits(principal, action, project, roles)

    def visibility_key(self, principal: Principal | None) -> Hashable | None:
        """Return a value that is equal for principals with the same readable projects; ``None`` for all.

        See :meth:`pypid.interfaces.IAccessPolicy.visibility_key`.
        """
        own = self.policy.visibility_key(principal)
        if principal is None or principal.limits is None:
            return own
        limits = principal.limits
        is_for_all = Action.READ in limits.actions and not limits.projects
        if self.is_public(None) or (own is None and is_for_all):
            return None
        return _LimitedVisibility(self.policy.visibility_key(None), own, limits)

    async def check(self, request: IndexRequest, action: Action, project: str | None) -> Principal | None:
        """Return the principal of a request, if it may perform an action. Every route begins here.

        :raises Unauthenticated: see :meth:`principal` and :meth:`require`.
        :raises TooManyFailures: see :meth:`principal`.
        :raises StorageUnavailable: see :meth:`principal`.
        :raises Forbidden: see :meth:`require`.
        """
        principal = await self.principal(request)
        self.require(principal, action, project)
        request.anybody_may_read = action is Action.READ and self.is_shareable(principal, project)
        return principal

    async def check_metrics(self, request: IndexRequest) -> None:
        """Check that a request has a token with the scope for metrics.

        :raises Unauthenticated: it has no credentials, or see :meth:`principal`.
        :raises TooManyFailures: see :meth:`principal`.
        :raises StorageUnavailable: see :meth:`principal`.
        :raises Forbidden: it has other credentials.
        """
        principal = await self.principal(request)
        if principal is None:
            raise Unauthenticated("to see metrics here, send a token with the scope metrics")
        if principal.limits is None or not principal.limits.metrics:
            raise Forbidden("metrics are only for tokens with the scope metrics")

    async def check_header(
        self, header: bytes | None, action: Action, project: str | None
    ) -> Principal | None:
        """Do the same as :meth:`check`, given only the ``Authorization`` header of a request.

        :raises LookupError: the credentials are not remembered, so they must be checked first.
        :raises Unauthenticated: the header is malformed, or see :meth:`require`.
        :raises Forbidden: see :meth:`require`.
        """
        principal = await self._cache.recall(header_credentials(header)) if header is not None else None
        if header is not None and principal is None and self.is_usable():
            raise LookupError("nobody who is remembered")
        self.require(principal, action, project)
        return principal

    def is_usable(self) -> bool:
        """Return whether anybody can sign in at all."""
        return any(authenticator.is_usable() for authenticator in self.authenticators)

    def is_open_to_strangers(self) -> bool:
        """Return whether some uploads are permitted without signing in."""
        return self.permits(None, Action.UPLOAD, None) or self.permits(None, Action.CREATE, None)

    def is_shareable(self, principal: Principal | None, project: str | None) -> bool:
        """Return whether anybody may read what a principal may read. Shared caches may then keep the answer.

        :param project: as for :meth:`is_public`.
        """
        return (principal is None and project is not None) or self.is_public(project)

    def is_public(self, project: str | None) -> bool:
        """Return whether anybody may read a project.

        :param project: a normalized name. ``None`` asks whether every project is public.
        """
        may_read = self.policy.permits(None, Action.READ, project, frozenset())
        return may_read and (project is not None or self.policy.visibility_key(None) is None)
