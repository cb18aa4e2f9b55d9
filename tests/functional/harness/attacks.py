"""Many sign-ins a second over many connections, and other requests at the same time."""

from __future__ import annotations

import os
import threading
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import TypeVar

from harness.daemon import Daemon
from harness.http import Answer

T = TypeVar("T")

SECONDS = float(os.environ.get("ATTACK_SECONDS", "5"))
"""Duration of an attack in seconds; ``ATTACK_SECONDS=60`` makes it a minute."""
CONNECTIONS = 150
"""Number of connections: more than the number of sign-ins that may wait at once."""


def sign_in(
    daemon: Daemon,
    username: str,
    password: str | bytes,
    *,
    source: str = "127.0.0.1",
    path: str = "/simple/",
    method: str = "GET",
    port: int | None = None,
) -> Answer:
    """Send a request with credentials, from any address of the loopback network.

    :param port: the port of a proxy in front of the daemon, if there is one.
    """
    secret = password if isinstance(password, bytes) else password.encode()
    credentials = b64encode(b"%s:%s" % (username.encode(), secret)).decode("ascii")
    connection = HTTPConnection("127.0.0.1", port or daemon.port, timeout=60, source_address=(source, 0))
    try:
        connection.request(method, path, headers={"Authorization": f"Basic {credentials}"})
        response = connection.getresponse()
        return Answer(response.status, response.headers, response.read(), response.reason)
    finally:
        connection.close()


def at_a_rate(rate: int, send: Callable[[int], T]) -> Counter[T]:
    """Send ``rate`` requests a second for :data:`SECONDS`, answered or not, and count the outcomes.

    :param send: sends one request; it is called with the number of the request.
    """
    begun = time.monotonic()
    waiting = []
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        for number in range(int(rate * SECONDS)):
            time.sleep(max(0, begun + number / rate - time.monotonic()))
            waiting.append(pool.submit(send, number))
        return Counter(one.result() for one in waiting)


@contextmanager
def meanwhile(*works: Callable[[int], T]) -> Iterator[list[list[T]]]:
    """Call each function again and again in a thread of its own, and yield the lists of their results.

    :param works: the functions; each is called with the number of its earlier calls.
    """
    done = threading.Event()
    outcomes: list[list[T]] = [[] for _ in works]

    def repeat(work: Callable[[int], T], found: list[T]) -> None:
        while not done.wait(0.005):
            found.append(work(len(found)))

    with ThreadPoolExecutor(len(works)) as pool:
        repeating = [pool.submit(repeat, *one) for one in zip(works, outcomes, strict=True)]
        try:
            yield outcomes
        finally:
            done.set()
    for one in repeating:
        one.result()
