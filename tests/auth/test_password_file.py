import shutil
import subprocess
from pathlib import Path

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pypid.auth.hashes import decoys, matches
from pypid.auth.password_file import parse

HASH = "$2y$05$" + "a" * 21 + "u" + "b" * 31
OTHER = "$2y$05$" + "c" * 21 + "e" + "d" * 31


def one(line: str | bytes) -> str:
    """Return the complaint about a line that must not be used, without the place."""
    data = line.encode() if isinstance(line, str) else line
    file = parse(data + b"\n", "/etc/pypid/ht users")
    assert not file.users
    (complaint,) = file.complaints
    place, _, text = complaint.partition(": ")
    assert place == "/etc/pypid/ht users:1"
    return text


@pytest.mark.parametrize("mark", ["$2a$", "$2b$", "$2y$"])
@pytest.mark.parametrize("cost", ["05", "10", "14"])
def test_bcrypt(mark: str, cost: str) -> None:
    """Each spelling of bcrypt is taken, at each cost that is bearable."""
    hashed = f"{mark}{cost}{HASH[6:]}"
    file = parse(f"alice:{hashed}\n".encode(), "users")
    assert (file.users, file.complaints) == ({"alice": hashed.encode()}, ())


def test_b259_layout() -> None:
    """BOM, CRLF, comments, blank lines, spaces around a line and a missing last line end are fine."""
    data = f"\ufeffalice:{HASH}\r\n\r\n# carol:{HASH}\r\n  bob@example.org:{OTHER} \n\n-.:{HASH}".encode()
    file = parse(data, "users")
    assert list(file.users) == ["alice", "bob@example.org", "-."]
    assert file.complaints == ()


@pytest.mark.parametrize(
    ("hashed", "kind"),
    [
        ("$apr1$Qw3/Ae$0123456789012345678901", "apr1-MD5 hashes are not accepted without legacy=yes"),
        ("$1$Qw3/Ae$0123456789012345678901", "MD5 hashes are not accepted"),
        ("{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=", "SHA-1 hashes are not accepted without legacy=yes"),
        ("$5$salt$Gcm6FsVtF/Qa77ZKD.iwsJlCVPY0XSMgLJL0Hnww/c1", "SHA-256 hashes are not accepted"),
        ("$6$salt$IxDD3jeSOb5eB1CX5LBsqZFVkJdido3OUILO5Ifz5iwMuTS4", "SHA-512 hashes are not accepted"),
        ("$2x$" + HASH[4:], "$2x$ bcrypt hashes are not accepted"),
        ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$", "argon2 hashes are not accepted"),
        ("rqXexS6ZhobKA", "unrecognised password format"),
        ("s3cret", "unrecognised password format"),
        ("$2$05$" + HASH[7:], "the bcrypt hash is malformed"),
        ("$2b$5$" + HASH[7:], "the bcrypt hash is malformed"),
        ("$2b$04$" + HASH[7:], "bcrypt cost 4 is too low, 5 to 14 are taken"),
        ("$2y$05$" + "a" * 21 + "z" + "b" * 31, "the bcrypt hash is malformed"),
        (HASH[:-1], "the bcrypt hash is malformed"),
        (HASH + "x", "the bcrypt hash is malformed"),
        (HASH + ":extra", "the bcrypt hash is malformed"),
        (HASH[:-1] + "\0", "the bcrypt hash is malformed"),
        (HASH[:-1] + "é", "the bcrypt hash is malformed"),
        ("$2b$15$" + HASH[7:], "bcrypt cost 15 would hold up a core for seconds"),
        ("$2b$31$" + HASH[7:], "bcrypt cost 31 would hold up a core for seconds"),
        ("$2b$99$" + HASH[7:], "bcrypt cost 99 would hold up a core for seconds"),
        ("x" * 1_000_000, "unrecognised password format"),
    ],
)
def test_b259_b260_refused(hashed: str, kind: str) -> None:
    """Every other hash is refused with the user and the command that repairs it, never the hash."""
    repair = "run: htpasswd -B -C 10 '/etc/pypid/ht users' alice"
    assert one(f"alice:{hashed}") == f'user "alice": {kind}; {repair}'


@pytest.mark.parametrize("line", ["alice", "s3cret", "alice:", ":", "alice \0"])
def test_b259_no_entry(line: str) -> None:
    """A line without two parts is refused unseen; it may be a password."""
    assert one(line) == "not a USER:HASH line; ignored"


@pytest.mark.parametrize("user", ["", "al ice", "alice ", "älice", "a" * 65, "a/b", "$(reboot)", "a\0", '"'])
def test_b259_user_names(user: str) -> None:
    """A user name is refused unseen if it could do harm in a log or a shell."""
    assert one(f"x:{HASH}".replace("x", user, 1)).startswith("the user name is not 1 to 64 of")


def test_reserved_name() -> None:
    assert one(f"__token__:{HASH}") == 'the user name "__token__" is reserved for tokens; line ignored'


def test_duplicates() -> None:
    """The first line counts, even one that is refused: nobody gets in by a line that Apache ignores."""
    file = parse(f"alice:{HASH}\nalice:{OTHER}\nbob:plain\nbob:{OTHER}\n".encode(), "users")
    assert file.users == {"alice": HASH.encode()}
    assert file.complaints[0] == (
        'users:2: user "alice" appears twice; the first line is used, as Apache does'
    )
    assert [complaint[:8] for complaint in file.complaints[1:]] == ["users:3:", "users:4:"]


@given(st.binary(max_size=200))
def test_never_raises(data: bytes) -> None:
    """Any bytes parse, and no complaint is more than a line."""
    for complaint in parse(data, "users").complaints:
        assert len(complaint.splitlines()) == 1


@pytest.mark.skipif(not shutil.which("htpasswd"), reason="needs htpasswd: apt-get install apache2-utils")
def test_apaches_own_files(tmp_path: Path) -> None:
    """Apache's tool makes what is taken with -B, and what is taken on demand alone without."""
    users = tmp_path / "users"
    for user, *options in (("alice", "-cbB"), ("bob", "-bB", "-C", "6"), ("carol", "-bm"), ("dave", "-bs")):
        subprocess.run(["htpasswd", *options, users, user, "s3cret"], check=True, capture_output=True)
    file = parse(users.read_bytes(), str(users))
    assert list(file.users) == ["alice", "bob"]
    assert bcrypt.checkpw(b"s3cret", file.users["alice"])
    assert [complaint.split('"')[1] for complaint in file.complaints] == ["carol", "dave"]
    file = parse(users.read_bytes(), str(users), legacy=True)
    assert file.complaints == ()
    for hashed in file.users.values():
        assert matches(b"s3cret", hashed, decoys(file.users.values()))


def test_fault_f4_users_with_old_hashes() -> None:
    """They are known by the kind of their hash, if it is sound; the hint has the line to write."""
    data = (
        b"ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\nbob:$apr1$tXAtgu1v$NzPTHTKVcvEHbRGDLyFqP1\ncy:{SHA}short\n"
    )
    found = parse(data, "/etc/my users")
    assert found.legacy == {"ann": "SHA-1", "bob": "apr1-MD5"}
    hint = found.legacy_hint("/etc/my users")
    assert hint.startswith("2 users have SHA-1 or apr1-MD5 hashes: ")
    assert "--auth 'htpasswd:/etc/my users:legacy=yes'" in hint
    assert len(hint.splitlines()) == 1
    assert parse(data, "/etc/users", legacy=True).legacy_hint("/etc/users") == ""
    assert parse(b"", "/etc/users").legacy_hint("/etc/users") == ""


def test_fault_f4_the_library_that_it_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named where it is missing."""
    found = parse(b"ann:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=\n", "users")
    assert "pip install" not in found.legacy_hint("users")
    monkeypatch.setattr("pypid.auth.password_file.find_spec", lambda _: None)
    assert "pip install 'pypid-server[legacy]'" in found.legacy_hint("users")
