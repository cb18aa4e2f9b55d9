"""The file that says where the daemon of an index answers, for the command on the same machine."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from pypid.runtime.atomic_files import replace_file

__all__ = ["DaemonAddresses"]

MAX_ADDRESSES = 100
MAX_BYTES = 64 * 1024


@frozen
class DaemonAddresses:
    """Where a daemon answers. It may have ended without removing its file."""

    pid: int
    """The number of its process."""
    urls: Sequence[str]
    """URLs as seen from this machine, such as ``http://127.0.0.1:8080/``, or ``unix:`` and a path."""

    def write(self, path: Path) -> None:
        """Write the file. Blocks briefly. :raises OSError: it cannot be written."""
        replace_file(path, [json.dumps({"pid": self.pid, "urls": self.urls[:MAX_ADDRESSES]}), "\n"])

    @classmethod
    def read(cls, path: Path) -> DaemonAddresses | None:
        """Return what the file says, or ``None`` if there is none, or another file in its place.

        :raises OSError: it cannot be read.
        """
        try:
            with path.open("rb") as file:
                found = json.loads(file.read(MAX_BYTES))
            pid, urls = found["pid"], found["urls"]
        except FileNotFoundError:
            return None
        except (ValueError, LookupError, TypeError, RecursionError):
            return None
        is_sound = (
            isinstance(pid, int) and isinstance(urls, list) and all(isinstance(one, str) for one in urls)
        )
        return cls(pid, urls) if is_sound else None

    def remove(self, path: Path) -> None:
        """Remove the file, unless another daemon has replaced it. Blocks briefly."""
        found = self.read(path)
        if found is not None and found.pid == self.pid == os.getpid():
            path.unlink(missing_ok=True)
