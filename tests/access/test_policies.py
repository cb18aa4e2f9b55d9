import pytest

from pypid.access.open import OpenAccess
from pypid.access.private import PrivateAccess
from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal
from pypid.testing.access import AccessPolicyContract
from pypid.testing.fakes import Synchronous
from pypid.testing.policies import ReadersAccess

ALICE = Principal("alice")


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


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize("project", [None, "foo"])
def test_who_may(action: Action, project: str | None) -> None:
    """A user may do all; others may read at most, and only where that is open."""
    assert OpenAccess().permits(ALICE, action, project)
    assert PrivateAccess().permits(ALICE, action, project)
    assert OpenAccess().permits(None, action, project) is (action is Action.READ)
    assert not PrivateAccess().permits(None, action, project)


def test_whoever_may_read_may_read_everything() -> None:
    """Where that is so nobody has a view, and nothing is looked up for lists."""
    assert OpenAccess().view(None) is OpenAccess().view(ALICE) is PrivateAccess().view(ALICE) is None
