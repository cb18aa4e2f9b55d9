"""What the service manager is told, on a socket of our own."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from pypid.daemon.service_manager import ServiceManager


class Manager:
    """Receives what is told."""

    def __init__(self, name: str) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind(name)

    def heard(self) -> list[str]:
        """Return all messages since the last call."""
        messages = []
        while True:
            try:
                messages.append(self.socket.recv(4096).decode())
            except BlockingIOError:
                return messages


@pytest.fixture(params=["path", "abstract"])
def listening(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Manager, str]]:
    """Give a manager, and the value of its variable."""
    path = str(tmp_path / "notify") if request.param == "path" else f"@pypid-test-{os.getpid()}"
    manager = Manager(path.replace("@", "\0"))
    with closing(manager.socket):
        yield manager, path


def test_ready_reloading_and_stopping(listening: tuple[Manager, str]) -> None:
    manager, name = listening
    service = ServiceManager.of({"NOTIFY_SOCKET": name}, Clock())
    service.ready("serving http://127.0.0.1:8080/\nREADY=0")
    assert manager.heard() == ["READY=1\nSTATUS=serving http://127.0.0.1:8080/ READY=0"]
    service.reloading()
    [said] = manager.heard()
    assert said.startswith("RELOADING=1\nMONOTONIC_USEC=")
    assert int(said.split("=")[2].partition("\n")[0]) > 0
    service.status("fine")
    service.stopping("waiting")
    assert manager.heard() == ["STATUS=fine", "STOPPING=1\nSTATUS=waiting"]
    service.close()


def test_signs_of_life(listening: tuple[Manager, str]) -> None:
    """Twice as often as they are expected, from the first answer to the last, and once for each reload."""
    manager, name = listening
    clock = Clock()
    variables = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "20000000", "WATCHDOG_PID": str(os.getpid())}
    service = ServiceManager.of(variables, clock)
    clock.advance(20)
    assert manager.heard() == []
    service.ready("")
    service.ready("")
    for _ in range(3):
        clock.advance(10)
    assert manager.heard().count("WATCHDOG=1") == 4
    service.stopping("")
    clock.advance(10)
    assert manager.heard()[-1] == "WATCHDOG=1"
    service.close()
    clock.advance(100)
    assert manager.heard() == []


@pytest.mark.parametrize(
    "variables",
    [
        {"WATCHDOG_USEC": "20000000", "WATCHDOG_PID": "1"},
        {"WATCHDOG_USEC": "nonsense"},
        {"WATCHDOG_USEC": "²"},
        {"WATCHDOG_USEC": ""},
    ],
)
def test_no_watchdog(listening: tuple[Manager, str], variables: dict[str, str]) -> None:
    manager, name = listening
    clock = Clock()
    ServiceManager.of({"NOTIFY_SOCKET": name, **variables}, clock).ready("")
    clock.advance(100)
    assert "WATCHDOG=1" not in manager.heard()


@pytest.mark.parametrize("name", ["", "relative", "/nonexistent/socket", "vsock:2:1234", "@" + "x" * 500])
def test_nobody_listens(name: str) -> None:
    """That is no reason not to serve."""
    service = ServiceManager.of({"NOTIFY_SOCKET": name} if name else {}, Clock())
    service.ready("")
    service.stopping("")
    service.close()


def test_a_manager_that_does_not_read(tmp_path: Path) -> None:
    """Its full socket holds nobody up."""
    manager = Manager(str(tmp_path / "notify"))
    with closing(manager.socket):
        service = ServiceManager.of({"NOTIFY_SOCKET": str(tmp_path / "notify")}, Clock())
        for _ in range(5000):
            service.status("x" * 1000)
