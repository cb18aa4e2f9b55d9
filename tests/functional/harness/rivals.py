"""Threads that change an index, by requests to a daemon or by the command in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlencode

from attrs import define, field, frozen
from harness.daemon import Daemon, daemon_environment
from harness.http import ask

from pypid.testing.builds import wheel
from pypid.testing.web import basic, upload_form

__all__ = ["Answered", "Commander", "Rival", "ViaDaemon"]

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@frozen
class Answered:
    """The result of a change, and its time."""

    began: float
    """The time in seconds before it was asked for."""
    ended: float
    """The time in seconds after it was answered."""
    done: bool
    """It was done; else it was refused."""
    text: str
    """What was said."""

    @property
    def changed(self) -> bool:
        """Whether the change changed anything."""
        return self.done and "nothing to do" not in self.text and "already" not in self.text


class Rival:
    """Makes one change after another."""

    name: str

    def person(self, project: str, name: str, *, add: bool) -> Answered:
        """Add a maintainer, or remove one."""
        raise NotImplementedError

    def yank(self, project: str, version: str, reason: str | None) -> Answered:
        """Yank a release for a reason, or take its yank back."""
        raise NotImplementedError

    def status(self, project: str, status: str, reason: str) -> Answered:
        """Set the status of a project."""
        raise NotImplementedError

    def remove(self, project: str, version: str) -> Answered:
        """Remove a release."""
        raise NotImplementedError


@define
class ViaDaemon(Rival):
    """Sends requests to a daemon."""

    name: str
    daemon: Daemon
    user: tuple[str, str]
    """Name and password of who asks."""

    def person(self, project: str, name: str, *, add: bool) -> Answered:
        """Add a maintainer, or remove one."""
        fields = {"role": "maintainer", "add" if add else "remove": name}
        return self._post(f"project/{project}/people", **fields)

    def yank(self, project: str, version: str, reason: str | None) -> Answered:
        """Yank a release for a reason, or take its yank back."""
        if reason is None:
            return self._post(f"project/{project}/{version}/unyank")
        return self._post(f"project/{project}/{version}/yank", reason=reason)

    def status(self, project: str, status: str, reason: str) -> Answered:
        """Set the status of a project."""
        return self._post(f"project/{project}/status", status=status, reason=reason)

    def remove(self, project: str, version: str) -> Answered:
        """Remove a release."""
        return self._ask("DELETE", f"project/{project}/{version}/", {}, b"")

    def upload(self, project: str, version: str, payload: bytes) -> tuple[Answered, bytes]:
        """Upload a wheel, and return its bytes, too."""
        filename, content = wheel(project, version, payload=payload)
        return self._ask("POST", "legacy/", *upload_form(filename, content, project, version)), content

    def _post(self, path: str, **fields: str) -> Answered:
        return self._ask("POST", path, FORM, urlencode(fields).encode())

    def _ask(self, method: str, path: str, headers: dict[str, str], body: bytes) -> Answered:
        began = time.monotonic()
        answer = ask(self.daemon.url + path, method, headers=headers | basic(*self.user), body=body)
        # No other answer is right: neither a failure, nor "try again later".
        assert answer.status < 500, (path, answer.status, answer.text)
        return Answered(began, time.monotonic(), answer.status == 200, answer.text)


@define
class Commander(Rival):
    """Runs the command in a process of its own, which has to be closed."""

    name: str
    root: Path
    _process: subprocess.Popen[str] = field(init=False)

    def __attrs_post_init__(self) -> None:
        # With -P, this directory's http.py does not take the place of the standard library's.
        program = [sys.executable, "-P", str(Path(__file__).with_name("commander.py")), str(self.root)]
        self._process = subprocess.Popen(
            program, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=daemon_environment()
        )

    def close(self) -> None:
        """End the process."""
        self._process.communicate(timeout=60)

    def run(self, *arguments: str, typed: str = "") -> Answered:
        """Run the command once."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        began = time.monotonic()
        self._process.stdin.write(json.dumps([*arguments, typed]) + "\n")
        self._process.stdin.flush()
        status, output = json.loads(self._process.stdout.readline())
        assert status in (0, 1), (arguments, status, output)
        return Answered(began, time.monotonic(), status == 0, output)

    def person(self, project: str, name: str, *, add: bool) -> Answered:
        """Add a maintainer, or remove one."""
        return self.run("owner", "add" if add else "remove", project, name, "--maintainer")

    def yank(self, project: str, version: str, reason: str | None) -> Answered:
        """Yank a release for a reason, or take its yank back."""
        if reason is None:
            return self.run("unyank", project, version)
        return self.run("yank", project, version, "--reason", reason)

    def status(self, project: str, status: str, reason: str) -> Answered:
        """Set the status of a project."""
        return self.run("status", project, status, "--reason", reason)

    def remove(self, project: str, version: str) -> Answered:
        """Remove a release."""
        return self.run("remove", project, version, "--yes")
