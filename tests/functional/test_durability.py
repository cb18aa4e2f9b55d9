"""A daemon that is killed at any moment: acknowledged uploads are there, and none is there in part."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Mapping
from hashlib import sha256
from http.client import HTTPException
from pathlib import Path

from harness.daemon import Daemon
from harness.http import ask

from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

UPLOADS = 500
UPLOADERS = 4
KILLS = 12
JSON = {"Accept": "application/vnd.pypi.simple.v1+json"}


class Uploaders:
    """Clients that upload one new file after the other, and write down what was acknowledged."""

    def __init__(self, daemon: Daemon, user: tuple[str, str]) -> None:
        self.acknowledged: dict[str, str] = {}
        """The digest of each file whose upload was answered with a 200, by file name."""
        self.refused: list[str] = []
        """Answers that were neither a 200 nor a broken connection."""
        self.left = list(range(UPLOADS))
        self.up = threading.Event()
        """Set while there is a daemon to upload to."""
        self.up.set()
        self._daemon = daemon
        self._credentials = basic(*user)
        self._changed = threading.Condition()
        self._threads = [threading.Thread(target=self._run) for _ in range(UPLOADERS)]
        for thread in self._threads:
            thread.start()

    def wait_for(self, acknowledged: int) -> bool:
        """Wait until so many uploads were acknowledged; return whether more will come."""
        with self._changed:
            self._changed.wait_for(lambda: len(self.acknowledged) >= acknowledged or not self.left, 60)
            return bool(self.left)

    def join(self) -> None:
        """Wait until all uploads have been tried."""
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()

    def _run(self) -> None:
        while self.up.wait(60):
            with self._changed:
                if not self.left:
                    return
                number = self.left.pop()
                self._changed.notify_all()
            self._upload(number)

    def _upload(self, number: int) -> None:
        payload = random.Random(number).randbytes(300_000 * (number % 5))
        filename, content = wheel("acme", f"1.{number}", payload=payload)
        headers, body = upload_form(filename, content, "acme", f"1.{number}")
        try:
            answer = ask(f"{self._daemon.url}legacy/", "POST", headers=headers | self._credentials, body=body)
        except (OSError, HTTPException):
            return  # it died under us: nobody was told anything
        with self._changed:
            if answer.status == 200:
                self.acknowledged[filename] = sha256(content).hexdigest()
            else:
                self.refused.append(f"{filename}: {answer.status} {answer.text}")
            self._changed.notify_all()


def check_all_whole(daemon: Daemon, checked: Mapping[str, str]) -> dict[str, str]:
    """Download what is listed, check it, and return the digests by file name.

    :param checked: what was found whole before, and is not downloaded again.
    """
    page = ask(f"{daemon.simple}acme/", headers=JSON)
    if page.status == 404:
        return {}
    files = json.loads(page.body)["files"]
    listed = {file["filename"]: file["hashes"]["sha256"] for file in files}
    assert checked.items() <= listed.items()
    for file in files:
        if file["filename"] in checked:
            continue
        body = ask(f"{daemon.url}packages/acme/{file['filename']}").body
        assert sha256(body).hexdigest() == file["hashes"]["sha256"]
        metadata = ask(f"{daemon.url}packages/acme/{file['filename']}.metadata").body
        assert sha256(metadata).hexdigest() == file["core-metadata"]["sha256"]
    return listed


def test_killed_at_random_moments_of_500_uploads(
    daemon: Callable[..., Daemon], users_file: Path, user: tuple[str, str]
) -> None:
    """B268, T64, P1, P4: all that was acknowledged is there, and nothing is half there."""
    index = daemon("--auth", f"htpasswd:{users_file}", "--upstream", "none")
    chance = random.Random(20261121)
    uploaders = Uploaders(index, user)
    listed: dict[str, str] = {}
    for kill in range(KILLS):
        if not uploaders.wait_for((kill + 1) * UPLOADS // (KILLS + 4)):
            break
        # Anywhere in the next uploads; how far they have come is the point.
        threading.Event().wait(chance.random() * 0.05)
        index.kill()
        uploaders.up.clear()
        index.start()
        uploaders.up.set()
        listed = check_all_whole(index, listed)
    uploaders.join()
    index.kill()
    index.start()

    listed = check_all_whole(index, {})
    assert uploaders.refused == []
    assert len(uploaders.acknowledged) >= UPLOADS // 2
    assert uploaders.acknowledged.items() <= listed.items()
    leftovers = [
        path
        for path in (index.root / ".pypid" / "staging").rglob("*")
        if path.is_file() and path.stat().st_size
    ]
    assert leftovers == []
