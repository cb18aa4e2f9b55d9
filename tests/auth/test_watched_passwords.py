import errno
import os
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest import mock

from twisted.internet.task import Clock
from twisted.logger import LogLevel, capturedLogs, formatEvent

from pypid.auth.watched_passwords import WatchedPasswords
from pypid.errors import CannotStart
from pypid.testing.fakes import InlineWorkers, Synchronous


def line(user: str, letter: str = "a") -> str:
    """Return a line with some hash."""
    return f"{user}:$2y$05${letter * 21}u{letter * 31}\n"


class WatchedFileTests(Synchronous):
    """A password file that others write to."""

    def setUp(self) -> None:
        self.path = Path(self.enterContext(TemporaryDirectory())) / "users"
        self.clock = Clock()
        self.file = WatchedPasswords(self.path, False, InlineWorkers(), self.clock)
        self.write(line("alice") + line("bob"))
        self.file.open()
        self.events = self.enterContext(capturedLogs())
        self.seen = 0

    def write(self, text: str, age: float = 60) -> None:
        """Write the file, as if that many seconds ago."""
        self.path.write_text(text)
        now = time.time()
        os.utime(self.path, (now - age, now - age))

    def touch_directory(self, age: float) -> None:
        """Change the time at which its directory was changed."""
        now = time.time()
        os.utime(self.path.parent, (now - age, now - age))

    def users(self, seconds: float = 1) -> str:
        """Return the users that it knows after some time, each with the letter of the hash."""
        self.clock.advance(seconds)
        users = self.result(self.file.users())
        return " ".join(f"{user}={hashed[-1:].decode()}" for user, hashed in sorted(users.items()))

    def logged(self) -> list[str]:
        """Return the warnings and errors that were logged since the last call."""
        new, self.seen = self.events[self.seen :], len(self.events)
        return [formatEvent(event) for event in new if event["log_level"] > LogLevel.info]

    def test_unchanged(self) -> None:
        """Without a change it gives the same object, and does not read."""
        before = self.result(self.file.users())
        self.clock.advance(100)
        self.assertIs(self.result(self.file.users()), before)

    def test_change(self) -> None:
        """Passwords that changed, new users and users that are gone: all within a second, all at once."""
        self.write(line("alice", "b") + line("carol"))
        self.assertEqual(self.users(0.9), "alice=a bob=a")
        self.assertEqual(self.users(0.1), "alice=b carol=a")
        self.assertEqual(self.logged(), [])

    def test_b276_clock_set_back(self) -> None:
        """A change is seen though the clock was set back since the last look."""
        self.clock.advance(3600)
        self.users()
        self.clock.rightNow -= 1800
        self.write(line("alice", "b"))
        self.assertEqual(self.users(0), "alice=b")

    def test_replaced(self) -> None:
        """A file that was moved into place counts, even with the size and time of the old one."""
        status = self.path.stat()
        other = self.path.with_suffix(".new")
        other.write_text(line("alice", "b") + line("bob"))
        os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
        other.replace(self.path)
        self.assertEqual(self.users(), "alice=b bob=a")

    def test_t49_young_file(self) -> None:
        """While a file may still be half written, nobody is missing; what it has counts."""
        self.write(line("alice", "b") + line("carol"), age=-60)
        self.assertEqual(self.users(), "alice=b bob=a carol=a")
        self.assertEqual(self.users(0.9), "alice=b bob=a carol=a")
        self.assertEqual(self.users(0.1), "alice=b carol=a")

    def test_t49_rewritten_in_the_same_tick(self) -> None:
        """A young file is read once more, even if it looks the same."""
        self.write(line("alice", "b"), age=-60)
        self.users()
        status = self.path.stat()
        self.path.write_text(line("alice", "c"))
        os.utime(self.path, ns=(status.st_atime_ns, status.st_mtime_ns))
        self.users()
        self.assertEqual(self.users(), "alice=c")

    def test_t49_b262_cut_off_anywhere(self) -> None:
        """However much of a new file is there when it is looked at, nobody is missing."""
        whole = line("alice", "b") + line("bob", "b")
        for end in range(len(whole)):
            self.write(whole[:end], age=-60)
            self.assertIn(self.users(), ("alice=a bob=a", "alice=b bob=a", "alice=b bob=b"))
        self.write(whole)
        self.assertEqual(self.users(), "alice=b bob=b")
        self.assertEqual(self.logged(), [])

    def test_fault_a3_the_last_user_can_be_removed(self) -> None:
        """A file that is whole and names nobody lets nobody in, by whatever way it lost its users."""
        for text in ("", "\n# alice is gone\n", "alice:plain\n", "alice:!locked\n"):
            self.write(text)
            self.assertEqual(self.users(), "")
            said = self.logged()
            self.assertEqual(said[0], f"{self.path}: it has no usable user; its users cannot sign in")
            self.assertEqual(len(said), 1 + text.startswith("alice"))
            self.assertEqual(self.users(), "")
            self.assertEqual(self.logged(), [])
            self.assertFalse(self.file.is_there)
            self.write(line("alice") + line("bob"))
            self.assertTrue(self.file.is_there)
            self.assertEqual(self.users(), "alice=a bob=a")

    def test_fault_a3_t49_a_file_that_was_emptied_just_now(self) -> None:
        """Nobody is missing while its writer may still be at it; after two seconds nobody is there."""
        self.write("", age=-60)
        for _ in range(2):
            self.assertEqual(self.users(), "alice=a bob=a")
        self.write(line("alice", "b"), age=-60)
        self.assertEqual(self.users(), "alice=b bob=a")
        self.write("", age=-60)
        for _ in range(2):
            self.assertEqual(self.users(), "alice=b bob=a")
        self.assertEqual(self.users(), "")

    def test_fault_a3_a_file_that_is_gone(self) -> None:
        """It may be in the middle of being replaced; after two seconds it has no user."""
        self.path.unlink()
        self.touch_directory(-60)
        for _ in range(2):
            self.assertEqual(self.users(), "alice=a bob=a")
        self.assertEqual(self.logged(), [])
        self.assertEqual(self.users(), "")
        self.assertEqual(self.logged(), [f"{self.path}: it is gone; its users cannot sign in"])
        self.assertFalse(self.file.is_there)
        self.write(line("dora"))
        self.assertEqual(self.users(), "dora=a")

    def test_fault_a3_a_file_that_has_long_been_gone(self) -> None:
        """Who asks first, hours later, is not let in because nobody had looked."""
        self.path.unlink()
        self.touch_directory(60)
        self.assertEqual(self.users(), "")

    def test_fault_a3_what_cannot_be_read_tells_nothing(self) -> None:
        """Whoever was a user stays one, it is said once, and tried again until it can be read."""
        other = self.path.with_name("other")
        for make, undo, reason in (
            (self.path.mkdir, self.path.rmdir, "it is not a regular file"),
            (lambda: self.path.symlink_to(self.path), self.path.unlink, os.strerror(errno.ELOOP)),
            (lambda: self.write(line("eve") + "\0" * 9), self.path.unlink, "it is damaged: it has NUL bytes"),
        ):
            self.path.rename(other)
            make()
            for _ in range(4):
                self.assertEqual(self.users(), "alice=a bob=a")
            self.assertEqual(self.logged(), [f"{self.path}: {reason}; the users known before stay"])
            undo()
            other.rename(self.path)
            self.assertEqual(self.users(), "alice=a bob=a")

    def test_fault_a3_a_failure_to_read_once(self) -> None:
        """The version that could not be read is read when it can be: it may have lost a user."""
        for failure in (OSError(errno.EIO, "failed"), OSError(errno.EMFILE, "too many")):
            self.write(line("alice") + line("bob"))
            self.users()
            self.write(line("alice", "b"))
            with mock.patch.object(Path, "read_bytes", side_effect=failure):
                for _ in range(3):
                    self.assertEqual(self.users(), "alice=a bob=a")
            self.assertEqual(len(self.logged()), 1)
            self.assertEqual(self.users(), "alice=b")

    def test_fault_a3_a_writer_that_begins_while_it_is_read(self) -> None:
        """What was read of the next version is not taken for the one that has settled."""
        read = Path.read_bytes

        def truncated(path: Path) -> bytes:
            path.write_bytes(b"")
            return read(path)

        self.write(line("alice", "b"))
        with mock.patch.object(Path, "read_bytes", truncated):
            self.assertEqual(self.users(), "alice=a bob=a")
        self.write(line("alice", "c") + line("bob", "c"))
        self.assertEqual(self.users(), "alice=c bob=c")

    def test_fault_a3_the_file_that_may_be_missing_may_have_no_user(self) -> None:
        """Else a daemon whose last user was removed could not be started again."""
        self.file.optional = True
        for text in ("", "# nobody\n"):
            self.write(text)
            self.file.open()
            self.assertEqual(self.users(), "")
        self.write("bob:plain\n")
        self.assertRaisesRegex(CannotStart, "no usable user in", self.file.open)

    def test_the_first_user_can_sign_in_at_once(self) -> None:
        """Also in the second in which the daemon started: people make a user and go on."""
        self.path.unlink()
        file = WatchedPasswords(self.path, True, InlineWorkers(), self.clock)
        file.open()
        self.write(line("alice"))
        self.assertEqual(self.result(file.users()).keys(), {"alice"})

    def test_refused_lines(self) -> None:
        """Refused lines are logged when the file is believed, once."""
        self.write(line("alice") + "bob:s3cret\n", age=-60)
        self.assertEqual(self.users(), "alice=a bob=a")
        self.assertEqual(self.logged(), [])
        self.assertEqual(self.users(), "alice=a")
        (complaint,) = self.logged()
        self.assertTrue(complaint.startswith(f'{self.path}:2: user "bob": unrecognised'), complaint)
        self.users()
        self.assertEqual(self.logged(), [])

    def test_start(self) -> None:
        """Refused lines are logged at the start, too; the hash never."""
        self.write(line("alice") + "bob:s3cret\n")
        self.file.open()
        (complaint,) = self.logged()
        self.assertIn("bob", complaint)
        self.assertNotIn("s3cret", complaint)

    def test_cannot_start(self) -> None:
        """A file that is of no use at the start stops it, with what to do."""
        self.write("bob:plain\n")
        self.assertRaisesRegex(CannotStart, "no usable user in .*htpasswd -B -C 10 /.* bob$", self.file.open)
        self.write("")
        self.assertRaisesRegex(CannotStart, "no usable user in .*; add one with: htpasswd -B", self.file.open)
        self.path.unlink()
        self.assertRaisesRegex(CannotStart, "no password file .* htpasswd -c -B -C 10 /", self.file.open)
        self.path.mkdir()
        self.assertRaisesRegex(CannotStart, "cannot read .*: it is not a regular file", self.file.open)

    def test_young_at_the_start(self) -> None:
        """A file that may be half written at the start is read again a second later."""
        self.write(line("alice"), age=-60)
        self.file.open()
        self.assertEqual(self.users(0), "alice=a")
        self.write(line("alice") + line("bob"), age=-60)
        self.assertEqual(self.users(), "alice=a bob=a")
