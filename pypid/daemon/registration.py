"""The daemon's entry in its own root: where it answers, for ``pypid status``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from attrs import define, field
from twisted.internet.address import UNIXAddress
from twisted.internet.interfaces import IListeningPort
from twisted.logger import Logger
from twisted.protocols.tls import TLSMemoryBIOFactory

from pypid.runtime.running_daemon import DaemonAddresses
from pypid.web.routes.home_page import local_url

__all__ = ["Registration"]


@define(eq=False)
class Registration:
    """Writes the daemon's addresses to a file when it starts, and removes the file when it stops."""

    _path: Path
    _written: DaemonAddresses | None = field(default=None, init=False)
    _log = Logger()

    def write(self, ports: Sequence[IListeningPort]) -> None:
        """Write the file. Blocks briefly. A failure is logged: the daemon runs without it."""
        self._written = DaemonAddresses(os.getpid(), [_url(port) for port in ports])
        try:
            self._written.write(self._path)
        except OSError as error:
            self._log.warn(
                "`pypid status` will not find this daemon: cannot write {path}: {error}",
                path=str(self._path),
                error=error.strerror,
            )

    def remove(self) -> None:
        """Remove the file, unless another daemon has replaced it. Blocks briefly."""
        try:
            if self._written is not None:
                self._written.remove(self._path)
        except OSError as error:
            self._log.warn("Cannot remove {path}: {error}", path=str(self._path), error=error.strerror)


def _url(port: IListeningPort) -> str:
    """Return the address of a port as :class:`~pypid.runtime.running_daemon.DaemonAddresses` writes it."""
    address = port.getHost()
    if isinstance(address, UNIXAddress):
        return f"unix:{os.fsdecode(address.name or b'')}"
    return local_url(address, isinstance(getattr(port, "factory", None), TLSMemoryBIOFactory))
