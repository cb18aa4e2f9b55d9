"""``pypid user`` changes a password file."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import bcrypt
import pytest
from click.testing import CliRunner, Result

from pypid.auth.password_file import parse
from pypid.cli.main import main
from pypid.formats.api_tokens import dump, new

ALICE = "alice:$2y$05$abcdefghijklmnopqrstuuIMgsOOeSFgATCApVzxNTtIHtjRqZKPq"


def invoke(root: Path, *arguments: str, answer: str | None = None) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, ["--root", str(root), "user", *arguments], input=answer)


def password_of(root: Path, user: str, password: str) -> bool:
    """Return whether that is a user's password."""
    users = parse((root / "htpasswd").read_bytes(), "").users
    return user in users and bcrypt.checkpw(password.encode(), users[user])


def test_the_first_user_makes_the_file(tmp_path: Path) -> None:
    """It is not for everybody to read, and in Apache's spelling."""
    result = invoke(tmp_path, "add", "alice", "--password-stdin", answer="correct horse\n")
    assert (result.exit_code, result.output) == (0, f"added alice to {tmp_path / 'htpasswd'}\n")
    assert (tmp_path / "htpasswd").stat().st_mode & 0o777 == 0o640
    assert (tmp_path / "htpasswd").read_text().startswith("alice:$2y$10$")
    assert password_of(tmp_path, "alice", "correct horse")
    assert [path.name for path in tmp_path.iterdir()] == ["htpasswd"]


def test_everything_else_in_the_file_stays(tmp_path: Path) -> None:
    users = tmp_path / "htpasswd"
    users.write_text(f"# people\n\nold:{{SHA}}abc\n{ALICE}\nbob:x\n")
    users.chmod(0o604)
    invoke(tmp_path, "passwd", "alice", "--password-stdin", answer="new\r\n")
    invoke(tmp_path, "add", "carol", "--password-stdin", answer="hers\n")
    invoke(tmp_path, "add", "bob", "--password-stdin", answer="his\n")  # he could not sign in before
    lines = users.read_text().splitlines()
    assert lines[:3] == ["# people", "", "old:{SHA}abc"]
    assert [line.partition(":")[0] for line in lines[3:]] == ["alice", "bob", "carol"]
    for user, password in (("alice", "new"), ("bob", "his"), ("carol", "hers")):
        assert password_of(tmp_path, user, password)
    assert users.stat().st_mode & 0o777 == 0o604


def test_a_symbolic_link_stays_one(tmp_path: Path) -> None:
    (tmp_path / "real").write_text(f"{ALICE}\n")
    (tmp_path / "htpasswd").symlink_to("real")
    assert invoke(tmp_path, "add", "bob", "--password-stdin", answer="x\n").exit_code == 0
    assert (tmp_path / "htpasswd").is_symlink()
    assert password_of(tmp_path, "bob", "x")


def test_remove(tmp_path: Path) -> None:
    """All of the user's lines, and the tokens are named that go on."""
    (tmp_path / "htpasswd").write_text(f"{ALICE}\nbob:x\n{ALICE}\n")
    _, token = new("alice", set(), [], datetime.now(UTC), None)
    (tmp_path / "tokens").write_bytes(dump([token]))
    result = invoke(tmp_path, "remove", "alice", "--yes")
    expected = f"removed alice; their tokens go on, until: pypid token revoke {token.id}\n"
    assert (result.exit_code, result.output) == (0, expected)
    assert (tmp_path / "htpasswd").read_text() == "bob:x\n"


def test_list_and_check(tmp_path: Path) -> None:
    users = tmp_path / "htpasswd"
    users.write_text(f"{ALICE}\n")
    assert invoke(tmp_path, "list").output == "alice\n"
    result = invoke(tmp_path, "check")
    assert (result.exit_code, result.output) == (0, "1 user can sign in\n")
    users.write_text(f"{ALICE}\nbob:secret-canary\n")
    result = invoke(tmp_path, "check")
    assert result.exit_code == 1
    assert f'{users}:2: user "bob": unrecognised password format' in result.output
    assert "canary" not in result.output
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("nobody:x\n")
    assert "0 users can sign in" in invoke(tmp_path, "check", "--file", str(elsewhere)).output


@pytest.mark.parametrize(
    ("arguments", "answer", "said"),
    [
        (["add", "alice", "--password-stdin"], "x\n", "there is a user alice already"),
        (["add", "bob", "--password-stdin"], "\n", "the password is empty"),
        (["add", "bob", "--password-stdin"], "", "the password is empty"),
        (["add", "bob", "--password-stdin"], "é" * 37 + "\n", "at most 72 bytes"),
        (["add", "bob", "--password-stdin"], "a\0b\n", "at most 72 bytes, all printable"),
        (["add", "bob"], "x\nx\n", "say --password-stdin"),
        (["passwd", "bob", "--password-stdin"], "x\n", "there is no user bob"),
        (["remove", "bob", "--yes"], None, "there is no user bob"),
        (
            ["remove", "alice"],
            "y\n",
            "nobody is there to be asked whether to remove the user alice; say --yes",
        ),
        (["check", "--file", "/nowhere/htpasswd"], None, "there is no /nowhere/htpasswd"),
    ],
)
def test_refused(tmp_path: Path, arguments: list[str], answer: str | None, said: str) -> None:
    """With one line and the status 1; the file is as it was."""
    users = tmp_path / "htpasswd"
    users.write_text(f"{ALICE}\n")
    result = invoke(tmp_path, *arguments, answer=answer)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("pypid: ")
    assert said in result.stderr
    assert result.stderr.count("\n") == 1
    assert users.read_text() == f"{ALICE}\n"


@pytest.mark.parametrize("name", ["", "a b", "__token__", "a:b", "é", "x" * 65, "a\n"])
def test_names_that_no_user_can_have(tmp_path: Path, name: str) -> None:
    result = invoke(tmp_path, "add", "--password-stdin", "--", name, answer="x\n")
    assert result.exit_code == 2
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_is_not_there(tmp_path: Path) -> None:
    result = invoke(tmp_path / "missing", "add", "alice", "--password-stdin", answer="x\n")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "cannot change" in result.stderr


SHA1 = "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g="


def test_fault_f4_check_counts_users_with_old_hashes(tmp_path: Path) -> None:
    """It says how many there are, and the two ways to let them sign in."""
    users = tmp_path / "htpasswd"
    users.write_text(f"ann:{SHA1}\nbob:{SHA1}\n")
    said = invoke(tmp_path, "check").output
    assert "0 users can sign in" in said
    assert "2 users have SHA-1 hashes" in said
    assert f"user passwd --file {users} NAME" in said
    assert f"--auth htpasswd:{users}:legacy=yes" in said
    assert SHA1 not in said
    listed = invoke(tmp_path, "list")
    assert (listed.stdout, "2 users have SHA-1" in listed.stderr) == ("", True)
    users.write_text(f"{ALICE}\nann:$apr1$tXAtgu1v$NzPTHTKVcvEHbRGDLyFqP1\n")
    said = invoke(tmp_path, "check").output
    assert "1 user can sign in\n1 user has apr1-MD5 hashes" in said


@pytest.mark.parametrize("verb", ["add", "passwd"])
def test_fault_f7_nobody_is_asked_for_a_password_in_vain(
    tmp_path: Path, verb: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What would be refused afterwards is refused before."""
    monkeypatch.setattr("pypid.cli.users._password", lambda *_: pytest.fail("asked for a password"))
    missing = invoke(tmp_path / "missing", verb, "bob")
    assert (missing.exit_code, "is it the --root that the daemon has?" in missing.stderr) == (1, True)
    (tmp_path / "file").touch()
    assert invoke(tmp_path / "file", verb, "bob").exit_code == 1
    (tmp_path / "htpasswd").write_text(f"{ALICE}\n")
    refused = invoke(tmp_path, verb, {"add": "alice", "passwd": "bob"}[verb])
    assert (refused.exit_code, refused.stderr.count("\n")) == (1, 1)
    monkeypatch.setattr("os.access", lambda _, mode, **__: not mode & os.W_OK)
    refused = invoke(tmp_path, verb, {"add": "bob", "passwd": "alice"}[verb])
    assert (refused.exit_code, "Permission denied; run this as the user" in refused.stderr) == (1, True)


@pytest.mark.parametrize("verb", ["passwd", "remove"])
def test_fault_a2_removed_while_a_person_is_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """Who was removed meanwhile does not come back with a new password, and is not removed twice."""
    users = tmp_path / "htpasswd"
    users.write_text(f"{ALICE}\nbob:x\n")

    def removed_meanwhile(*_: object) -> bytes:
        users.write_text("bob:x\n")
        return b"new"

    monkeypatch.setattr("pypid.cli.users._password", removed_meanwhile)
    monkeypatch.setattr("pypid.cli.users.ask", removed_meanwhile)
    result = invoke(tmp_path, verb, "alice")
    assert (result.exit_code, "there is no user alice" in result.output) == (1, True)
    assert users.read_text() == "bob:x\n"
