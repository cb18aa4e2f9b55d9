"""The real daemon, as a process of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from attrs import define, field
from harness import secrecy
from harness.processes import answers, end, free_port, run, script, wait_until

QUIET = ("Traceback (most recent call last)", "Unhandled", "[CRITICAL]")
"""Texts that must not be in the log of a daemon."""


_AMBIENT = {name: value for name, value in os.environ.items() if name.lower().endswith("_proxy")}
"""The web proxies of the user who runs the tests. They would be asked for URLs of loopback ports."""


def daemon_environment() -> dict[str, str]:
    """Return the environment of this process without the variables that configure pypid."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYPID_") and _AMBIENT.get(name) != value
    }


def refused_start(*arguments: str | Path, twistd: tuple[str, ...] = ("-n", "--pidfile=")) -> str:
    """Start a daemon that must not come up, and return its error message.

    :param arguments: the arguments after ``twistd -n pypid``.
    """
    said = run(
        [script("twistd"), *twistd, "pypid", *arguments], environment=daemon_environment(), status=None
    )
    assert not any(sign in said for sign in QUIET), said
    return said


@define
class Daemon:
    """``twistd -n pypid`` on a loopback port, with a root and a log of its own."""

    root: Path
    """The daemon's root directory."""
    arguments: tuple[str, ...] = ()
    """More options for the command line."""
    port: int = field(factory=free_port)
    """The TCP port it listens on."""
    twistd: tuple[str, ...] = (script("twistd"),)
    """The program that runs it."""
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def url(self) -> str:
        """Its URL, with a slash at the end."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def simple(self) -> str:
        """The URL of its index for installers."""
        return f"{self.url}simple/"

    @property
    def pid(self) -> int:
        """The process id of the daemon that runs now."""
        assert self._process is not None
        return self._process.pid

    @property
    def log(self) -> Path:
        """The file with the output of all its starts."""
        return self.root.with_name(f"{self.root.name}-{self.port}.log")

    def log_text(self) -> str:
        """Return its output so far."""
        return self.log.read_text(errors="replace")

    def start(self) -> Daemon:
        """Start it and wait until it answers."""
        command = [
            *(*self.twistd, "-n", "--pidfile=", "pypid", "--root", str(self.root)),
            *("--listen", f"tcp:{self.port}:interface=127.0.0.1", *self.arguments),
        ]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=daemon_environment()
            )
        wait_until(self._answers_or_fails, f"{self.url}+health\n{self.log_text()}")
        return self

    def _answers_or_fails(self) -> bool:
        assert self._process is not None
        status = self._process.poll()
        if status is not None:
            pytest.fail(f"the daemon ended with status {status}\n{self.log_text()}")
        return answers(f"{self.url}+health")

    def stop(self) -> None:
        """End it as an administrator would. It must end with the right status, and log no failure."""
        if self._process is None:
            return
        process, self._process = self._process, None
        command = Path(f"/proc/{process.pid}/cmdline")
        secrecy.assert_in_none(command.read_text() if command.exists() else "")
        status = end(process)
        text = self.log_text()
        assert status == 0, f"status {status}\n{text}"
        assert text.endswith("Server Shut Down.\n"), text
        assert not any(sign in text for sign in QUIET), text
        secrecy.assert_in_none(text)

    def kill(self) -> None:
        """End it without warning, as a crash would."""
        if self._process is not None:
            process, self._process = self._process, None
            process.kill()
            process.wait()

    def restart(self) -> None:
        """Stop it, if it runs, and start it again on the same port and root."""
        self.stop()
        self.start()
