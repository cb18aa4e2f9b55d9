"""Passwords of all kinds, password files of all kinds, and files that change while they are read."""

from __future__ import annotations

import os
import subprocess
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Sequence
from itertools import count
from pathlib import Path

import bcrypt
import pytest
from harness.attacks import SECONDS, meanwhile, sign_in
from harness.conformance import write_users
from harness.daemon import Daemon, refused_start
from harness.http import ask
from harness.processes import require_tool, run, script, wait_until

Start = Callable[..., Daemon]

ACCEPTED = {
    "longest": "x" * 72,
    "longest-of-two-bytes": "é" * 36,
    "colons": ":a::b:",
    "blanks": "  ",
    "percent": "%00%3A",
    "unicode": "пароль ☃ 🔑",
}


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """Yield an index that only users may read, whose passwords are odd."""
    directory = tmp_path_factory.mktemp("passwords")
    users = write_users(directory / "users", *ACCEPTED.items())
    daemon = Daemon(
        directory / "pypi", ("--auth", f"htpasswd:{users}", "--access", "private", "--upstream", "none")
    )
    daemon.start()
    try:
        yield daemon
        daemon.stop()
    finally:
        daemon.kill()


@pytest.mark.parametrize("user", ACCEPTED)
def test_t50_odd_passwords(index: Daemon, user: str) -> None:
    """T50: taken as they are, to the last byte."""
    password = ACCEPTED[user]
    assert sign_in(index, user, password).status == 200
    for wrong in (password[:-1], password + " ", password.upper() + "x", f":{password}"):
        assert sign_in(index, user, wrong).status == 401
    assert sign_in(index, user, password).status == 200


@pytest.mark.parametrize(
    ("user", "password"),
    [
        ("longest", b"x" * 73),
        ("longest", b"x" * 7000),
        ("longest-of-two-bytes", "é".encode() * 36 + b"x"),
        ("longest-of-two-bytes", b"\xe9" * 36),
        ("unicode", "пароль".encode("koi8-r")),
        ("percent", b"\0:"),
        ("blanks", b"  \0"),
        ("blanks", b"  \0x"),
        ("colons", b""),
    ],
)
def test_t50_no_password(index: Daemon, user: str, password: bytes) -> None:
    """T50: what is too long, has a NUL, or is not UTF-8, is wrong and no error; the log repeats none."""
    assert sign_in(index, user, password).status == 401
    credentials = b64encode(b"%s:%s" % (user.encode(), password)).decode()
    assert credentials not in index.log_text()
    assert "x" * 73 not in index.log_text()


def test_t46_no_answer_tells_who_there_is(index: Daemon) -> None:
    """T46: a wrong password and an unknown user have the same answer, also when there were too many."""
    pages = [("/simple/", "GET"), ("/legacy/", "POST"), ("/packages/", "GET"), ("/", "HEAD")]
    for place, (path, method) in enumerate(pages, 1):
        for number in range(12):
            source = f"127.0.46.{place}"
            answers = [
                sign_in(index, user, f"{number}", source=source, path=path, method=method)
                for user in ("longest", "nobody")
            ]
            for answer in answers:
                del answer.headers["Date"], answer.headers["X-Request-Id"]
            known, unknown = (
                (answer.status, answer.reason, answer.body, _but_seconds(answer.headers.items()))
                for answer in answers
            )
            assert known == unknown
            assert known[0] == (401 if number < 10 else 429)


def _but_seconds(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Leave out how long there is to wait, which a moment may change."""
    return [(name, value if name != "Retry-After" else "") for name, value in headers]


def test_t48_a_changed_password(daemon: Start, tmp_path: Path) -> None:
    """T48: once the file was read again the old one is wrong, though it was remembered."""
    users = write_users(tmp_path / "users", ("alice", "old"), ("bob", "same"))
    private = daemon("--auth", f"htpasswd:{users}", "--access", "private", "--upstream", "none")
    assert sign_in(private, "alice", "old").status == 200
    write_users(users, ("alice", "new"), ("bob", "same"))

    def was_read() -> bool:
        assert sign_in(private, "bob", "same").status == 200
        return "changed; 2 users" in private.log_text()

    wait_until(was_read, "the file is read again")
    assert sign_in(private, "alice", "old").status == 401
    assert sign_in(private, "alice", "new").status == 200


@pytest.mark.parametrize("how", ["removed", "emptied in place", "deleted"])
def test_fault_a3_the_last_user_goes(daemon: Start, tmp_path: Path, how: str) -> None:
    """Whoever was remembered is not let in any more a few seconds later, and the daemon starts again."""
    private = daemon("--access", "private", "--upstream", "none")
    # From ever new addresses: those who are no users yet are wrong many times.
    numbers = count()

    def becomes(status: int) -> None:
        wait_until(
            lambda: sign_in(private, "alice", "right", source=_address(next(numbers))).status == status, how
        )

    path = write_users(private.root / "htpasswd", ("alice", "right"))
    becomes(200)
    begun = time.monotonic()
    if how == "removed":
        run([script("pypid"), "--root", private.root, "user", "remove", "alice", "--yes"])
    elif how == "deleted":
        path.unlink()
    else:
        path.write_bytes(b"")
    becomes(403)
    print(f"A3: {how}: {time.monotonic() - begun:.1f} s")
    assert "its users cannot sign in" in private.log_text()
    private.restart()
    becomes(403)
    write_users(path, ("alice", "right"))
    becomes(200)


@pytest.mark.timeout(120 + 2 * SECONDS)
@pytest.mark.parametrize("in_place", [False, True], ids=["atomically", "in-place"])
def test_t49_a_file_that_is_written_while_it_is_read(daemon: Start, tmp_path: Path, in_place: bool) -> None:
    """T49: a user is one throughout, and nobody else is, however the file is written."""
    path = tmp_path / "users"
    file = path.with_name("new")
    kept = write_users(path, ("alice", "right"), ("bob", "right")).read_bytes()
    hashes = [bcrypt.hashpw(b"%d" % number, bcrypt.gensalt(5)) for number in range(20)]

    def write(number: int) -> int:
        # Another user each time, so that what was verified has to be verified again.
        changing = [b"user%d:%s\n" % (one, hashes[(one + number) % 20]) for one in range(100)]
        data = b"".join(changing) + kept
        if not in_place:
            file.write_bytes(data)
            file.replace(path)
            return len(data)
        # As htpasswd does it, but more slowly, so that it is seen half done.
        with path.open("wb", buffering=0) as opened:
            for start in range(0, len(data), 500):
                opened.write(data[start : start + 500])
                os.sched_yield()
        return len(data)

    private = daemon("--auth", f"htpasswd:{path}", "--access", "private", "--upstream", "none")
    works = [
        write,
        lambda _: sign_in(private, "alice", "right").status,
        lambda _: sign_in(private, "bob", "right").status,
        # From ever new addresses, as otherwise there would be too many.
        lambda number: sign_in(private, "alice", "wrong", source=_address(number)).status,
        lambda number: sign_in(private, "nobody", "right", source=_address(number)).status,
    ]

    def noticed() -> int:
        return private.log_text().count(f"{path}: changed; ")

    end = time.monotonic() + SECONDS
    with meanwhile(*works) as (written, alice, bob, wrong, unknown):
        wait_until(
            lambda: time.monotonic() > end and len(alice) > 50 and noticed() > 1,
            "requests, and changes that are noticed",
            SECONDS + 60,
        )
    print(
        f"T49: {len(written)} times written, {len(alice) + len(bob)} and {len(wrong) + len(unknown)} requests"
    )
    assert set(alice) | set(bob) == {200}
    assert set(wrong) | set(unknown) == {401}
    assert noticed() > 1


def _address(number: int) -> str:
    return f"127.49.{number // 250 % 250}.{number % 250 + 1}"


@pytest.fixture
def old_users(tmp_path: Path) -> Path:
    """Return a users file as people have it who come from pypiserver, made by Apache's own tool."""
    htpasswd = require_tool("htpasswd", "apt-get install apache2-utils")
    path = tmp_path / "old-users"
    for user, options in (("sha", "-cbs"), ("apr1", "-bm")):
        subprocess.run([htpasswd, options, path, user, f"of {user}"], check=True, capture_output=True)
    return path


def test_users_who_come_from_pypiserver(daemon: Start, old_users: Path) -> None:
    """Are let in with the hashes that they have, if that is said."""
    auth = f"htpasswd:{old_users}:legacy=yes"
    private = daemon("--auth", auth, "--access", "private", "--upstream", "none")
    for user in ("sha", "apr1"):
        assert sign_in(private, user, f"of {user}").status == 200
        assert sign_in(private, user, "wrong").status == 401


def test_old_hashes_are_not_taken_unasked(old_users: Path, tmp_path: Path) -> None:
    """What to do is said, and the hash is not."""
    said = refused_start("--root", tmp_path / "pypi", "--auth", f"htpasswd:{old_users}")
    assert f'{old_users}:1: user "sha": SHA-1 hashes are not accepted without legacy=yes; run: ' in said
    assert f"htpasswd -B -C 10 {old_users} sha" in said
    assert not [line for line in old_users.read_text().split() if line.partition(":")[2] in said]


def test_the_realm(daemon: Start, tmp_path: Path) -> None:
    """It is what a browser shows; what would break the header out of its quotes is refused."""
    private = daemon("--realm", "Acme's index", "--access", "private", "--upstream", "none")
    with (private.root / "htpasswd").open("w") as users:
        users.write(f"alice:{bcrypt.hashpw(b'x', bcrypt.gensalt(5)).decode()}\n")
    challenge = ask(private.simple).headers["WWW-Authenticate"]
    assert challenge == 'Basic realm="Acme\'s index", charset="UTF-8"'
    said = refused_start("--root", tmp_path / "pypi", "--realm", 'a", charset="x')
    assert "--realm: " in said
    assert "is not a realm" in said
