"""Permissions under the policies that need no file."""

import pytest

from pypid.access.open import AnyoneAccess, OpenAccess, PrivateAccess
from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal, Role
from pypid.testing.access import AccessPolicyContract
from pypid.testing.fakes import Synchronous
from pypid.testing.policies import ReadersAccess

ALICE = Principal("alice")
NOBODY, OWNER, MAINTAINER = frozenset[Role](), frozenset({Role.OWNER}), frozenset({Role.MAINTAINER})


class OpenAccessTests(AccessPolicyContract, Synchronous):
    """Anyone reads."""

    def make_policy(self) -> IAccessPolicy:
        return OpenAccess()


class PrivateAccessTests(AccessPolicyContract, Synchronous):
    """Users read."""

    def make_policy(self) -> IAccessPolicy:
        return PrivateAccess()


class ReadersAccessTests(AccessPolicyContract, Synchronous):
    """Each reads something else."""

    principals = (None, *map(Principal, ("alice", "bob", "carol", "root")))

    def make_policy(self) -> IAccessPolicy:
        users = {"alice": ("acme-*",), "bob": ("acme-*",), "root": ("*",)}
        return ReadersAccess(("foo",), users)


def test_whoever_may_read_may_read_everything() -> None:
    """Where that is so nobody has a key, and nothing is looked up for lists."""
    assert (
        OpenAccess().visibility_key(None)
        is OpenAccess().visibility_key(ALICE)
        is PrivateAccess().visibility_key(ALICE)
        is None
    )


class AnyoneAccessTests(AccessPolicyContract, Synchronous):
    """Strangers upload."""

    def make_policy(self) -> IAccessPolicy:
        return AnyoneAccess()


@pytest.mark.parametrize("project", [None, "foo"])
@pytest.mark.parametrize("policy", [OpenAccess(), PrivateAccess(), AnyoneAccess()])
def test_roles_decide_about_what_is_there(policy: IAccessPolicy, project: str | None) -> None:
    """Users read and upload, maintainers yank too, and owners do all."""
    for roles, expected in [
        (NOBODY, {Action.READ, Action.UPLOAD, Action.CREATE}),
        (MAINTAINER, {Action.READ, Action.UPLOAD, Action.CREATE, Action.YANK}),
        (OWNER, set(Action)),
    ]:
        assert {action for action in Action if policy.permits(ALICE, action, project, roles)} == expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (OpenAccess(), {Action.READ}),
        (PrivateAccess(), set()),
        (AnyoneAccess(), {Action.READ, Action.UPLOAD, Action.CREATE}),
    ],
)
def test_strangers(policy: IAccessPolicy, expected: set[Action]) -> None:
    """They have no roles, whatever is said."""
    for roles in (NOBODY, OWNER):
        assert {action for action in Action if policy.permits(None, action, "foo", roles)} == expected
