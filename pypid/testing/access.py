"""What every access policy has to pass."""

from __future__ import annotations

from collections.abc import Hashable
from itertools import product
from typing import TYPE_CHECKING

from zope.interface.verify import verifyObject

from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal
from pypid.testing.fakes import Synchronous

__all__ = ["AccessPolicyContract"]

if TYPE_CHECKING:
    _Base = Synchronous
else:  # the suite itself is no test case
    _Base = object


class AccessPolicyContract(_Base):
    """The promises of :class:`pypid.interfaces.IAccessPolicy`."""

    principals: tuple[Principal | None, ...] = (None, Principal("alice"), Principal("bob"))
    """Who to ask for; a policy that knows names adds them here."""
    projects: tuple[str, ...] = ("foo", "acme-tools")
    """What to ask for; a policy that knows names adds them here."""

    def make_policy(self) -> IAccessPolicy:
        """Make the provider under test."""
        raise NotImplementedError

    def setUp(self) -> None:
        """Make the provider."""
        super().setUp()
        self.policy = self.make_policy()

    def test_interface(self) -> None:
        """It has all that the interface asks for, and a summary of one line."""
        self.assertTrue(verifyObject(IAccessPolicy, self.policy))
        self.assertEqual(len(self.policy.summary.splitlines()), 1)

    def test_decides(self) -> None:
        """Each question has an answer, and the same again."""
        for question in product(self.principals, Action, (None, *self.projects)):
            answer = self.policy.permits(*question)
            self.assertIsInstance(answer, bool)
            self.assertIs(self.policy.permits(*question), answer)

    def test_any_project(self) -> None:
        """Who may read or upload to some project is not turned away before the project is known."""
        for action in (Action.READ, Action.UPLOAD):
            for principal, project in product(self.principals, self.projects):
                if self.policy.permits(principal, action, project):
                    self.assertTrue(self.policy.permits(principal, action, None))

    def test_view(self) -> None:
        """Who has no view reads everything, and those of one view read the same."""
        readers = [one for one in self.principals if self.policy.permits(one, Action.READ, None)]
        seen: dict[Hashable, list[bool]] = {None: [True for _ in self.projects]}
        for reader in readers:
            reads = [self.policy.permits(reader, Action.READ, project) for project in self.projects]
            self.assertEqual(seen.setdefault(self.policy.view(reader), reads), reads)
