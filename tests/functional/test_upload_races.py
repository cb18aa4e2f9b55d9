"""Concurrent uploads: several of one file, several daemons on one root, readers, and vanishing clients."""

from __future__ import annotations

import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from attrs import evolve
from harness.daemon import Daemon
from harness.http import Answer
from harness.processes import wait_until
from harness.uploads import Upload, staged

ROUNDS = 10


@pytest.fixture(params=[1, 2], ids=["one-daemon", "two-daemons"])
def daemons(
    request: pytest.FixtureRequest, daemon: Callable[..., Daemon], tmp_path: Path, users_file: Path
) -> Sequence[Daemon]:
    """Return one daemon twice, or two on one root."""
    options = ("--auth", f"htpasswd:{users_file}", "--upstream", "none")
    started = [daemon(*options, root=tmp_path / "pypi") for _ in range(request.param)]
    return [started[0], started[-1]]


def race(uploads: Sequence[Upload], daemons: Sequence[Daemon]) -> list[Answer]:
    """Send uploads at the same moment, to each daemon in turn."""
    barrier = threading.Barrier(len(uploads))

    def send(number: int) -> Answer:
        barrier.wait()
        return uploads[number].send(daemons[number % len(daemons)])

    with ThreadPoolExecutor(len(uploads)) as pool:
        return list(pool.map(send, range(len(uploads))))


def test_t11_t72_b280_same_bytes(daemons: Sequence[Daemon], user: tuple[str, str]) -> None:
    """P3: who uploads what another one just uploads has not done wrong."""
    for number in range(ROUNDS):
        upload = Upload.of(f"acme-{number}", user, bytes(100_000))
        answers = race([upload] * 4, daemons)
        assert [answer.status for answer in answers] == [200] * 4
        assert sum(answer.text.startswith("published ") for answer in answers) == 1
        assert all(upload.is_published(daemon) for daemon in daemons)
    assert staged(daemons[0].root) == []


def test_t11_t72_b280_other_bytes(daemons: Sequence[Daemon], user: tuple[str, str]) -> None:
    """P3: one wins whole, and the others are told so."""
    for number in range(ROUNDS):
        uploads = [Upload.of(f"acme-{number}", user, bytes([one]) * 100_000) for one in range(4)]
        answers = race(uploads, daemons)
        assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
        [winner] = [upload for upload, answer in zip(uploads, answers, strict=True) if answer.status == 200]
        assert all("File already exists" in answer.text for answer in answers if answer.status == 409)
        assert all(winner.is_published(daemon) for daemon in daemons)
    assert staged(daemons[0].root) == []


def test_fault_c2_other_spellings(daemons: Sequence[Daemon], user: tuple[str, str]) -> None:
    """Installers take them for one file, so one wins; also with the same bytes."""
    for number in range(ROUNDS):
        upload = Upload.of(f"acme-{number}", user)
        spellings = [
            upload.filename.replace("-1.0-", version) for version in ("-1.0-", "-1-", "-1.0.0-", "-v1-")
        ]
        uploads = [evolve(upload, filename=spelling) for spelling in spellings]
        answers = race(uploads, daemons)
        assert sorted(answer.status for answer in answers) == [200, 409, 409, 409]
        assert all(answer.status == 200 or "spelled otherwise" in answer.reason for answer in answers)
        [winner] = [upload for upload, answer in zip(uploads, answers, strict=True) if answer.status == 200]
        assert all(winner.is_published(daemon) for daemon in daemons)
    assert staged(daemons[0].root) == []


def test_c151_b280_others_show_it_at_once(daemons: Sequence[Daemon], user: tuple[str, str]) -> None:
    """What one daemon has acknowledged, the next request to any other one finds."""
    for number in range(ROUNDS):
        upload = Upload.of(f"acme-{number}", user)
        first, second = random.Random(number).sample(list(daemons), 2)
        assert not upload.is_published(second)
        assert upload.send(first).status == 200
        assert upload.is_published(second)


@contextmanager
def readers(uploads: Sequence[Upload], daemons: Sequence[Daemon]) -> Iterator[None]:
    """Ask for what is uploaded, again and again: once any of it is there, all of it must be."""
    done = threading.Event()

    def read(seed: int) -> int:
        chance, asked = random.Random(seed), 0
        while not done.is_set():
            upload = chance.choice(uploads)
            asks = [upload.has_file, upload.has_metadata, upload.is_listed]
            chance.shuffle(asks)
            seen = [ask(chance.choice(daemons)) for ask in asks]
            assert seen == sorted(seen), (upload, asks, seen)
            asked += 1
        return asked

    with ThreadPoolExecutor(3) as pool:
        reading = [pool.submit(read, seed) for seed in range(3)]
        try:
            yield
        finally:
            done.set()
        assert all(one.result() > ROUNDS for one in reading)


def test_t66_all_in_one_moment(daemons: Sequence[Daemon], user: tuple[str, str]) -> None:
    """P2: the page, the file and its core metadata appear together, and the bytes are right."""
    uploads = [Upload.of(f"acme-{number}", user, bytes(300_000)) for number in range(3 * ROUNDS)]
    with readers(uploads, daemons):
        for start in range(0, len(uploads), 3):
            answers = race(uploads[start : start + 3], daemons)
            assert [answer.status for answer in answers] == [200] * 3
    assert all(upload.is_published(daemon) for upload in uploads for daemon in daemons)


@contextmanager
def connected(daemon: Daemon, upload: Upload, reset: bool = False) -> Iterator[tuple[socket.socket, bytes]]:
    """Begin an upload, wait until it is admitted, and go away at the end; yield what is left to send.

    :param reset: whether to go without a word of farewell.
    """
    headers, body = upload.request()
    lines = {"Host": "127.0.0.1", "Content-Length": str(len(body))} | headers
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    with socket.create_connection(("127.0.0.1", daemon.port), timeout=30) as connection:
        connection.sendall(f"POST /legacy/ HTTP/1.1\r\n{head}\r\n".encode())
        wait_until(lambda: staged(daemon.root), "the upload is admitted")
        yield connection, body
        if reset:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.mark.parametrize("percent", [0, 1, 50, 99])
@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
def test_b157_gone_before_the_end(
    reset: bool, percent: int, daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str]
) -> None:
    """A client that goes away before its last byte leaves nothing."""
    index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none")
    upload = Upload.of("acme", user, bytes(300_000))
    with connected(index, upload, reset) as (connection, body):
        connection.sendall(body[: len(body) * percent // 100])
    wait_until(lambda: not staged(index.root), "what it left is discarded")
    assert not upload.is_published(index)
    assert upload.send(index).status == 200


def test_b157_gone_after_the_end(
    daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str]
) -> None:
    """What was received whole is published, even if nobody waits for the answer."""
    index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none")
    for number in range(ROUNDS):
        upload = Upload.of(f"acme-{number}", user, bytes(300_000))
        with connected(index, upload) as (connection, body):
            connection.sendall(body)
        wait_until(lambda upload=upload: upload.is_listed(index), "the upload is published")
        assert upload.is_published(index)
        wait_until(lambda: not staged(index.root), "staging is cleared")
