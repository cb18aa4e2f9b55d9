"""A day's worth of requests of all kinds, and the memory, descriptors and threads that the daemon has."""

from __future__ import annotations

import http.client
import itertools
import random
import socket
import struct
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import bcrypt
from attrs import define, field, frozen

from benchmarks import servers
from benchmarks.servers import MEGABYTE, Server
from pypid.testing.builds import sdist, wheel
from pypid.testing.web import basic, upload_form

__all__ = ["soak"]

CLIENTS = 8
"""How many clients ask at the same time."""
MOST_REQUESTS = 2_000_000
"""After how many requests it ends before its time."""
MOST_UPLOADS = 300
"""How many new files are published: these stay, and what is known of them takes memory for good."""
SAMPLES = 12
"""How many rows the table has."""
MOST_GROWTH = 25.0
"""How many megabytes 100,000 requests may leave behind in the second half: new names go on to fill caches."""
SOME_GROWTH = 8.0
"""How many megabytes the second half may leave behind in any case, however few its requests were."""
MOST_DESCRIPTORS = 24
"""How many more descriptors there may be in the end: connections to the upstream that are kept, and a few."""
QUIET = 130.0
"""How long, in seconds, is waited at most in the end until nothing is open any more."""

CI = basic("ci", "secret")
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}
HTML = {"Accept": "text/html", "Accept-Encoding": "gzip"}


@frozen
class Sample:
    """What was found at a time."""

    seconds: float
    requests: int
    memory: float
    """In megabytes."""
    descriptors: int
    threads: int

    @classmethod
    def take(cls, server: Server, seconds: float, requests: int) -> Sample:
        """Look at a daemon."""
        pid = server.processes[0]
        descriptors = len(list(Path(f"/proc/{pid}/fd").iterdir()))
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
        return cls(seconds, requests, server.memory() / MEGABYTE, descriptors, threads)

    @property
    def row(self) -> list[str]:
        """Write it as a row of the table."""
        numbers = f"{self.memory:.1f} MB", str(self.descriptors), str(self.threads)
        return [f"{self.seconds / 60:.1f}", f"{self.requests:,}", *numbers]


@define(eq=False)
class Load:
    """What all clients do together."""

    server: Server
    done: threading.Event = field(factory=threading.Event)
    """Set when they are to end."""
    answers: Counter[str] = field(factory=Counter)
    """How often a kind of request got a status."""
    numbers: Iterator[int] = field(factory=itertools.count)
    """Makes names that nobody ever asked for."""
    uploads: Iterator[int] = field(factory=lambda: iter(range(MOST_UPLOADS)))

    @property
    def requests(self) -> int:
        """How many there were."""
        return sum(self.answers.values())


@define(eq=False)
class Client:
    """One of them: it asks over a connection that it keeps, and now and then goes away."""

    _load: Load
    _random: random.Random
    _connection: http.client.HTTPConnection | None = field(default=None, init=False)

    def run(self) -> None:
        """Ask until it is enough."""
        kinds = [(getattr(self, f"_{name}"), weight) for name, weight in WEIGHTS.items()]
        actions, weights = zip(*kinds, strict=True)
        while not self._load.done.is_set():
            action: Callable[[], object] = self._random.choices(actions, weights)[0]
            try:
                action()
            except (OSError, http.client.HTTPException):
                self._load.answers[f"{action.__name__[1:]} lost"] += 1
                self._leave()
        self._leave()

    def _leave(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(
        self,
        kind: str,
        path: str,
        headers: dict[str, str] | None = None,
        method: str = "GET",
        body: bytes = b"",
    ) -> http.client.HTTPResponse:
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self._load.server.port, timeout=60)
        self._connection.request(method, path, body=body or None, headers=headers or {})
        response = self._connection.getresponse()
        response.read()
        self._load.answers[f"{kind} {response.status}"] += 1
        if response.getheader("Connection", "").lower() == "close":
            self._leave()
        return response

    def _known(self) -> str:
        return f"acme-{self._random.randrange(20)}"

    def _file(self) -> str:
        name, version = self._random.choice([(f"acme-{number}", "0.1") for number in range(20)])
        return f"/packages/{name}/{name.replace('-', '_')}-{version}-py3-none-any.whl"

    def _page(self) -> None:
        self._ask("page", f"/simple/{self._known()}/", self._random.choice([JSON, HTML]))

    def _conditional(self) -> None:
        path = self._random.choice([f"/simple/{self._known()}/", "/simple/", self._file()])
        tag = self._ask("conditional", path, JSON).getheader("ETag")
        self._ask("conditional", path, {**JSON, "If-None-Match": tag or "*"})

    def _files(self) -> None:
        self._ask("file", self._file() + self._random.choice(["", "", ".metadata"]))

    def _range(self) -> None:
        self._ask("range", self._file(), {"Range": f"bytes={self._random.randrange(500)}-"})

    def _head(self) -> None:
        self._ask("head", self._file(), method="HEAD")

    def _upload(self) -> None:
        number = next(self._load.uploads, self._random.randrange(MOST_UPLOADS))
        name = f"acme-{number % 20}"
        self._send("upload", *wheel(name, f"1.{number}"), name, f"1.{number}")

    def _bad_upload(self) -> None:
        name = f"acme-bad-{next(self._load.numbers)}"
        self._send("bad upload", sdist(name, "1.0")[0], b"no archive at all", name, "1.0")

    def _send(self, kind: str, filename: str, content: bytes, name: str, version: str) -> None:
        headers, body = upload_form(filename, content, name, version)
        self._ask(kind, "/legacy/", {**headers, **CI}, "POST", body)

    def _upstream_hit(self) -> None:
        self._ask("upstream hit", f"/simple/far-{self._random.randrange(50)}/", JSON)

    def _upstream_miss(self) -> None:
        self._ask("upstream miss", f"/simple/far-new-{next(self._load.numbers)}/", JSON)

    def _upstream_file(self) -> None:
        fresh = self._random.random() < 0.1
        name = f"far-file-{next(self._load.numbers) if fresh else self._random.randrange(50)}"
        self._ask("upstream file", f"/packages/{name}/{name.replace('-', '_')}-1.0.tar.gz")

    def _upstream_broken(self) -> None:
        self._ask("upstream broken", f"/simple/far-broken-{next(self._load.numbers)}/", JSON)

    def _unknown(self) -> None:
        number = next(self._load.numbers)
        path = self._random.choice(
            [
                "/simple/nobody-{0}/",
                "/packages/nobody-{0}/nobody-{0}-1.0.tar.gz",
                "/packages/acme-1/acme_1-{0}.tar.gz",
                "/pypi/nobody-{0}/json",
                "/pypi/acme-1/{0}/json",
                "/nobody-{0}/",
                "/nobody/{0}/nothing",
            ]
        )
        self._ask("unknown", path.format(number), {"User-Agent": f"nobody/{number}"})

    def _wrong_login(self) -> None:
        number = next(self._load.numbers)
        name = self._random.choice(["ci", f"nobody-{number}", "__token__"])
        headers = {**basic(name, f"wrong-{number}"), "Content-Length": "0"}
        self._ask("wrong login", "/legacy/", headers, "POST")

    def _remote_call(self) -> None:
        call, argument = self._random.choice(
            [
                ("changelog_since_serial", f"<int>{self._random.randrange(500)}</int>"),
                ("package_releases", f"<string>nobody-{next(self._load.numbers)}</string>"),
                ("release_urls", "<string>acme-1</string></value></param><param><value><string>0.1</string>"),
                ("list_packages_with_serial", ""),
            ]
        )
        parameter = f"<param><value>{argument}</value></param>" if argument else ""
        body = f"<methodCall><methodName>{call}</methodName><params>{parameter}</params></methodCall>"
        self._ask("XML-RPC", "/pypi", {"Content-Type": "text/xml"}, "POST", body.encode())

    def _other(self) -> None:
        paths = ["/", "/+health", "/simple/", "/rss/updates.xml", "/pypi/acme-1/json", "/packages/"]
        self._ask("other", self._random.choice(paths))

    def _abort(self) -> None:
        """Ask and go away, half of the time by a reset."""
        path = self._random.choice(
            [self._file(), f"/simple/far-{self._random.randrange(50)}/", "/packages/far-1/far_1-1.0.tar.gz"]
        )
        with socket.create_connection(("127.0.0.1", self._load.server.port), timeout=60) as connection:
            connection.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
            if self._random.random() < 0.5:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._load.answers["aborted"] += 1


WEIGHTS = {
    "page": 20,
    "conditional": 10,
    "files": 10,
    "range": 5,
    "head": 3,
    "upload": 2,
    "bad_upload": 1,
    "upstream_hit": 10,
    "upstream_miss": 1,
    "upstream_file": 4,
    "upstream_broken": 1,
    "unknown": 10,
    "wrong_login": 3,
    "remote_call": 3,
    "other": 4,
    "abort": 5,
}
"""How often each kind of request is made, beside the others."""


def soak(directory: Path, minutes: float) -> Iterator[Sequence[str]]:
    """Ask for everything for so many minutes; give the rows of the table, and print a verdict."""
    users = directory / "users"
    users.write_text(f"ci:{bcrypt.hashpw(b'secret', bcrypt.gensalt(5)).decode()}\n")
    far = Server(
        "far index", [sys.executable, "-m", "benchmarks.far_index", "{port}"], ready="/simple/far-1/"
    )
    root = directory / "root"
    root.mkdir()
    with (
        far,
        servers.pypid(
            root,
            *("--auth", f"htpasswd:{users}"),
            upstream=f"proxy:{far.url('/simple/')}:max-size=64MiB:ttl=30s",
        ) as daemon,
    ):
        load = Load(daemon)
        _publish(load)
        clients = [
            threading.Thread(target=Client(load, random.Random(number)).run) for number in range(CLIENTS)
        ]
        started = time.monotonic()
        samples = [Sample.take(daemon, 0, 0)]
        yield samples[0].row
        for client in clients:
            client.start()
        try:
            for number in range(1, SAMPLES + 1):
                due = started + minutes * 60 * number / SAMPLES
                while time.monotonic() < due and load.requests < MOST_REQUESTS:
                    time.sleep(0.2)
                samples.append(Sample.take(daemon, time.monotonic() - started, load.requests))
                yield samples[-1].row
        finally:
            load.done.set()
            for client in clients:
                client.join()
        samples.append(_quiet(daemon, samples, started, load))
        yield samples[-1].row
    print(f"\n{_verdict(samples)}\n", flush=True)
    print("Answers:", ", ".join(f"{kind}: {count:,}" for kind, count in sorted(load.answers.items())))


def _publish(load: Load) -> None:
    """Publish a file of each project."""
    client = Client(load, random.Random(0))
    for number in range(20):
        client._send(
            "first upload", *wheel(f"acme-{number}", "0.1", payload=bytes(50_000)), f"acme-{number}", "0.1"
        )
    client._leave()
    assert load.answers.pop("first upload 200") == 20, load.answers


def _quiet(daemon: Server, samples: Sequence[Sample], started: float, load: Load) -> Sample:
    """Wait until no more is open than in the beginning, or for as long as anything may be."""
    deadline = time.monotonic() + QUIET
    while True:
        sample = Sample.take(daemon, time.monotonic() - started, load.requests)
        if sample.descriptors <= samples[0].descriptors + MOST_DESCRIPTORS or time.monotonic() > deadline:
            return sample
        time.sleep(1)


def _verdict(samples: Sequence[Sample]) -> str:
    """Say in a line whether anything grew that should not."""
    half = samples[len(samples) // 2 : -1]
    requests = half[-1].requests - half[0].requests
    growth, allowed = _slope(half) * requests, max(SOME_GROWTH, MOST_GROWTH * requests / 100_000)
    more = samples[-1].descriptors - samples[0].descriptors
    threads = samples[-1].threads - half[0].threads
    found = (
        f"{growth:+.1f} MB in the {requests:,} requests of the second half (at most {allowed:.1f}), "
        f"{more:+d} descriptors (at most {MOST_DESCRIPTORS}), {threads:+d} threads (at most 8)"
    )
    steady = growth <= allowed and more <= MOST_DESCRIPTORS and threads <= 8
    return f"{'STEADY' if steady else 'GROWING'}: {found}"


def _slope(samples: Sequence[Sample]) -> float:
    """Return how memory grows with requests, in megabytes for one: the line of least squares."""
    mean = sum(one.requests for one in samples) / len(samples)
    height = sum(one.memory for one in samples) / len(samples)
    width = sum((one.requests - mean) ** 2 for one in samples)
    return sum((one.requests - mean) * (one.memory - height) for one in samples) / width if width else 0.0
