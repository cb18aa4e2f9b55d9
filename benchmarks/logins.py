"""T46 and T47: what the time of a refusal tells, and what others notice of those who guess passwords."""

from __future__ import annotations

import http.client
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from statistics import NormalDist, median

import bcrypt

from benchmarks import servers
from benchmarks.bystanders import GUESSES, SECONDS
from benchmarks.load import Polls
from benchmarks.nuisances import Nuisance
from benchmarks.servers import Server
from benchmarks.trees import USER, add_user
from pypid.testing.web import basic

__all__ = ["logins", "mann_whitney"]

SAMPLES = 300
OLD = {
    "SHA-1": "{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=",
    "apr1": "$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/",
}
"""Two hashes of "myPassword", from Apache's documentation."""

_sources = (f"127.46.{number // 250}.{number % 250 + 1}" for number in count())


def logins(directory: Path) -> Iterator[list[str]]:
    """Measure; give the rows of the table."""
    yield from _times(directory / "times")
    yield from _storms(directory / "storms")


def mann_whitney(first: Sequence[float], second: Sequence[float]) -> float:
    """Give the two-sided p of the Mann-Whitney U test, by its normal approximation.

    It is right for more than twenty samples of each, none of them equal.
    """
    ranked = sorted([(value, 0) for value in first] + [(value, 1) for value in second])
    ranks = sum(rank for rank, (_, which) in enumerate(ranked, 1) if which == 0)
    n, m = len(first), len(second)
    deviation = math.sqrt(n * m * (n + m + 1) / 12)
    z = (ranks - n * (n + m + 1) / 2) / deviation
    return 2 * NormalDist().cdf(-abs(z))


def _times(root: Path) -> Iterator[list[str]]:
    """T46: users with hashes of each kind, and one who is unknown, in turns."""
    root.mkdir()
    hashes = {"bcrypt": bcrypt.hashpw(b"x", bcrypt.gensalt(10)).decode(), **OLD}
    users = root / "users"
    users.write_text("".join(f"{kind}:{hashed}\n" for kind, hashed in hashes.items()))
    with servers.pypid(root, "--auth", f"htpasswd:{users}:legacy=yes") as server:
        waits: dict[str, list[float]] = {name: [] for name in (*hashes, "nobody")}
        for _ in range(SAMPLES):
            for name, found in waits.items():
                found.append(_refusal(server, name))
    unknown = waits.pop("nobody")
    yield ["T46", f"an unknown user, {SAMPLES} times, median", f"{median(unknown) * 1000:.2f} ms", ""]
    for kind, found in waits.items():
        apart = abs(median(found) / median(unknown) - 1)
        p = mann_whitney(found, unknown)
        yield [
            "T46",
            f"a wrong password, the right one's hash is {kind}",
            f"{median(found) * 1000:.2f} ms",
            f"{apart:.1%} apart, at most 5%; Mann-Whitney p = {p:.3f}, more than 0.01",
        ]


def _refusal(server: Server, username: str) -> float:
    """Give the seconds that it takes to be refused, from an address that was not refused before."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.port, timeout=60, source_address=(next(_sources), 0)
    )
    connection.request("GET", "/+health")
    connection.getresponse().read()
    begun = time.perf_counter()
    connection.request("GET", "/simple/", headers=basic(username, "wrong"))
    response = connection.getresponse()
    response.read()
    seconds = time.perf_counter() - begun
    connection.close()
    if response.status != 401:
        raise RuntimeError(f"{username}: {response.status}")
    return seconds


def _storms(root: Path) -> Iterator[list[str]]:
    """T47: wrong passwords for one user, who is soon looked after, and for ever new ones."""
    add_user(root)
    with ExitStack() as stack:
        server = stack.enter_context(servers.pypid(root))
        for whose, kind in (("nobody's", ""), (f"{USER[0]}'s", "guess"), ("as many users'", "guess-users")):
            polls = Polls(server)
            if kind:
                with Nuisance(kind, server, "/legacy/", GUESSES) as storm:
                    time.sleep(SECONDS)
                said = f"; {int(storm.answered) / SECONDS:.0f} answered"
            else:
                time.sleep(SECONDS)
                said = ""
            waits = polls.stop()
            p99 = waits[int(len(waits) * 0.99)]
            yield [
                "T47",
                f"/+health while {GUESSES if kind else 0} of {whose} passwords are guessed a second{said}",
                f"p99 {p99 * 1000:.1f} ms, worst {waits[-1] * 1000:.1f} ms",
                "at most 200 ms" if kind else "",
            ]
