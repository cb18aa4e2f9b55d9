"""Web proxies like those of companies, on loopback ports."""

from __future__ import annotations

import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from socket import SHUT_RDWR, create_connection, socket
from socketserver import StreamRequestHandler, ThreadingTCPServer
from ssl import SSLContext

import pytest
from attrs import frozen
from harness import secrecy
from harness.processes import PATIENCE, end, free_port, require_tool, wait_until

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
    """A running web proxy."""

    port: int
    """The TCP port it listens on."""
    log: Path
    """What it says of its clients."""

    @property
    def url(self) -> str:
        """The value of ``https_proxy``."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def asked(self) -> list[str]:
        """Its requests, as ``CONNECT host:port`` or ``GET http://…``."""
        said = self.log.read_text() if self.log.exists() else ""
        return re.findall(r"Request \(file descriptor \d+\): (\w+ \S+)", said)


@contextmanager
def with_tls(backend: int, context: SSLContext) -> Iterator[int]:
    """Run a TLS proxy in front of the server on a port, and yield the port of the proxy."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            with (
                suppress(OSError),
                create_connection(("127.0.0.1", backend)) as other,
                context.wrap_socket(self.request, server_side=True) as client,
            ):
                back = threading.Thread(target=_pump, args=(other, client), daemon=True)
                back.start()
                _pump(client, other)
                back.join(PATIENCE)

    with serving(ThreadingTCPServer(("127.0.0.1", 0), Handler)) as port:
        yield port


@contextmanager
def serving(server: ThreadingTCPServer) -> Iterator[int]:
    """Run a server of the standard library in threads, and yield its port."""
    server.daemon_threads = True
    with server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            port: int = server.server_address[1]
            yield port
        finally:
            server.shutdown()
            thread.join()


def _pump(source: socket, target: socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(SHUT_RDWR)


@contextmanager
def tinyproxy(
    directory: Path, user: tuple[str, str] | None = None, port: int | None = None
) -> Iterator[WebProxy]:
    """Run tinyproxy.

    :param user: the name and the password of the only user who may use it.
    :param port: its port; ``None`` for a free one.
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
        with suppress(OSError), create_connection(("127.0.0.1", port), 5):
            return True
        return False

    try:
        wait_until(listens, "tinyproxy")
        yield WebProxy(port, log)
    finally:
        end(process)
