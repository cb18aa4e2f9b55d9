"""Web proxies, as companies have them, on loopback ports."""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from attrs import frozen
from harness import secrecy
from harness.processes import end, free_port, require_tool, wait_until

_TINYPROXY = """\
Port {port}
Listen 127.0.0.1
Timeout 60
MaxClients 100
Allow 127.0.0.1
LogFile "{log}"
LogLevel Connect
"""


@frozen
class WebProxy:
    """One that runs."""

    port: int
    """The TCP port it listens on."""
    log: Path
    """What it says of its clients."""

    @property
    def url(self) -> str:
        """What is written in ``https_proxy``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[str]:
        """What it was asked to do, as ``CONNECT host:port`` or ``GET http://…``."""
        said = self.log.read_text() if self.log.exists() else ""
        return re.findall(r"Request \(file descriptor \d+\): (\w+ \S+)", said)


@contextmanager
def tinyproxy(
    directory: Path, user: tuple[str, str] | None = None, port: int | None = None
) -> Iterator[WebProxy]:
    """Run tinyproxy.

    :param user: the only one who may use it, with the password.
    :param port: where, if not anywhere.
    """
    program = require_tool("tinyproxy", "apt-get install tinyproxy")
    port = port or free_port()
    log = directory / f"tinyproxy-{port}.log"
    text = _TINYPROXY.format(port=port, log=log)
    if user is not None:
        secrecy.remember(user[1])
        text += f"BasicAuth {user[0]} {user[1]}\n"
    configuration = directory / f"tinyproxy-{port}.conf"
    configuration.write_text(text)
    process = subprocess.Popen(
        [program, "-d", "-c", configuration], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )

    def listens() -> bool:
        if process.poll() is not None:
            pytest.fail(f"tinyproxy ended with status {process.returncode}")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 5):
            return True
        return False

    try:
        wait_until(listens, "tinyproxy")
        yield WebProxy(port, log)
    finally:
        end(process)
