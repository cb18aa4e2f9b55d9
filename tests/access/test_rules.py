"""The policy of a rules file that changes during use."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent

from pypid.access.rules import RulesAccess
from pypid.errors import CannotStart
from pypid.interfaces import IAccessPolicy
from pypid.model import Action, Principal, Role
from pypid.testing.access import AccessPolicyContract
from pypid.testing.fakes import HeldWorkers, InlineWorkers, Synchronous

ANN, BOB = Principal("ann"), Principal("bob")
FOR_ANN, FOR_BOB = (f'[default]\nread = ["{name}"]\n' for name in ("ann", "bob"))


class RulesAccessContractTests(AccessPolicyContract, Synchronous):
    """It is a policy like the others."""

    def make_policy(self) -> IAccessPolicy:
        path = Path(self.enterContext(TemporaryDirectory())) / "rules.toml"
        path.write_text(
            '[[project]]\nnames = ["acme-*"]\nread = ["bob"]\nupload = [":maintainers", "alice"]\n'
            'create = []\nyank = [":anyone"]\n'
        )
        return RulesAccess(path, InlineWorkers(), Clock())


class ReloadTests(Synchronous):
    """The file changes."""

    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory())) / "rules.toml"
        self.path.write_text(FOR_ANN)
        self.clock = Clock()
        self.policy = RulesAccess(self.path, InlineWorkers(), self.clock)
        self.policy.open()
        self.addCleanup(self.policy.close)
        self.events = self.enterContext(capturedLogs())

    def readers(self, seconds: int = 0) -> str:
        """Name those who may read after some time."""
        self.clock.pump([1] * seconds)
        return " ".join(one.name for one in (ANN, BOB) if self.permits(one))

    def permits(self, principal: Principal | None) -> bool:
        return self.policy.permits(principal, Action.READ, "foo", frozenset())

    def logged(self) -> list[str]:
        """Return the message of the refusal."""
        return [formatEvent(event) for event in self.events if event["log_level"] > LogLevel.info]

    def test_change(self) -> None:
        """It takes two looks, a second apart, at the same file."""
        self.path.write_text(FOR_BOB)
        self.assertEqual([self.readers(1) for _ in range(3)], ["ann", "bob", "bob"])
        self.assertEqual(self.logged(), [])

    def test_t49_half_written(self) -> None:
        """However much of a new file is there, it changes nothing while it grows, and nothing is said."""
        for end in range(len(FOR_BOB)):
            self.path.write_text(FOR_BOB[:end])
            self.assertEqual(self.readers(1), "ann")
        self.path.write_text(FOR_BOB)
        self.assertEqual(self.readers(2), "bob")
        self.assertEqual(self.logged(), [])

    def test_bad(self) -> None:
        """A file that is wrong, or gone, changes nothing, and is complained of once."""
        self.path.write_text("[default]\nraed = []\n")
        self.assertEqual(self.readers(9), "ann")
        [complaint] = self.logged()
        self.assertIn("[default]: there is nothing called 'raed'", complaint)
        self.assertTrue(complaint.endswith("; the rules known before stay"), complaint)
        self.path.unlink()
        self.assertEqual(self.readers(9), "ann")
        self.assertEqual(len(self.logged()), 2)
        self.path.write_text(FOR_BOB)
        self.assertEqual(self.readers(2), "bob")
        self.assertEqual(len(self.logged()), 2)

    def test_view(self) -> None:
        """Those who may read the same are alike, and not like those of another version of the file."""
        before = self.policy.visibility_key(ANN), self.policy.visibility_key(BOB)
        self.assertIsNone(before[0])
        self.assertIsNotNone(before[1])
        self.assertEqual(self.policy.visibility_key(None), before[1])
        self.path.write_text(FOR_BOB)
        self.readers(2)
        self.assertIsNone(self.policy.visibility_key(BOB))
        self.assertNotEqual(self.policy.visibility_key(ANN), before[1])

    def test_the_same_again(self) -> None:
        """Touching the file, or writing the same, makes no new version of the rules."""
        before = self.policy.visibility_key(BOB)
        self.path.write_text(FOR_ANN)
        self.readers(3)
        self.assertEqual(self.policy.visibility_key(BOB), before)

    def test_reading_is_left_to_the_workers(self) -> None:
        """While they are busy the old rules hold, and nothing more is asked of them."""
        workers = HeldWorkers()
        policy = RulesAccess(self.path, workers, self.clock)
        policy.open()
        self.path.write_text(FOR_BOB)
        self.clock.pump([1] * 9)
        self.assertTrue(policy.permits(ANN, Action.READ, "foo", frozenset()))
        for _ in range(2):
            workers.work_all()
            self.clock.advance(1)
        workers.work_all()
        self.assertTrue(policy.permits(BOB, Action.READ, "foo", frozenset()))
        policy.close()
        self.clock.advance(10)
        self.assertEqual([call for call in self.clock.getDelayedCalls() if call.active()][1:], [])

    def test_roles(self) -> None:
        """What the file does not say is as without one."""
        for roles, expected in ((frozenset[Role](), False), (frozenset({Role.OWNER}), True)):
            self.assertIs(self.policy.permits(BOB, Action.DELETE, "foo", roles), expected)


class StartTests(Synchronous):
    """What is of no use stops the start, in one line."""

    def test_cannot_start(self) -> None:
        path = Path(self.enterContext(TemporaryDirectory())) / "rules.toml"
        policy = RulesAccess(path, InlineWorkers(), Clock())
        self.assertRaisesRegex(CannotStart, "cannot read the access rules /.*: No such file", policy.open)
        path.write_text("[default\n")
        self.assertRaisesRegex(CannotStart, r"^/.*/rules\.toml: it is no TOML: .*line 1", policy.open)
        path.unlink()
        path.mkdir()
        self.assertRaisesRegex(CannotStart, "it is not a regular file", policy.open)
        policy.close()
