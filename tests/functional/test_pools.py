"""Work in one pool of threads never delays work in another."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from xmlrpc.client import ServerProxy

import pytest
from attrs import frozen
from harness.daemon import Daemon
from harness.http import Answer, ask
from harness.processes import wait_until
from harness.uploads import JSON, Upload

from pypid.testing.builds import wheel

HELD = str(Path(__file__).with_name("harness") / "held.py")
MANY = 12
"""More than any pool has threads."""
HTML = {"Accept": "text/html"}
LONG = 201
"""So many files that a page of them is rendered in a thread."""


@frozen
class Held:
    """A daemon in which a function is held, and those who wait for what needs it."""

    daemon: Daemon
    """The daemon."""
    user: tuple[str, str]
    """Who may upload."""
    gate: Path
    """As long as it is there, nothing waits."""
    clients: ThreadPoolExecutor
    """Where the clients wait."""

    def calls(self) -> int:
        """Return how many calls have to wait, or had to."""
        calls = self.gate.with_name("gate.calls")
        return calls.stat().st_size if calls.exists() else 0

    def uploads(self, staged: int) -> Sequence[Future[Answer]]:
        """Send more uploads than there are threads, and wait until so many have begun to come in."""
        sent = [
            self.clients.submit(Upload.of(f"new-{number}", self.user).send, self.daemon)
            for number in range(MANY)
        ]
        staging = self.daemon.root / ".pypid" / "staging"
        wait_until(lambda: len([*staging.glob("*/*")]) >= staged and self.calls() > 1, "uploads")
        return sent

    def check_readers(self) -> None:
        """Check that whoever reads is answered; each question would wait for a minute at most."""
        url = self.daemon.url
        for number in range(2):  # for the first time, and after a change
            page = ask(f"{url}simple/long/", headers=JSON)
            assert len(json.loads(page.body)["files"]) == LONG + number
            file = json.loads(page.body)["files"][-1]
            assert ask(f"{url}packages/long/{file['filename']}").status == 200
            assert ask(f"{url}packages/long/{file['filename']}.metadata").status == 200
            assert ask(f"{url}pypi/long/json").status == 200
            assert b"long" in ask(f"{url}simple/").body
            assert ServerProxy(f"{url}pypi").search({"name": "long"})
            _fill(self.daemon.root, "long", 1, LONG)


def _fill(root: Path, project: str, files: int, first: int = 0) -> None:
    """Put files into a project by hand."""
    directory = root / "simple" / project
    directory.mkdir(parents=True, exist_ok=True)
    for number in range(first, first + files):
        filename, content = wheel(project, f"1.{number}")
        (directory / filename).write_bytes(content)


@pytest.fixture
def holding(tmp_path: Path, users_file: Path, user: tuple[str, str]) -> Callable[..., object]:
    """Yield a function that starts a daemon in which a function is held while it is the context."""

    @contextmanager
    def hold(function: str, *projects: str) -> Iterator[Held]:
        gate = tmp_path / "gate"
        program = (sys.executable, "-P", HELD, function, str(gate))
        daemon = Daemon(tmp_path / "pypi", ("--auth", f"htpasswd:{users_file}", "--upstream", "none:"))
        daemon.twistd = program
        for project in projects:
            _fill(daemon.root, project, LONG)
        with ThreadPoolExecutor(2 * MANY) as clients:
            try:
                daemon.start()
                yield Held(daemon, user, gate, clients)
                daemon.stop()
            finally:
                gate.touch()
                daemon.kill()

    return hold


@pytest.mark.parametrize(
    ("function", "staged"),
    [
        ("pypid.runtime.worker_processes:WorkerProcesses.call", MANY),
        ("pypid.storage.staging:DirectoryStaging.write", MANY),
        ("pypid.storage.operations:Operations.sync", 8),
    ],
)
def test_fault_a8_readers_wait_for_no_upload(
    holding: Callable[..., object], function: str, staged: int
) -> None:
    """Neither for the check of an archive, nor for a disk that takes its time over what comes in."""
    with holding(function, "long") as held:
        uploads = held.uploads(staged)
        held.check_readers()
        assert not any(upload.done() for upload in uploads)
        held.gate.touch()
        assert {upload.result().status for upload in uploads} == {200}


def test_fault_a8_an_upload_waits_for_no_page(holding: Callable[..., object]) -> None:
    """Nor for a page, however many of those are long."""
    with holding("pypid.web.routes.page_cache:_page", "long", "longer") as held:
        url = held.daemon.url
        paths = [f"{above}simple/{name}/" for name in ("long", "longer") for above in ("", "legacy/+")]
        headers = [JSON | {"Accept-Encoding": coding} for coding in ("identity", "gzip")]
        held.gate.touch()
        for path in paths:  # so that nothing is left to do but to put each page together
            assert ask(f"{url}{path}").status == 200
        held.gate.unlink()
        asked = [
            (f"{url}{path}", {**one, **kind}) for path in paths for one in headers for kind in ({}, HTML)
        ]
        assert len(asked) >= MANY
        pages = [held.clients.submit(ask, one, headers=some) for one, some in asked]
        wait_until(lambda: held.calls() >= 4, "pages that are put together")
        uploaded = Upload.of("new", held.user)
        assert uploaded.send(held.daemon).status == 200
        assert uploaded.has_file(held.daemon)
        assert ask(f"{url}packages/long/{wheel('long', '1.0')[0]}").status == 200
        held.gate.touch()
        assert {page.result().status for page in pages} == {200}
