"""The contract suite of access policies."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import product
from typing import TYPE_CHECKING

from zope.interface.verify import verifyObject

from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal, Role
from pypid.testing.fakes import Synchronous

__all__ = ["AccessPolicyContract"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the suite itself is not a test case
    _Base = object


ROLES = tuple(frozenset(roles) for roles in ((), (Role.OWNER,), (Role.MAINTAINER,), Role))


class AccessPolicyContract(_Base):
    """The promises of :class:`pypid.interfaces.IAccessPolicy`."""

    principals: tuple[Principal | None, ...] = (None, Principal("alice"), Principal("bob"))
    """The principals to test with; the suite of a policy that knows users adds them."""
    projects: tuple[str, ...] = ("foo", "acme-tools")
    """The projects to test with; the suite of a policy that knows projects adds them."""

    def make_policy(self) -> IAccessPolicy:
        """Return the provider under test, not opened yet."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Open the provider."""
        super().setUp()
        self.policy = self.make_policy()
        self.policy.open()
        self.addCleanup(self.policy.close)

    def test_interface(self) -> None:
        """The provider provides the interface, and has a summary of one line."""
        self.assertTrue(verifyObject(IAccessPolicy, self.policy))
        self.assertEqual(len(self.policy.summary.splitlines()), 1)

    def test_decides(self) -> None:
        """Each question has an answer, and the same answer when it is repeated."""
        for question in product(self.principals, Action, (None, *self.projects), ROLES):
            answer = self.policy.permits(*question)
            self.assertIsInstance(answer, bool)
            self.assertIs(self.policy.permits(*question), answer)

    def test_any_project(self) -> None:
        """Whoever may do something with a project is not refused before the project is known."""
        for principal, action, project, roles in product(self.principals, Action, self.projects, ROLES):
            if self.policy.permits(principal, action, project, roles):
                self.assertTrue(self.policy.permits(principal, action, None, roles))

    def test_reading(self) -> None:
        """The permission to read does not depend on roles."""
        for principal, project, roles in product(self.principals, (None, *self.projects), ROLES):
            answer = self.policy.permits(principal, Action.READ, project, roles)
            self.assertIs(self.policy.permits(principal, Action.READ, project, frozenset()), answer)

    def test_visibility_key(self) -> None:
        """A principal without a key reads every project; principals with one key read the same projects."""

        def reads(reader: Principal | None, project: str | None) -> bool:
            return self.policy.permits(reader, Action.READ, project, frozenset())

        seen: dict[Hashable, list[bool]] = {None: [True for _ in self.projects]}
        for reader in (one for one in self.principals if reads(one, None)):
            found = [reads(reader, project) for project in self.projects]
            self.assertEqual(seen.setdefault(self.policy.visibility_key(reader), found), found)
