"""Clients that guess passwords, and the sign-ins of others at the same time."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import bcrypt
import pytest
from harness.attacks import SECONDS, at_a_rate, meanwhile, sign_in
from harness.daemon import Daemon
from harness.http import ask
from harness.processes import wait_until
from harness.proxies import plain_nginx

Start = Callable[..., Daemon]

COST = 10
"""What ``pypid user`` makes: a check takes as long as it does in earnest."""
RATE = 200
"""Wrong passwords a second."""
SHARE = 20
"""More guesses from another address than are checked while a sign-in waits for its turn."""


@pytest.fixture
def private(daemon: Start, tmp_path: Path) -> Daemon:
    """Return an index with users whose passwords are as slow to check as usual; one has signed in."""
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(COST)).decode()
    users = tmp_path / "users"
    users.write_text(f"alice:{hashed}\nbob:{hashed}\ncarol:{hashed}\n")
    started = daemon("--auth", f"htpasswd:{users}", "--access", "private", "--upstream", "none")
    assert sign_in(started, "alice", "right").status == 200
    return started


def test_c115_t47_a_guesser_is_stopped(private: Daemon) -> None:
    """T47: after ten wrong ones; not the user who has signed in, nor others, nor one from elsewhere."""
    answers = [sign_in(private, "alice", f"{number}") for number in range(15)]
    assert [answer.status for answer in answers] == [401] * 10 + [429] * 5
    for answer in answers[10:]:
        assert 1 <= int(answer.headers["Retry-After"]) <= 300
        assert "too many wrong passwords" in answer.text
    assert sign_in(private, "alice", "right").status == 200
    assert sign_in(private, "bob", "right").status == 200
    for number in range(11):
        sign_in(private, "carol", f"{number}")
    assert sign_in(private, "carol", "right").status == 429
    assert sign_in(private, "carol", "right", source="127.0.0.2").status == 200
    assert sign_in(private, "carol", "right").status == 200, "she is remembered now"
    said = [line for line in private.log_text().splitlines() if "too many wrong passwords for" in line]
    assert [line.partition("too many wrong passwords for ")[2] for line in said] == [
        'user "alice" from 127.0.0.1',
        'user "carol" from 127.0.0.1',
    ]


@pytest.mark.timeout(180 + 4 * SECONDS)
@pytest.mark.parametrize("proxied", [False, True], ids=["directly", "behind nginx"])
def test_fault_a9_strangers_keep_nobody_from_signing_in(daemon: Start, tmp_path: Path, proxied: bool) -> None:
    """Made-up names by the hundred from one address; users who sign in for the first time from others."""
    hashed = bcrypt.hashpw(b"right", bcrypt.gensalt(COST)).decode()
    users = tmp_path / "users"
    users.write_text("".join(f"user-{number}:{hashed}\n" for number in range(1000)))
    started = daemon(
        *("--auth", f"htpasswd:{users}", "--access", "private", "--upstream", "none"),
        *("--trust-proxy", "127.0.0.1"),
    )
    with plain_nginx(tmp_path, started.port) if proxied else nullcontext(started.port) as port:
        checked: list[int] = []
        """The guesses that took a check of a password."""

        def user(number: int) -> tuple[int, int]:
            before, source = len(checked), f"127.9.1.{number % 250 + 1}"
            answer = sign_in(started, f"user-{number}", "right", source=source, port=port)
            return answer.status, len(checked) - before

        def guess(number: int) -> int:
            status = sign_in(started, f"guess-{number}", "x", source="127.9.0.1", port=port).status
            if status == 401:
                checked.append(number)
            return status

        with meanwhile(user) as (found,):
            answers = at_a_rate(RATE, guess)
    overtaken = sorted(guesses for _, guesses in found)
    print(f"A9: {len(found)} signed in, after at most {overtaken[-1]} guesses, {dict(answers)}")
    assert {status for status, _ in found} == {200}
    assert len(found) > SECONDS / 5
    assert overtaken[-1] < SHARE
    assert answers.keys() == {401, 503}
    assert '"127.9.0.1"' in started.log_text(), "the access log has the client, not the proxy"


@pytest.mark.timeout(120 + 2 * SECONDS)
@pytest.mark.parametrize(
    "guess", [lambda _: "alice", lambda number: f"guess-{number}"], ids=["one-user", "many-users"]
)
def test_t47_login_storm(private: Daemon, guess: Callable[[int], str]) -> None:
    """T47: who has signed in notices nothing; the guessers are told no, and others get in afterwards."""

    def health(_: int) -> float:
        begun = time.monotonic()
        assert ask(f"{private.url}+health").status == 200
        return time.monotonic() - begun

    with meanwhile(lambda _: sign_in(private, "alice", "right").status, health) as (alice, waits):
        answers = at_a_rate(RATE, lambda number: sign_in(private, guess(number), f"{number}").status)
    p99, worst = sorted(waits)[int(len(waits) * 0.99)] * 1000, max(waits) * 1000
    print(f"T47: {dict(answers)}; /+health p99 {p99:.1f} ms of {len(waits)}, worst {worst:.1f} ms")
    assert set(alice) == {200}
    assert answers.keys() <= {401, 429, 503}
    if guess(0) == "alice":
        assert answers == {401: 10, 429: RATE * SECONDS - 10}
    else:
        assert answers[401] > 0
        assert answers[503] > 0
    # Those that wait still are answered in their turn.
    wait_until(lambda: sign_in(private, "bob", "right").status == 200, "others get in again")
    assert sign_in(private, "alice", "right").status == 200
