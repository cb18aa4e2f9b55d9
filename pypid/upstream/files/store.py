"""Files of an upstream that were fetched, in a tree that anybody may read, copy or clear away."""

from __future__ import annotations

import os
import time
from contextlib import suppress
from pathlib import Path
from stat import S_ISREG
from threading import Lock

from attrs import define, field
from twisted.logger import Logger

from pypid.errors import NotFound
from pypid.model import File
from pypid.names import Sidecar
from pypid.runtime.atomic_files import replace_file, temporary_path
from pypid.runtime.lru import WeightedLRU
from pypid.runtime.open_file import OpenFile
from pypid.upstream.files.digests import Digests, usable
from pypid.upstream.files.eviction import PIN, CacheEviction
from pypid.upstream.files.partial import Partial

__all__ = ["BELIEVED", "FileTree", "NotHashed"]

BELIEVED = 10_000
"""Of how many files it is remembered that they were found right; each takes about half a kilobyte."""
_READ = 1024**2

_Identity = tuple[int, int, int]
_Found = tuple[_Identity, dict[str, str]]


class NotHashed(Exception):
    """A file is there, and nobody hashed it yet."""


@define(eq=False)
class FileTree:
    """Keeps files as ``<directory>/<project>/<filename>``. All of it blocks.

    The time of a file's last change is when it was published; that of its last access, when it
    was last asked for. What was neither kept nor hashed by this process, or so long ago that it is
    forgotten, is hashed before it is believed. The digest of a file for which no page has one is
    pinned, when it is fetched for the first time, in ``<filename>.sha256`` in the format of
    ``sha256sum``.
    """

    directory: Path
    """Where; made when it is needed, removed by whoever likes."""
    _partials: Path
    _room: CacheEviction
    _believed: WeightedLRU[_Found] = field(factory=lambda: WeightedLRU(BELIEVED), init=False)
    _lock: Lock = field(factory=Lock, init=False)
    _log = Logger()

    def open(self, project: str, file: File, hashing: bool = True) -> OpenFile | None:
        """Open a file for reading, if it is there and is what its page promises.

        Otherwise what is there is removed: it was changed behind our back, or is of no use any
        more.

        :param hashing: whether a file that nobody hashed yet is hashed now, however large it is.
        :raises NotFound: no file can have such a name.
        :raises NotHashed: it would have to be hashed, and is not to be.
        """
        path = self.path(project, file.filename)
        opened = _open(path)
        if opened is None:
            return None
        try:
            expected = self._expected(project, file)
            right = self._is_believed(path, opened.status(), expected, file.size)
            if right is None and not hashing:
                raise NotHashed
            if right or (right is None and self._is_right(path, opened, expected)):
                _touch(opened)
                return opened
            self._log.warn("{path} is not what its page promises; it is removed", path=str(path))
            path.unlink(missing_ok=True)
        except OSError as error:
            self._log.error("Cannot use {path}: {error}", path=str(path), error=error)
        return None

    def check(self, project: str, file: File) -> None:
        """Hash a file, so that :meth:`open` need not. :raises NotFound: no file can have such a name."""
        self.open(project, file)

    def begin(self, project: str, file: File) -> Partial:
        """Make an empty file that takes what is fetched.

        :raises OutOfSpace: there is no room.
        :raises StorageUnavailable: it cannot be made.
        """
        self.path(project, file.filename)
        with suppress(OSError):
            self._room.make_on_disk(file.size or 0)
        return Partial.create(self._partials, Digests(self._expected(project, file)))

    def keep(self, partial: Partial, project: str, file: File, modified_ns: int) -> None:
        """Give a file that is whole and right its place, if it is not too large to be kept.

        :raises OSError: it cannot be kept.
        """
        path = self.path(project, file.filename)
        # Not synced, which would hold up clients: what a power cut took of it, its digest will tell.
        os.utime(partial.path, ns=(time.time_ns(), modified_ns))
        status = partial.path.stat()
        if self._room.is_enough(status.st_size):
            self._room.make(status.st_size)
            path.parent.mkdir(parents=True, exist_ok=True)
            partial.path.rename(path)
            self._believe(path, status, partial.digests.found)

    def pinned(self, project: str, filename: str) -> str | None:
        """Give the SHA-256 digest that a file had when it was first fetched, if no page tells it."""
        try:
            return self.path(project, filename + PIN).read_text("ascii").split()[0]
        except (OSError, ValueError, IndexError):
            return None

    def pin(self, project: str, filename: str, sha256: str) -> None:
        """Let no other bytes have that name from now on. :raises OSError: it cannot be noted."""
        replace_file(self.path(project, filename + PIN), [f"{sha256}  {filename}\n"])

    def sidecar(self, project: str, filename: str, sidecar: Sidecar) -> tuple[bytes, float] | None:
        """Give what is kept beside a file, and when it was put there, in seconds since the epoch."""
        opened = _open(self.path(project, sidecar.of(filename)))
        if opened is None:
            return None
        status = opened.status()
        if not S_ISREG(status.st_mode):
            return None
        _touch(opened)
        return opened.read(0, status.st_size), status.st_mtime

    def keep_sidecar(self, project: str, filename: str, sidecar: Sidecar, data: bytes, now: float) -> None:
        """Keep something beside a file, at the time ``now``. :raises OSError: it cannot be kept."""
        path = self.path(project, sidecar.of(filename))
        self._room.make(len(data))
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = temporary_path(path)
        try:
            temporary.write_bytes(data)
            os.utime(temporary, (time.time(), now))
            temporary.rename(path)
        finally:
            temporary.unlink(missing_ok=True)

    def remove_sidecar(self, project: str, filename: str, sidecar: Sidecar) -> None:
        """Keep it no longer. :raises OSError: it stays."""
        self.path(project, sidecar.of(filename)).unlink(missing_ok=True)

    def path(self, project: str, filename: str) -> Path:
        """Give where a file is kept. :raises NotFound: no file can have such a name."""
        for name in (project, filename):
            if not name or name.startswith(".") or "/" in name or "\0" in name:
                raise NotFound("there is no such file")
        return self.directory / project / filename

    def _expected(self, project: str, file: File) -> dict[str, str]:
        """Give the digests that a file has to have; none if nobody knows any."""
        pin = self.pinned(project, file.filename)
        return usable(file.hashes) or ({"sha256": pin} if pin else {})

    def _is_believed(
        self, path: Path, status: os.stat_result, expected: dict[str, str], size: int | None
    ) -> bool | None:
        """Return whether a file is what is expected; ``None`` if it takes hashing to tell."""
        if not expected or size not in (None, status.st_size):
            return False
        with self._lock:
            identity, digests = self._believed.get(str(path)) or (None, {})
        return True if identity == _identity(status) and expected.items() <= digests.items() else None

    def _is_right(self, path: Path, opened: OpenFile, expected: dict[str, str]) -> bool:
        """Hash an open file, and return whether it is what is expected."""
        status = opened.status()
        found = Digests(expected)
        offset = 0
        while piece := opened.read(offset, _READ):
            found.update(piece)
            offset += len(piece)
        if found.difference() is not None or _identity(opened.status()) != _identity(status):
            return False
        self._believe(path, status, found.found)
        return True

    def _believe(self, path: Path, status: os.stat_result, digests: dict[str, str]) -> None:
        with self._lock:
            self._believed.put(str(path), (_identity(status), digests), 1)


def _open(path: Path) -> OpenFile | None:
    """Open a file for reading; ``None`` if there is none that can be read, or a symbolic link."""
    try:
        return OpenFile.open(path)
    except OSError:
        return None


def _touch(opened: OpenFile) -> None:
    """Note that an open file was asked for, whether or not the file system notes when it is read."""
    with suppress(OSError):
        opened.set_times(time.time_ns(), opened.status().st_mtime_ns)


def _identity(status: os.stat_result) -> _Identity:
    """Give what is another when a file was changed or replaced."""
    return status.st_ino, status.st_size, status.st_mtime_ns
